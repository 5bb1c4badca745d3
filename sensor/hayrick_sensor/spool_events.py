"""What can happen to the spool, what it can ask for, and the entry that both speak of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from hayrick_common.chunk import Manifest
from hayrick_sensor.measure import Measure

CLOSED, OFFERED, LANDED, INDEXED, PRUNED, LOST = "closed", "offered", "landed", "indexed", "pruned", "lost"


@dataclass(frozen=True)
class Entry:
    """A chunk on this host. `source` is the file it came from, with its `stamp`; `path` is where it lies now.

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
    """What a stream may keep: `ring_bytes` on disk. `owned`: we rename its files. `delete`: we may delete them."""

    ring_bytes: int
    owned: bool = True
    delete: bool = True


@dataclass(frozen=True)
class FileClosed:
    """Nobody writes to `source` any more. `stamp` changes when its bytes do. Safe to repeat."""

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
class Space:
    """`free_bytes` of disk are left."""

    free_bytes: int


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
    """Write the chunk's new state to the journal, durably."""

    key: str
    state: str
    note: str = ""


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


Event: TypeAlias = FileClosed | Measured | Received | Offered | Missing | Space
Command: TypeAlias = Examine | Record | Settle | Ship | Mark | Withdraw | Remove | Discard | Count
