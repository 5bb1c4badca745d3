"""What can happen to the spool, what it can ask for, and the entry that both speak of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from hayrick_common.chunk import Manifest
from hayrick_sensor.measure import Measure

CLOSED, OFFERED, LANDED, INDEXED, PRUNED, LOST = "closed", "offered", "landed", "indexed", "pruned", "lost"


@dataclass(frozen=True)
class Entry:
    """A chunk on this host. `source` is the file it came from, `path` where it lies now. A foreign file has a `stamp`.

    `owned` files are ours to rename and delete; others stay where they are.
    """

    manifest: Manifest
    source: str
    stamp: str
    path: str
    owned: bool
    state: str = CLOSED

    @property
    def key(self) -> str:
        """The chunk's key."""
        return self.manifest.key


@dataclass(frozen=True)
class Budget:
    """What a stream may keep: `ring_bytes` on disk, and none longer than `ring_ms` (0: no limit).

    `owned`: chunks' files are ours, written for us or copied by us. `delete`: we may delete them.
    """

    ring_bytes: int
    owned: bool = True
    delete: bool = True
    ring_ms: int = 0


@dataclass(frozen=True)
class FileClosed:
    """Nobody writes to `source` any more. A foreign file has a `stamp` that changes with its bytes. Repeatable."""

    stream: str
    source: str
    stamp: str = ""
    gap_ms: int = 0


@dataclass(frozen=True)
class Measured:
    """Answers `Examine`; `closed_ms` is when it was closed; no `measure` says that the file has vanished."""

    stream: str
    source: str
    stamp: str
    measure: Measure | None
    closed_ms: int
    gap_ms: int = 0


@dataclass(frozen=True)
class Overrun:
    """Answers `Examine`: somebody wrote to the foreign file again before it was read. Times are 0 where unknown."""

    stream: str
    source: str
    stamp: str
    first_ms: int = 0
    last_ms: int = 0


@dataclass(frozen=True)
class Received:
    """The collector has sent a receipt: landed or indexed."""

    key: str
    state: str


@dataclass(frozen=True)
class Offered:
    """The chunk was offered to the collector."""

    key: str


@dataclass(frozen=True)
class Missing:
    """The chunk's file is not here any more, or not the same; `reason` says which."""

    key: str
    reason: str


@dataclass(frozen=True)
class Shortened:
    """The chunk's file holds only these first packets of it any more."""

    key: str
    left: Measure


@dataclass(frozen=True)
class Space:
    """`free_bytes` of disk are left, and it is `now_ms` (0: no chunk is looked at for its age)."""

    free_bytes: int
    now_ms: int = 0


@dataclass(frozen=True)
class Floor:
    """The collector has had all numbers below `next`: those we give begin there. Our journal may have been lost."""

    stream: str
    next: int


@dataclass(frozen=True)
class Conflict:
    """The collector has other bytes under the chunk's number."""

    key: str


@dataclass(frozen=True)
class Examine:
    """Hash and count the file; `Measured` follows."""

    event: FileClosed


@dataclass(frozen=True)
class Record:
    """Write the new chunk to the journal, durably."""

    entry: Entry


@dataclass(frozen=True)
class Settle:
    """Give the file its chunk's name, if it has not got it yet."""

    entry: Entry


@dataclass(frozen=True)
class Ship:
    """The chunk is ready for the shipper."""

    entry: Entry


@dataclass(frozen=True)
class Mark:
    """Write the chunk's new state to the journal, durably; a lost one is counted in the same moment."""

    key: str
    state: str
    note: str = ""


@dataclass(frozen=True)
class Raise:
    """Write to the journal, durably, that the stream's next number is at least this."""

    stream: str
    next: int


@dataclass(frozen=True)
class Renumber:
    """Write to the journal, durably, that the chunk `key` is now `entry`; `Settle` follows."""

    key: str
    entry: Entry


@dataclass(frozen=True)
class Shorten:
    """Write to the journal, durably, that the chunk `key` is now `entry`, and that the packets behind it are lost."""

    key: str
    entry: Entry
    lost: Lose


@dataclass(frozen=True)
class Lose:
    """Note the loss of what became no chunk: `packets` 0 and times 0 where they are not known."""

    stream: str
    packets: int
    first_ms: int
    last_ms: int
    reason: str


@dataclass(frozen=True)
class Withdraw:
    """The shipper must not offer the chunk any more."""

    key: str


@dataclass(frozen=True)
class Remove:
    """Delete the chunk's file, if it is there."""

    path: str


@dataclass(frozen=True)
class Discard:
    """Delete a closed file of ours that became no chunk."""

    stream: str
    source: str


@dataclass(frozen=True)
class Count:
    """Add to a counter."""

    name: str
    amount: int = 1


Event: TypeAlias = FileClosed | Measured | Overrun | Received | Offered | Missing | Shortened | Space | Floor | Conflict
Command: TypeAlias = (
    Examine | Record | Settle | Ship | Mark | Raise | Renumber | Shorten | Lose | Withdraw | Remove | Discard | Count
)
