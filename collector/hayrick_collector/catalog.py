"""Every chunk's life on the collector, and every sensor's last word, in one SQLite file.

A chunk is `landed` (durable in the archive), `indexing` (a worker has it), `indexed` or `failed`. The file is in WAL
mode with synchronous=FULL: what a call has returned from survives a power cut, so a receipt may follow it.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hayrick_collector import owner
from hayrick_common.chunk import ChunkId

STATES = ("landed", "indexing", "indexed", "failed")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS chunks (
    key TEXT PRIMARY KEY, sensor TEXT NOT NULL, stream TEXT NOT NULL, sequence INTEGER NOT NULL, sha256 TEXT NOT NULL,
    size INTEGER NOT NULL, original_name TEXT NOT NULL, path TEXT NOT NULL, tags TEXT NOT NULL DEFAULT '[]',
    state TEXT NOT NULL, landed_at REAL NOT NULL, indexed_at REAL, packets INTEGER, sessions INTEGER,
    first_packet INTEGER, last_packet INTEGER, summary TEXT, error TEXT, attempts INTEGER NOT NULL DEFAULT 0,
    owner TEXT, meta TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE INDEX IF NOT EXISTS chunks_by_state ON chunks (state, landed_at);
CREATE INDEX IF NOT EXISTS chunks_by_stream ON chunks (sensor, stream, sequence);
CREATE TABLE IF NOT EXISTS sensors (
    name TEXT PRIMARY KEY, public_key TEXT, last_seen REAL, heartbeat TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS forgotten (
    sensor TEXT NOT NULL, stream TEXT NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (sensor, stream)
) STRICT;
PRAGMA user_version = 1;
"""


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """One chunk as the catalog knows it. Times are Unix seconds, `first_packet`/`last_packet` epoch milliseconds;
    `path` is relative to the data folder, so that the folder can be moved. `meta` is what came with the chunk: a
    sensor's manifest, or the anomalies found while an import was unpacked."""

    key: str
    sensor: str
    stream: str
    sequence: int
    sha256: str
    size: int
    original_name: str
    path: str
    tags: tuple[str, ...]
    state: str
    landed_at: float
    indexed_at: float | None
    packets: int | None
    sessions: int | None
    first_packet: int | None
    last_packet: int | None
    summary: dict[str, Any] | None
    error: str | None
    attempts: int
    meta: dict[str, Any]

    def public(self) -> dict[str, Any]:
        """As the API shows it: everything but where the file lies."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "path"}


_COLUMNS = ", ".join(ChunkRow.__slots__)


class Catalog:
    """The catalog of one data folder. Safe from any thread and, as SQLite is, from several processes."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        if self._db.execute("PRAGMA user_version").fetchone()[0] == 0:
            self._db.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    # --- a chunk's life -------------------------------------------------------------------------------------------

    def landed(
        self,
        chunk: ChunkId,
        *,
        size: int,
        path: str,
        original_name: str = "",
        tags: Iterable[str] = (),
        meta: Mapping[str, Any] | None = None,
    ) -> bool:
        """Record a chunk whose file is durable at `path` (relative to the data folder). True when it is new; when it
        was known already nothing changes."""
        identity = (chunk.key, chunk.sensor, chunk.stream, chunk.sequence, chunk.sha256)
        came = (size, original_name, path, json.dumps(list(tags)), json.dumps(meta or {}), time.time())
        changed = self._write(
            "INSERT INTO chunks"
            " (key, sensor, stream, sequence, sha256, size, original_name, path, tags, meta, landed_at, state)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'landed') ON CONFLICT (key) DO NOTHING",
            (*identity, *came),
        )
        return changed == 1

    def claim(self, key: str | None = None) -> ChunkRow | None:
        """Take the oldest landed chunk (or the one named) for this process: it is `indexing` from now on."""
        which, arguments = ("key = ?", (key,)) if key else ("1", ())
        rows = self._returning(
            "UPDATE chunks SET state = 'indexing', owner = ?"  # noqa: S608
            " WHERE key = (SELECT key FROM chunks WHERE state = 'landed'"
            f" AND {which} ORDER BY landed_at, key LIMIT 1) AND state = 'landed' RETURNING {_COLUMNS}",
            (owner.token(), *arguments),
        )
        return rows[0] if rows else None

    def indexed(self, key: str, summary: Mapping[str, Any]) -> None:
        """The chunk's sessions are committed in the store."""
        counts = [summary.get(name) for name in ("packets", "sessions", "first_packet", "last_packet")]
        self._write(
            "UPDATE chunks SET state = 'indexed', indexed_at = ?, packets = ?, sessions = ?, first_packet = ?,"
            " last_packet = ?, summary = ?, error = NULL, owner = NULL WHERE key = ?",
            (time.time(), *counts, json.dumps(summary), key),
        )

    def attempt_failed(self, key: str, reason: str, *, attempts_allowed: int) -> bool:
        """An attempt at indexing died. True when the chunk waits for another one, False when it is `failed` now."""
        rows = self._returning(
            "UPDATE chunks SET attempts = attempts + 1, error = ?, owner = NULL, state = CASE WHEN attempts + 1 < ?"  # noqa: S608
            f" THEN 'landed' ELSE 'failed' END WHERE key = ? RETURNING {_COLUMNS}",
            (reason, attempts_allowed, key),
        )
        return bool(rows) and rows[0].state == "landed"

    def release(self, key: str) -> None:
        """Put a claimed chunk back unharmed: its attempt was cut short by us, not by the chunk."""
        self._write("UPDATE chunks SET state = 'landed', owner = NULL WHERE key = ? AND state = 'indexing'", (key,))

    def again(self, key: str, *, tags: Iterable[str] | None = None) -> None:
        """Index a chunk once more, from the first attempt, whatever came of it before."""
        self._write(
            "UPDATE chunks SET state = 'landed', attempts = 0, error = NULL, tags = coalesce(?, tags)"
            " WHERE key = ? AND state != 'indexing'",
            (None if tags is None else json.dumps(list(tags)), key),
        )

    def set_tags(self, key: str, tags: Iterable[str]) -> None:
        self._write("UPDATE chunks SET tags = ? WHERE key = ?", (json.dumps(list(tags)), key))

    def moved(self, key: str, before: str, after: str) -> bool:
        """Its file lies at `after` now; False when it was not known to lie at `before` any more."""
        return self._write("UPDATE chunks SET path = ? WHERE key = ? AND path = ?", (after, key, before)) == 1

    def recover(self) -> int:
        """Give back what a process that no longer lives was indexing. Returns how many chunks wait again."""
        with self._lock:
            claimed = self._db.execute("SELECT key, owner FROM chunks WHERE state = 'indexing'").fetchall()
        orphans = [key for key, token in claimed if not owner.alive(token)]
        for key in orphans:
            self.release(key)
        return len(orphans)

    def forget(self, key: str) -> None:
        """Drop a chunk's row: its sessions and its file are gone (retention). Up to which number a stream was
        forgotten is kept, so that what retention took is not shown as a gap."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO forgotten SELECT sensor, stream, sequence FROM chunks WHERE key = ? ON CONFLICT"
                " (sensor, stream) DO UPDATE SET sequence = max(sequence, excluded.sequence)",
                (key,),
            )
            db.execute("DELETE FROM chunks WHERE key = ?", (key,))

    # --- reading --------------------------------------------------------------------------------------------------

    def get(self, key: str) -> ChunkRow | None:
        return next(iter(self._rows("WHERE key = ?", (key,))), None)

    def holding(self, sensor: str, stream: str, sequence: int) -> ChunkRow | None:
        """What has landed under a sensor's number, whatever its bytes."""
        tail = "WHERE sensor = ? AND stream = ? AND sequence = ? ORDER BY landed_at LIMIT 1"
        return next(iter(self._rows(tail, (sensor, stream, sequence))), None)

    def chunks(self, *, state: str | None = None, limit: int = 100, offset: int = 0) -> list[ChunkRow]:
        """Chunks, the last landed first."""
        where, arguments = ("WHERE state = ?", (state,)) if state else ("", ())
        return self._rows(f"{where} ORDER BY landed_at DESC, key LIMIT ? OFFSET ?", (*arguments, limit, offset))

    def after(self, key: str, *, limit: int = 1000) -> list[ChunkRow]:
        """Chunks by key, those behind `key`: to walk over all of them while others come and go."""
        return self._rows("WHERE key > ? ORDER BY key LIMIT ?", (key, limit))

    def indexed_before(self, last_packet_ms: int, *, limit: int = 1000) -> list[ChunkRow]:
        """Indexed chunks whose last packet is older than a time: what retention may drop."""
        return self._rows(
            "WHERE state = 'indexed' AND last_packet < ? ORDER BY last_packet LIMIT ?", (last_packet_ms, limit)
        )

    def counts(self) -> dict[str, int]:
        """Chunks by state; every state is present."""
        with self._lock:
            found = dict(self._db.execute("SELECT state, count(*) FROM chunks GROUP BY state").fetchall())
        return {state: found.get(state, 0) for state in STATES}

    def totals(self) -> dict[str, int | None]:
        """Packets, bytes and sessions of what is indexed, backlog bytes, and the time span (epoch ms)."""
        with self._lock:
            row = self._db.execute(
                "SELECT sum(packets), sum(sessions), min(first_packet), max(last_packet),"
                " coalesce(sum(size) FILTER (WHERE state = 'indexed'), 0),"
                " coalesce(sum(size) FILTER (WHERE state IN ('landed', 'indexing')), 0) FROM chunks"
            ).fetchone()
        names = ("packets", "sessions", "first_packet", "last_packet", "bytes", "backlog_bytes")
        return dict(zip(names, (row[0] or 0, row[1] or 0, *row[2:]), strict=True))

    def anomalies(self) -> dict[str, int]:
        """Anomaly names over all indexed chunks, with how often each was seen."""
        with self._lock:
            rows = self._db.execute(
                "SELECT each.key, sum(each.value) FROM chunks, json_each(chunks.summary, '$.anomalies') AS each"
                " WHERE chunks.summary IS NOT NULL GROUP BY each.key ORDER BY 2 DESC"
            ).fetchall()
        return dict(rows)

    # --- sensors --------------------------------------------------------------------------------------------------

    def sensor_seen(
        self, name: str, heartbeat: Mapping[str, Any] | None = None, *, public_key: str | None = None
    ) -> None:
        """A sensor spoke: remember when, and what it said of itself (backlog, drops, disk, version)."""
        self._write(
            "INSERT INTO sensors (name, public_key, last_seen, heartbeat) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET public_key = coalesce(excluded.public_key, public_key),"
            " last_seen = excluded.last_seen, heartbeat = coalesce(excluded.heartbeat, heartbeat)",
            (name, public_key, time.time(), None if heartbeat is None else json.dumps(heartbeat)),
        )

    def sensors(self) -> list[dict[str, Any]]:
        """Each sensor: name, last_seen (Unix seconds), heartbeat, its chunks by state, and gaps by stream."""
        with self._lock:
            rows = self._db.execute(
                "SELECT name, public_key, last_seen, heartbeat FROM sensors ORDER BY name"
            ).fetchall()
            states = self._db.execute("SELECT sensor, state, count(*) FROM chunks GROUP BY sensor, state").fetchall()
            streams = self._db.execute("SELECT DISTINCT sensor, stream FROM chunks WHERE sequence > 0").fetchall()
        chunks: dict[str, dict[str, int]] = {}
        for sensor, state, count in states:
            chunks.setdefault(sensor, {})[state] = count
        gaps: dict[str, dict[str, list[tuple[int, int]]]] = {}
        for sensor, stream in streams:
            gaps.setdefault(sensor, {})[stream] = self.gaps(sensor, stream)
        return [
            {
                "name": name,
                "public_key": public_key,
                "last_seen": last_seen,
                "heartbeat": json.loads(heartbeat) if heartbeat else {},
                "chunks": chunks.get(name, {}),
                "gaps": gaps.get(name, {}),
            }
            for name, public_key, last_seen, heartbeat in rows
        ]

    def gaps(self, sensor: str, stream: str) -> list[tuple[int, int]]:
        """Sequence numbers that never landed, as (first, last) ranges between those that did."""
        with self._lock:
            rows = self._db.execute(
                "WITH gone AS"
                " (SELECT coalesce(max(sequence), 0) AS last FROM forgotten WHERE sensor = ?1 AND stream = ?2)"
                " SELECT before + 1, sequence - 1 FROM"
                " (SELECT sequence, max(gone.last, lag(sequence, 1, 0) OVER (ORDER BY sequence)) AS before"
                "  FROM chunks, gone WHERE sensor = ?1 AND stream = ?2) WHERE sequence > before + 1",
                (sensor, stream),
            ).fetchall()
        return [(first, last) for first, last in rows]

    # --- plumbing -------------------------------------------------------------------------------------------------

    def _write(self, statement: str, arguments: tuple[Any, ...]) -> int:
        with self._transaction() as db:
            return db.execute(statement, arguments).rowcount

    def _returning(self, statement: str, arguments: tuple[Any, ...]) -> list[ChunkRow]:
        with self._transaction() as db:
            return [_row(values) for values in db.execute(statement, arguments).fetchall()]

    def _rows(self, tail: str, arguments: tuple[Any, ...]) -> list[ChunkRow]:
        with self._lock:
            values = self._db.execute(f"SELECT {_COLUMNS} FROM chunks {tail}", arguments).fetchall()  # noqa: S608
        return [_row(each) for each in values]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite ends it by itself when the disk is full
                    self._db.execute("ROLLBACK")
                raise


def _row(values: tuple[Any, ...]) -> ChunkRow:
    named = dict(zip(ChunkRow.__slots__, values, strict=True))
    named["tags"] = tuple(json.loads(named["tags"]))
    named["summary"] = json.loads(named["summary"]) if named["summary"] else None
    named["meta"] = json.loads(named["meta"])
    return ChunkRow(**named)
