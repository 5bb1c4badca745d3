"""The journal: every chunk's life on this host, durable before anyone acts on it (SQLite, WAL, synchronous=FULL)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from hayrick_common.chunk import ChunkId, Manifest
from hayrick_common.errors import ConfigError
from hayrick_sensor.spool_events import CLOSED, Entry

VERSION = 1
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
PRAGMA user_version = 1;
"""


class Journal:
    """One open journal. Every method that changes it returns only when the change is on disk."""

    def __init__(self, path: Path, sensor: str) -> None:
        self.sensor = sensor
        self._db = sqlite3.connect(path, timeout=10, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._db.executescript(f"BEGIN; {SCHEMA} COMMIT;")
        elif version != VERSION:
            raise ConfigError(f"{path}: journal version {version}, this Hayrick writes {VERSION}; update it")

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def record(self, entry: Entry) -> None:
        """A new chunk: takes its sequence number for ever, in the same transaction."""
        chunk, m = entry.manifest.chunk, entry.manifest
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(
                "INSERT INTO chunks (stream, sequence, sha256, key, size, packets, first_ms, last_ms, closed_ms,"
                " gap_ms, truncated, source, stamp, path, owned, state) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    chunk.stream, chunk.sequence, chunk.sha256, chunk.key, m.size, m.packets, m.first_ms, m.last_ms,
                    m.closed_ms, m.gap_ms, int(m.truncated), entry.source, entry.stamp, entry.path, int(entry.owned),
                    CLOSED,
                ),
            )  # fmt: skip
            self._db.execute(
                "INSERT INTO sequences VALUES (?, ?) ON CONFLICT (stream) DO UPDATE SET next = excluded.next",
                (chunk.stream, chunk.sequence + 1),
            )

    def mark(self, key: str, state: str, now_ms: int, note: str = "") -> None:
        """The chunk has come to `state` (one of the schema's, but not back to closed)."""
        if state not in ("offered", "landed", "indexed", "pruned", "lost"):
            raise ValueError(f"no such state: {state}")
        self._db.execute(
            f"UPDATE chunks SET state = ?, {state}_ms = ?, note = coalesce(nullif(?, ''), note) WHERE key = ?",  # noqa: S608
            (state, now_ms, note, key),
        )

    def note(self, key: str, note: str) -> None:
        """Remember why the collector will not have the chunk."""
        self._db.execute("UPDATE chunks SET note = ? WHERE key = ?", (note, key))

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter that outlives restarts."""
        self._db.execute(
            "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            (name, amount),
        )

    def live(self) -> list[Entry]:
        """Every chunk whose file should be here, by stream and sequence."""
        rows = self._db.execute(
            "SELECT stream, sequence, sha256, size, packets, first_ms, last_ms, closed_ms, gap_ms, truncated, source,"
            " stamp, path, owned, state FROM chunks WHERE state NOT IN ('pruned', 'lost') ORDER BY stream, sequence"
        )
        return [self._entry(row) for row in rows]

    def taken(self) -> set[tuple[str, str, str]]:
        """(stream, source, stamp) of every chunk ever taken from a folder that is not ours."""
        return set(self._db.execute("SELECT stream, source, stamp FROM chunks WHERE owned = 0"))

    def next_sequences(self) -> dict[str, int]:
        """The number that each stream's next chunk gets; a stream without chunks is absent."""
        return dict(self._db.execute("SELECT stream, next FROM sequences"))

    def counters(self) -> dict[str, int]:
        """All counters."""
        return dict(self._db.execute("SELECT name, value FROM counters ORDER BY name"))

    def summary(self) -> dict[str, dict[str, dict[str, int]]]:
        """Stream -> state -> chunks, bytes, packets, first_ms, last_ms."""
        rows = self._db.execute(
            "SELECT stream, state, count(*), sum(size), sum(packets), min(first_ms), max(last_ms)"
            " FROM chunks GROUP BY stream, state ORDER BY stream, state"
        )
        names = ("chunks", "bytes", "packets", "first_ms", "last_ms")
        found: dict[str, dict[str, dict[str, int]]] = {}
        for stream, state, *values in rows:
            found.setdefault(stream, {})[state] = dict(zip(names, values, strict=True))
        return found

    def _entry(self, row: Iterable[object]) -> Entry:
        stream, sequence, sha256, *rest = row
        *numbers, source, stamp, path, owned, state = rest
        size, packets, first, last, closed, gap, truncated = (int(each) for each in numbers)  # type: ignore[call-overload]
        chunk = ChunkId(self.sensor, str(stream), int(sequence), sha256)  # type: ignore[call-overload, arg-type]
        manifest = Manifest(chunk, size, packets, first, last, closed, gap, bool(truncated))
        return Entry(manifest, str(source), str(stamp), str(path), bool(owned), str(state))
