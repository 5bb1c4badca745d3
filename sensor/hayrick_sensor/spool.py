"""The spool: decides, without any I/O, what becomes of closed files, and which chunks go when the disk must give way.

A file is measured, recorded (its number durable), renamed, shipped; what was received goes before what was not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from hayrick_common.chunk import ChunkId, Manifest
from hayrick_sensor.measure import Measure
from hayrick_sensor.spool_events import (
    CLOSED,
    INDEXED,
    LANDED,
    LOST,
    OFFERED,
    PRUNED,
    Budget,
    Command,
    Conflict,
    Count,
    Discard,
    Entry,
    Event,
    Examine,
    FileClosed,
    Floor,
    Lose,
    Mark,
    Measured,
    Missing,
    Offered,
    Overrun,
    Raise,
    Received,
    Record,
    Remove,
    Renumber,
    Settle,
    Ship,
    Shorten,
    Shortened,
    Space,
    Withdraw,
)

OVERRUN = "written again by its owner before it was read"
SHORTENED = "the end of its file was lost on the sensor"
_RANK = {INDEXED: 0, LANDED: 1, OFFERED: 2, CLOSED: 2}


@dataclass
class Spool:
    """`step(event)` returns the commands to carry out, in order; each must be durable before the next."""

    sensor: str
    budgets: dict[str, Budget]
    keep_free_bytes: int = 0
    next_sequence: dict[str, int] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    measuring: set[tuple[str, str]] = field(default_factory=set)
    taken: set[tuple[str, str]] = field(default_factory=set)
    floors: dict[str, int] = field(default_factory=dict)
    conflicts: set[str] = field(default_factory=set)

    def restore(self, entries: Iterable[Entry]) -> list[Command]:
        """Take up what the journal holds: names are settled and unfinished chunks shipped again."""
        commands: list[Command] = []
        for entry in entries:
            self.entries[entry.key] = entry
            commands.append(Settle(entry))
            if entry.state != INDEXED:
                commands.append(Ship(entry))
        return commands

    def step(self, event: Event) -> list[Command]:
        """Take one event."""
        commands: list[Command] = self._handlers[type(event)](self, event)
        return commands

    def _file_closed(self, event: FileClosed) -> list[Command]:
        identity = _identity(event)
        if identity in self.measuring or identity in self.taken or event.stream not in self.budgets:
            return []
        self.measuring.add(identity)
        return [Examine(event)]

    def _measured(self, event: Measured) -> list[Command]:
        identity = _identity(event)
        self.measuring.discard(identity)
        budget, found = self.budgets[event.stream], event.measure
        if found is None:
            return []
        if event.stamp:
            self.taken.add(identity)
        if found.empty:
            removal: list[Command] = [] if event.stamp else [Discard(event.stream, event.source)]
            return [Count("empty_files"), *removal]
        if found.problem and event.stamp:
            return [Count("not_captures")]
        if event.stamp and self._known(event.stream, found.sha256):
            return [Count("doubled_files"), *([Discard(event.stream, f"{event.stamp}.copy")] if budget.owned else [])]
        return self._keep(event, found, budget)

    def _known(self, stream: str, sha256: str) -> bool:
        """Whether a chunk here has just these bytes: its owner has copied a file, or our journal was lost."""
        chunks = (each.manifest.chunk for each in self.entries.values())
        return any(each.sha256 == sha256 and each.stream == stream for each in chunks)

    def _overrun(self, event: Overrun) -> list[Command]:
        identity = _identity(event)
        self.measuring.discard(identity)
        self.taken.add(identity)
        return [Count("overrun_files"), Lose(event.stream, 0, event.first_ms, event.last_ms, OVERRUN)]

    def _keep(self, event: Measured, found: Measure, budget: Budget) -> list[Command]:
        sequence = self.next_sequence.get(event.stream, 1)
        self.next_sequence[event.stream] = sequence + 1
        chunk = ChunkId(self.sensor, event.stream, sequence, found.sha256)
        manifest = Manifest(
            chunk,
            found.size,
            found.packets,
            found.first_ms,
            found.last_ms,
            event.closed_ms,
            event.gap_ms,
            found.truncated,
        )
        path = f"{event.stream}/{chunk.file_name}" if budget.owned else event.source
        entry = Entry(manifest, event.source, event.stamp, path, budget.owned)
        self.entries[entry.key] = entry
        return [Record(entry), Settle(entry), Ship(entry), *self._fit(event.stream)]

    def _received(self, event: Received) -> list[Command]:
        entry = self.entries.get(event.key)
        if entry is None or _RANK[event.state] >= _RANK[entry.state]:
            return []
        self.entries[event.key] = replace(entry, state=event.state)
        return [Mark(event.key, event.state), *self._fit(entry.manifest.chunk.stream)]

    def _offered(self, event: Offered) -> list[Command]:
        entry = self.entries.get(event.key)
        if entry is None or entry.state != CLOSED:
            return []
        self.entries[event.key] = replace(entry, state=OFFERED)
        return [Mark(event.key, OFFERED)]

    def _missing(self, event: Missing) -> list[Command]:
        entry = self.entries.get(event.key)
        return self._drop(entry, event.reason) if entry else []

    def _shortened(self, event: Shortened) -> list[Command]:
        """What is left is shipped under the same number, so that it cannot land beside the whole chunk."""
        entry, left = self.entries.get(event.key), event.left
        if entry is None or entry.state not in (CLOSED, OFFERED):
            return []
        was, stream = entry.manifest, entry.manifest.chunk.stream
        manifest = replace(
            was, chunk=replace(was.chunk, sha256=left.sha256), size=left.size, packets=left.packets,
            last_ms=left.last_ms, truncated=True,
        )  # fmt: skip
        fresh = replace(entry, manifest=manifest, state=CLOSED)
        del self.entries[event.key]
        self.entries[fresh.key] = fresh
        lost = Lose(stream, was.packets - left.packets, left.last_ms, was.last_ms, SHORTENED)
        return [Withdraw(event.key), Shorten(event.key, fresh, lost), Ship(fresh)]

    def _space(self, event: Space) -> list[Command]:
        lacking = self.keep_free_bytes - event.free_bytes
        commands: list[Command] = []
        for entry in self._expendable(self._old(event.now_ms)):
            lacking -= entry.manifest.size
            commands += self._drop(entry, "it was older than ring_hours")
        for entry in self.expendable() if lacking > 0 else []:
            if lacking <= 0:
                break
            lacking -= entry.manifest.size
            commands += self._drop(entry, "the disk was full")
        return commands

    def _old(self, now_ms: int) -> list[Entry]:
        found = []
        for entry in self.entries.values():
            limit = self.budgets[entry.manifest.chunk.stream].ring_ms
            if limit and entry.manifest.closed_ms < now_ms - limit:
                found.append(entry)
        return found

    def _floor(self, event: Floor) -> list[Command]:
        stream = event.stream
        if stream not in self.budgets or event.next <= self.floors.get(stream, 1):
            return []
        self.floors[stream] = event.next
        commands: list[Command] = []
        if self.next_sequence.get(stream, 1) < event.next:
            self.next_sequence[stream] = event.next
            commands.append(Raise(stream, event.next))
        for key in sorted(self.conflicts):
            commands += self._renumber(key)
        return commands

    def _conflict(self, event: Conflict) -> list[Command]:
        entry = self.entries.get(event.key)
        if entry is not None and entry.owned and not entry.path.endswith(entry.manifest.chunk.file_name):
            self.entries[event.key] = replace(entry, state=LANDED)  # the chunk landed before its file was shortened
            return [Withdraw(event.key), Mark(event.key, LANDED, "landed whole")]
        self.conflicts.add(event.key)
        return self._renumber(event.key)

    def _renumber(self, key: str) -> list[Command]:
        """Give a chunk whose number the collector has for another one a number that nobody has."""
        entry = self.entries.get(key)
        if entry is None or entry.state not in (CLOSED, OFFERED):
            self.conflicts.discard(key)
            return []
        old = entry.manifest.chunk
        if old.sequence >= self.floors.get(old.stream, 1):
            return []
        self.conflicts.discard(key)
        chunk = replace(old, sequence=self.next_sequence.get(old.stream, 1))
        self.next_sequence[old.stream] = chunk.sequence + 1
        path = f"{old.stream}/{chunk.file_name}" if entry.owned else entry.path
        fresh = replace(entry, manifest=replace(entry.manifest, chunk=chunk), path=path, state=CLOSED)
        del self.entries[key]
        self.entries[fresh.key] = fresh
        return [Withdraw(key), Renumber(key, fresh), Settle(fresh), Count("renumbered_chunks"), Ship(fresh)]

    def _fit(self, stream: str) -> list[Command]:
        """Bring the stream's ring under its budget; its newest chunk stays in any case."""
        mine = [each for each in self.entries.values() if each.manifest.chunk.stream == stream]
        over = sum(each.manifest.size for each in mine) - self.budgets[stream].ring_bytes
        commands: list[Command] = []
        for entry in self._expendable(mine[:-1]) if over > 0 else []:
            if over <= 0:
                break
            over -= entry.manifest.size
            commands += self._drop(entry, "the ring was full")
        return commands

    def expendable(self) -> list[Entry]:
        """All chunks that may be deleted, in the order in which they go."""
        return self._expendable(self.entries.values())

    def _expendable(self, entries: Iterable[Entry]) -> list[Entry]:
        """Oldest indexed first, then landed, and last those that nobody else has."""
        may = [each for each in entries if self.budgets[each.manifest.chunk.stream].delete]
        return sorted(may, key=lambda each: (_RANK[each.state], each.manifest.closed_ms, each.manifest.chunk.sequence))

    def _drop(self, entry: Entry, reason: str) -> list[Command]:
        del self.entries[entry.key]
        lost = entry.state in (CLOSED, OFFERED)
        commands: list[Command] = [Mark(entry.key, LOST if lost else PRUNED, reason), Withdraw(entry.key)]
        if self.budgets[entry.manifest.chunk.stream].delete:
            commands.append(Remove(entry.path))
        return commands

    _handlers: ClassVar[dict[type, Any]] = {
        FileClosed: _file_closed,
        Measured: _measured,
        Received: _received,
        Offered: _offered,
        Missing: _missing,
        Shortened: _shortened,
        Space: _space,
        Overrun: _overrun,
        Floor: _floor,
        Conflict: _conflict,
    }


def _identity(event: FileClosed | Measured | Overrun) -> tuple[str, str]:
    """Names a closed file: ours by its name, a foreign one by its stamp: that may be renamed, or written again."""
    return event.stream, event.stamp or event.source
