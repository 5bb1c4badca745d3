"""The journal: every chunk's life on this host, durable before anyone acts on it (SQLite, WAL, synchronous=FULL)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hayrick_common.chunk import ChunkId, Manifest
from hayrick_common.errors import ConfigError
from hayrick_sensor.launches import Launch
from hayrick_sensor.spool_events import CLOSED, Entry, Lose
from hayrick_sensor.tcpdump import Counts, launch_of

VERSION = 2
LOSSES_KEPT = 10_000
LAUNCHES_KEPT = 1_000
SCHEMA = """
CREATE TABLE chunks (
    stream TEXT NOT NULL, sequence INTEGER NOT NULL, sha256 TEXT NOT NULL, key TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL, packets INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
    closed_ms INTEGER NOT NULL, gap_ms INTEGER NOT NULL, truncated INTEGER NOT NULL,
    source TEXT NOT NULL, stamp TEXT NOT NULL, path TEXT NOT NULL, owned INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('closed', 'offered', 'landed', 'indexed', 'pruned', 'lost')),
    offered_ms INTEGER, landed_ms INTEGER, indexed_ms INTEGER, pruned_ms INTEGER, lost_ms INTEGER, note TEXT,
    PRIMARY KEY (stream, sequence)
) STRICT;
CREATE INDEX chunks_by_state ON chunks (state);
CREATE TABLE sequences (stream TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
"""
SCHEMA_2 = """
CREATE TABLE launches (
    stream TEXT NOT NULL, launch TEXT NOT NULL, started_ms INTEGER NOT NULL, stopped_ms INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL, gap_ms INTEGER NOT NULL, captured INTEGER NOT NULL, received INTEGER NOT NULL,
    dropped INTEGER NOT NULL, interface_dropped INTEGER NOT NULL, lost INTEGER NOT NULL, sure_ms INTEGER NOT NULL,
    why TEXT NOT NULL, told INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (stream, launch)
) STRICT;
CREATE TABLE losses (
    id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, stream TEXT NOT NULL, chunks INTEGER NOT NULL,
    packets INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, reason TEXT NOT NULL
) STRICT;
CREATE TABLE forgotten (
    stream TEXT NOT NULL, state TEXT NOT NULL, chunks INTEGER NOT NULL, bytes INTEGER NOT NULL,
    packets INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, PRIMARY KEY (stream, state)
) STRICT;
PRAGMA user_version = 2;
"""


class Journal:
    """One open journal. Every method that changes it returns only when the change is on disk, but for `mark`."""

    def __init__(self, path: Path, sensor: str) -> None:
        self.sensor = sensor
        self._db = sqlite3.connect(path, timeout=10, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        found = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            self._db.close()
            raise sqlite3.DatabaseError(found)
        self.renewed = version == 0
        if version == 0:
            self._db.executescript(f"BEGIN; {SCHEMA} {SCHEMA_2} COMMIT;")
        elif version == 1:
            self._db.executescript(f"BEGIN; {SCHEMA_2} COMMIT;")
        elif version != VERSION:
            raise ConfigError(f"{path}: journal version {version}, this Hayrick writes {VERSION}; update it")

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def record(self, entry: Entry) -> None:
        """A new chunk: takes its sequence number for ever, in the same transaction."""
        chunk, m = entry.manifest.chunk, entry.manifest
        with self._transaction():
            self._db.execute(
                "INSERT INTO chunks (stream, sequence, sha256, key, size, packets, first_ms, last_ms, closed_ms,"
                " gap_ms, truncated, source, stamp, path, owned, state) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    chunk.stream, chunk.sequence, chunk.sha256, chunk.key, m.size, m.packets, m.first_ms, m.last_ms,
                    m.closed_ms, m.gap_ms, int(m.truncated), entry.source, entry.stamp, entry.path, int(entry.owned),
                    CLOSED,
                ),
            )  # fmt: skip
            self._raise_next(chunk.stream, chunk.sequence + 1)
            if m.gap_ms:
                self._db.execute(
                    "UPDATE launches SET told = 1 WHERE stream = ? AND launch = ?",
                    (chunk.stream, launch_of(entry.source)),
                )

    def mark(self, key: str, state: str, now_ms: int, note: str = "") -> None:
        """The chunk has come to `state` (one of the schema's, but not back to closed).

        What the collector would only say again is not waited for: a power cut may take it, until something else is
        written. That a chunk is to go from here (pruned, lost) is on disk when this returns, and all before it.
        """
        if state not in ("offered", "landed", "indexed", "pruned", "lost"):
            raise ValueError(f"no such state: {state}")
        with self._patiently(state in ("pruned", "lost")), self._transaction():
            self._db.execute(
                f"UPDATE chunks SET state = ?, {state}_ms = ?, note = coalesce(nullif(?, ''), note) WHERE key = ?",  # noqa: S608
                (state, now_ms, note, key),
            )
            if state == "lost":
                self._lose(key, now_ms, note)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Committed at the end of the block; undone by an exception."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield

    @contextmanager
    def _patiently(self, durable: bool) -> Iterator[None]:
        if durable:
            yield
            return
        self._db.execute("PRAGMA synchronous = NORMAL")  # written, in order, but not forced to disk
        try:
            yield
        finally:
            self._db.execute("PRAGMA synchronous = FULL")

    def _lose(self, key: str, now_ms: int, note: str) -> None:
        stream, packets, first, last = self._db.execute(
            "SELECT stream, packets, first_ms, last_ms FROM chunks WHERE key = ?", (key,)
        ).fetchone()
        self.count("lost_chunks")
        self.count("lost_packets", packets)
        self._add_loss(Lose(stream, packets, first, last, note), now_ms)

    def note(self, key: str, note: str) -> None:
        """Remember why the collector will not have the chunk."""
        self._db.execute("UPDATE chunks SET note = ? WHERE key = ?", (note, key))

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter that outlives restarts."""
        self._db.execute(
            "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            (name, amount),
        )

    def renumber(self, key: str, entry: Entry) -> None:
        """The chunk gets another number: its old one was given before, by a journal that was lost."""
        chunk = entry.manifest.chunk
        with self._transaction():
            self._db.execute(
                "UPDATE chunks SET sequence = ?, key = ?, path = ?, state = ? WHERE key = ?",
                (chunk.sequence, entry.key, entry.path, entry.state, key),
            )
            self._raise_next(chunk.stream, chunk.sequence + 1)

    def shorten(self, key: str, entry: Entry, lost: Lose, at_ms: int) -> None:
        """The chunk is only this much of it any more."""
        chunk, m = entry.manifest.chunk, entry.manifest
        with self._transaction():
            self._db.execute(
                "UPDATE chunks SET sha256 = ?, key = ?, size = ?, packets = ?, last_ms = ?, truncated = 1, state = ?,"
                " note = ? WHERE key = ?",
                (chunk.sha256, entry.key, m.size, m.packets, m.last_ms, entry.state, lost.reason, key),
            )
            self.count("lost_packets", lost.packets)
            self._add_loss(lost, at_ms)

    def raise_next(self, stream: str, sequence: int) -> None:
        """The stream's next chunk gets this number at the least."""
        with self._transaction():
            self._raise_next(stream, sequence)

    def _raise_next(self, stream: str, sequence: int) -> None:
        self._db.execute(
            "INSERT INTO sequences VALUES (?, ?) ON CONFLICT (stream) DO UPDATE SET next = max(next, excluded.next)",
            (stream, sequence),
        )

    def lose(self, lost: Lose, at_ms: int) -> None:
        """Something that was captured is gone for ever."""
        with self._transaction():
            self._add_loss(lost, at_ms)

    def _add_loss(self, lost: Lose, at_ms: int) -> None:
        self._db.execute(
            "INSERT INTO losses (at_ms, stream, chunks, packets, first_ms, last_ms, reason)"
            " VALUES (?, ?, 1, ?, ?, ?, ?)",
            (at_ms, lost.stream, lost.packets, lost.first_ms, lost.last_ms, lost.reason),
        )
        old = "DELETE FROM losses WHERE id <= (SELECT max(id) FROM losses) - ?"
        self._db.execute(old, (LOSSES_KEPT,))  # the counters keep the sums

    def losses(self, most: int = 32) -> list[dict[str, int | str]]:
        """The newest losses, oldest first: at_ms, stream, chunks, packets, first_ms, last_ms, reason."""
        names = ("at_ms", "stream", "chunks", "packets", "first_ms", "last_ms", "reason")
        rows = self._db.execute(f"SELECT {', '.join(names)} FROM losses ORDER BY id DESC LIMIT ?", (most,))  # noqa: S608
        return [dict(zip(names, row, strict=True)) for row in rows][::-1]

    def live(self) -> list[Entry]:
        """Every chunk whose file should be here, by stream and sequence."""
        rows = self._db.execute(
            "SELECT stream, sequence, sha256, size, packets, first_ms, last_ms, closed_ms, gap_ms, truncated, source,"
            " stamp, path, owned, state FROM chunks WHERE state NOT IN ('pruned', 'lost') ORDER BY stream, sequence"
        )
        return [self._entry(row) for row in rows]

    def taken(self) -> set[tuple[str, str]]:
        """(stream, stamp) of every chunk that was taken from a folder that is not ours and may be found again."""
        return set(self._db.execute("SELECT stream, stamp FROM chunks WHERE stamp <> ''"))

    def foreign(self) -> list[tuple[str, str, str]]:
        """(stream, source, stamp) of those of them that are gone from here."""
        return list(
            self._db.execute(
                "SELECT stream, source, stamp FROM chunks WHERE stamp <> '' AND state IN ('pruned', 'lost')"
            )
        )

    def sources(self, stream: str) -> list[str]:
        """The names of the files that the stream's chunks came from."""
        return [source for (source,) in self._db.execute("SELECT source FROM chunks WHERE stream = ?", (stream,))]

    def last_closed(self, stream: str) -> int:
        """When the newest of the stream's files that were taken was closed; 0 if none was."""
        row = self._db.execute("SELECT max(closed_ms) FROM chunks WHERE stream = ?", (stream,)).fetchone()
        return int(row[0] or 0)

    def next_sequences(self) -> dict[str, int]:
        """The number that each stream's next chunk gets; a stream without chunks is absent."""
        return dict(self._db.execute("SELECT stream, next FROM sequences"))

    def counters(self) -> dict[str, int]:
        """All counters."""
        return dict(self._db.execute("SELECT name, value FROM counters ORDER BY name"))

    def summary(self) -> dict[str, dict[str, dict[str, int]]]:
        """Stream -> state -> chunks, bytes, packets, first_ms, last_ms."""
        rows = self._db.execute(
            "SELECT stream, state, sum(chunks), sum(size), sum(packets), min(first_ms), max(last_ms)"
            " FROM (SELECT stream, state, 1 AS chunks, size, packets, first_ms, last_ms FROM chunks UNION ALL"
            " SELECT stream, state, chunks, bytes, packets, first_ms, last_ms FROM forgotten)"
            " GROUP BY stream, state ORDER BY stream, state"
        )
        names = ("chunks", "bytes", "packets", "first_ms", "last_ms")
        found: dict[str, dict[str, dict[str, int]]] = {}
        for stream, state, *values in rows:
            found.setdefault(stream, {})[state] = dict(zip(names, values, strict=True))
        return found

    def forget(self, before_ms: int) -> int:
        """Drop rows of chunks that left before then, keeping their sums; how many. Those `taken` needs stay."""
        old = "state IN ('pruned', 'lost') AND stamp = '' AND coalesce(pruned_ms, lost_ms) < ?"
        with self._transaction():
            self._db.execute(
                "INSERT INTO forgotten SELECT stream, state, count(*), sum(size), sum(packets), min(first_ms),"  # noqa: S608
                f" max(last_ms) FROM chunks WHERE {old} GROUP BY stream, state"
                " ON CONFLICT (stream, state) DO UPDATE SET chunks = chunks + excluded.chunks,"
                " bytes = bytes + excluded.bytes, packets = packets + excluded.packets,"
                " first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms)",
                (before_ms,),
            )
            return self._db.execute(f"DELETE FROM chunks WHERE {old}", (before_ms,)).rowcount  # noqa: S608

    def forget_taken(self, stream: str, source: str, stamp: str) -> None:
        """The foreign file that a chunk came from is no more: nobody will find it again."""
        self._db.execute(
            "UPDATE chunks SET stamp = '' WHERE stream = ? AND source = ? AND stamp = ?"
            " AND state IN ('pruned', 'lost')",
            (stream, source, stamp),
        )

    # --- launches -------------------------------------------------------------------------------------------------

    def note_launch(self, each: Launch) -> None:
        """What is now known of a launch; packets that it lost at its end are counted once."""
        c = each.counts
        with self._transaction():
            ended = self._db.execute(
                "SELECT stopped_ms FROM launches WHERE stream = ? AND launch = ?", (each.stream, each.launch)
            ).fetchone()
            if each.stopped_ms and each.lost and not (ended and ended[0]):
                self.count("unwritten_packets", each.lost)
            self._db.execute(
                "INSERT INTO launches VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,0) ON CONFLICT (stream, launch) DO UPDATE SET"
                " stopped_ms = excluded.stopped_ms, seen_ms = excluded.seen_ms, captured = excluded.captured,"
                " received = excluded.received, dropped = excluded.dropped, lost = excluded.lost,"
                " interface_dropped = excluded.interface_dropped, sure_ms = excluded.sure_ms, why = excluded.why",
                (
                    each.stream, each.launch, each.started_ms, each.stopped_ms, each.seen_ms, each.gap_ms, c.captured,
                    c.received, c.dropped, c.interface_dropped, each.lost, each.sure_ms, each.why,
                ),
            )  # fmt: skip
            self._db.execute(
                "DELETE FROM launches WHERE stream = ? AND launch NOT IN"
                " (SELECT launch FROM launches WHERE stream = ? ORDER BY started_ms DESC LIMIT ?)",
                (each.stream, each.stream, LAUNCHES_KEPT),
            )

    def launches(self, stream: str, most: int = 32) -> list[Launch]:
        """The stream's newest launches, oldest first."""
        rows = self._db.execute(
            "SELECT launch, started_ms, stopped_ms, seen_ms, gap_ms, captured, received, dropped, interface_dropped,"
            " lost, sure_ms, why FROM launches WHERE stream = ? ORDER BY started_ms DESC, rowid DESC LIMIT ?",
            (stream, most),
        )
        found = [
            Launch(stream, name, started, stopped, seen, gap, Counts(*counts), lost, sure, why)
            for name, started, stopped, seen, gap, *counts, lost, sure, why in rows
        ]
        return found[::-1]

    def gap_before(self, stream: str, launch: str) -> int:
        """For how long nothing captured before the launch, until a chunk of it has told that."""
        row = self._db.execute(
            "SELECT gap_ms FROM launches WHERE stream = ? AND launch = ? AND told = 0", (stream, launch)
        ).fetchone()
        return int(row[0]) if row else 0

    def _entry(self, row: Iterable[object]) -> Entry:
        stream, sequence, sha256, *rest = row
        *numbers, source, stamp, path, owned, state = rest
        size, packets, first, last, closed, gap, truncated = (int(each) for each in numbers)  # type: ignore[call-overload]
        chunk = ChunkId(self.sensor, str(stream), int(sequence), sha256)  # type: ignore[call-overload, arg-type]
        manifest = Manifest(chunk, size, packets, first, last, closed, gap, bool(truncated))
        return Entry(manifest, str(source), str(stamp), str(path), bool(owned), str(state))
