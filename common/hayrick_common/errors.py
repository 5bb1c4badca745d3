"""The errors Hayrick raises when no built-in one says it better.

    HayrickError                 exit 1    anything below, or a plain failure with a clear line
    +-- UsageError               exit 2    the command line asks for something impossible
    |   +-- ExpressionError      exit 2    a search expression does not parse; knows the column
    |   +-- MissingExtraError    exit 2    an optional part of Hayrick is not installed
    +-- ConfigError              exit 78   a settings file is wrong; knows file and key
    |   +-- KeyFileError         exit 78   a key file is absent, malformed or too open
    +-- WireError                exit 76   a peer's message breaks the protocol
    +-- CaptureError             exit 74   tcpdump cannot run, or a capture cannot be read
    |   +-- ArchiveError         exit 74   a stored file is damaged; says where
    +-- StoreError               exit 75   a store cannot answer; trying again may help
    |   +-- StoreAwayError       exit 75   it takes nothing now, from anybody: slow, red, full, not reached
    +-- PacketsAwayError         exit 75   packets that stayed on a sensor cannot be had: it is away, or has moved on

OSError and ValueError stay what they are. The codes above 64 are those of sysexits.h.
"""

from __future__ import annotations

from collections.abc import Sequence


class HayrickError(Exception):
    """A failure with one clear line for the person who ran the command."""

    exit_code = 1


class UsageError(HayrickError):
    """The command line asks for something impossible."""

    exit_code = 2


class ExpressionError(UsageError):
    """A search expression does not parse. `column` counts from 1; `found` stands there (empty: the expression ends);
    `expected` could stand there; `similar` are names of fields that look like the one found."""

    def __init__(
        self,
        message: str,
        column: int = 1,
        *,
        found: str = "",
        expected: Sequence[str] = (),
        similar: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.column = column
        self.found = found
        self.expected = tuple(expected)
        self.similar = tuple(similar)


class MissingExtraError(UsageError):
    """An optional part of Hayrick is not installed."""

    def __init__(self, extra: str, missing: str) -> None:
        super().__init__(f"{missing} is not installed; run: pip install 'hayrick[{extra}]'")
        self.extra = extra


class ConfigError(HayrickError):
    """A settings file is wrong: the message names the file, the key and the reason."""

    exit_code = 78


class KeyFileError(ConfigError):
    """A key file is absent, malformed or readable by others, or lacks a key that is needed."""


class WireError(HayrickError):
    """A peer's message breaks the protocol; nothing of it is used."""

    exit_code = 76


class CaptureError(HayrickError):
    """tcpdump cannot run, or a capture file cannot be read."""

    exit_code = 74


class ArchiveError(CaptureError):
    """A stored file is damaged, or not what was stored; the message names the file and the place in it."""


class PacketsAwayError(HayrickError):
    """Packets that stayed on a sensor cannot be had now: it is away, does not answer, or its ring has moved on."""

    exit_code = 75


class StoreError(HayrickError):
    """A store cannot answer now; trying again may help."""

    exit_code = 75


class StoreAwayError(StoreError):
    """A store takes nothing now, from anybody: slow, red, full or not reached. No chunk is at fault; wait for it."""
