"""What can happen to the lander, and what it can ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from hayrick_collector.landing.sink import Known
from hayrick_common.chunk import Manifest
from hayrick_common.wire import Message


@dataclass(frozen=True)
class Arrived:
    """A message came over the connection `route`, whose key belongs to `sensor`.

    A block's body is uncompressed here; `frame` is the zstd frame that it came in, if it did.
    """

    route: bytes
    sensor: str
    message: Message
    frame: bytes | None = field(default=None, repr=False)
    next: dict[str, int] = field(default_factory=dict)  # with a hello: the sink's word on the sensor's numbers


@dataclass(frozen=True)
class Garbled:
    """Something came that is no message."""

    route: bytes
    sensor: str
    reason: str


@dataclass(frozen=True)
class Lost:
    """The connection `route` is no more."""

    route: bytes


@dataclass(frozen=True)
class Looked:
    """Answers `LookUp`."""

    route: bytes
    manifest: Manifest
    known: Known | None


@dataclass(frozen=True)
class Opened:
    """Answers `Open`: `offset` bytes of an earlier delivery are on disk."""

    key: str
    offset: int


@dataclass(frozen=True)
class Stored:
    """Answers `Finish`: the chunk is durable under its final name and recorded by the sink."""

    key: str


@dataclass(frozen=True)
class Spoiled:
    """Answers `Finish`: size or hash are not what was promised."""

    key: str


@dataclass(frozen=True)
class Failed:
    """The disk would not take it."""

    key: str
    reason: str


@dataclass(frozen=True)
class Indexed:
    """The collector's core has made the chunk searchable."""

    key: str


@dataclass(frozen=True)
class Wanted:
    """The core asks for bytes of a chunk that stays on its sensor; `Answered` with the same `token` follows."""

    token: int
    sensor: str
    key: str
    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Tick:
    """Time passes; about once a second."""


Event: TypeAlias = Arrived | Garbled | Lost | Looked | Opened | Stored | Spoiled | Failed | Indexed | Wanted | Tick


@dataclass(frozen=True)
class Send:
    """Send a message; if the connection is gone, `Lost` follows."""

    route: bytes
    message: Message


@dataclass(frozen=True)
class LookUp:
    """Ask the sink what it knows; `Looked` follows."""

    route: bytes
    manifest: Manifest


@dataclass(frozen=True)
class Open:
    """Open the chunk's hidden file, with what an earlier delivery left; `Opened` or `Failed` follows."""

    manifest: Manifest


@dataclass(frozen=True)
class Write:
    """Append to the hidden file; `Failed` follows if the disk refuses. `frame` is the data as it came compressed."""

    key: str
    offset: int
    data: bytes = field(repr=False)
    frame: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Finish:
    """Verify, sync, name, sync, tell the sink; `Stored`, `Spoiled` or `Failed` follows."""

    manifest: Manifest


@dataclass(frozen=True)
class Close:
    """Let go of the hidden file but keep its bytes for the next delivery."""

    manifest: Manifest


@dataclass(frozen=True)
class Discard:
    """Delete the hidden file."""

    manifest: Manifest


@dataclass(frozen=True)
class Seen:
    """Hand a heartbeat to the sink."""

    sensor: str
    report: dict[str, Any]


@dataclass(frozen=True)
class Answered:
    """Answers `Wanted`: the bytes, or None and why not."""

    token: int
    data: bytes | None = field(repr=False)
    reason: str


@dataclass(frozen=True)
class Count:
    """Add one to a named counter."""

    name: str


Command: TypeAlias = Send | LookUp | Open | Write | Finish | Close | Discard | Seen | Answered | Count
