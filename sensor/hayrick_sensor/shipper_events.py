"""What can happen to the shipper, and what it can ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from hayrick_common.chunk import Manifest
from hayrick_common.wire import Message, Pull


@dataclass(frozen=True)
class Connected:
    """The socket has an authenticated connection."""


@dataclass(frozen=True)
class Disconnected:
    """The connection is no more; another may follow."""


@dataclass(frozen=True)
class Rejected:
    """The collector would not let us connect; this socket will not try again by itself."""


@dataclass(frozen=True)
class Got:
    """A message from the collector."""

    message: Message


@dataclass(frozen=True)
class Garbled:
    """What came from the collector is no message."""


@dataclass(frozen=True)
class Added:
    """A chunk is there to be shipped; `landed` ones only wait for their second receipt."""

    manifest: Manifest
    landed: bool = False


@dataclass(frozen=True)
class Withdrawn:
    """The chunk is not to be shipped any more."""

    key: str


@dataclass(frozen=True)
class Unreadable:
    """A block that `SendBlock` asked for cannot be read: the file is gone or is another one."""

    key: str
    reason: str


@dataclass(frozen=True)
class Window:
    """The time for shipping begins, or ends."""

    open: bool


@dataclass(frozen=True)
class Tick:
    """Time passes; about once a second."""


Event: TypeAlias = Connected | Disconnected | Rejected | Got | Garbled | Added | Withdrawn | Unreadable | Window | Tick


@dataclass(frozen=True)
class Send:
    """Send the message, if the connection still stands."""

    message: Message


@dataclass(frozen=True)
class SendBlock:
    """Read this much of the chunk's file and send it as a block."""

    key: str
    offset: int
    length: int


@dataclass(frozen=True)
class Answer:
    """Answer the pull, or say why not."""

    pull: Pull


@dataclass(frozen=True)
class Beat:
    """Gather a report and send a heartbeat."""


@dataclass(frozen=True)
class Note:
    """Tell the spool: the chunk was offered, landed or indexed."""

    key: str
    state: str


@dataclass(frozen=True)
class Lose:
    """Tell the spool: the chunk's file is gone."""

    key: str
    reason: str


@dataclass(frozen=True)
class Complain:
    """The collector will not have a chunk (or, with an empty key, this sensor): tell the operator why."""

    key: str
    code: str
    reason: str


@dataclass(frozen=True)
class Clock:
    """Our clock minus the collector's, and the round trip; milliseconds."""

    skew_ms: int
    round_trip_ms: int


@dataclass(frozen=True)
class Reconnect:
    """Throw the connection away and make another."""


@dataclass(frozen=True)
class Count:
    """Add to a counter."""

    name: str
    amount: int = 1


Command: TypeAlias = Send | SendBlock | Answer | Beat | Note | Lose | Complain | Clock | Reconnect | Count
