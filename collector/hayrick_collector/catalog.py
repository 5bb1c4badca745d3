"""Every chunk's life on the collector, and every sensor's last word, in one SQLite file.

A chunk is `landed` (durable in the archive), `indexing` (a worker has it), `indexed` or `failed`. What a call has
returned from survives a power cut, so a receipt may follow it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hayrick_collector import catalog_schema, owner
from hayrick_collector.catalog_history import History, note_number, note_removal
from hayrick_collector.database import Database
from hayrick_common.chunk import ChunkId

STATES = ("landed", "indexing", "indexed", "failed")
MOST_GAPS = 1000


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """One chunk as the catalog knows it. Times are Unix seconds, `first_packet`/`last_packet` epoch milliseconds;
    `path` is relative to the data folder, so that the folder can be moved. `meta` is what came with the chunk: a
    sensor's manifest, or the anomalies found while an import was unpacked. `packets_removed_at`: when retention took
    its packets, though its sessions are still there."""

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
    packets_removed_at: float | None

    def public(self) -> dict[str, Any]:
        """As the API shows it: everything but where the file lies."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "path"}


_COLUMNS = ", ".join(ChunkRow.__slots__)


class Catalog(Database):
    """The catalog of one data folder."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, catalog_schema.prepare)
        self.history = History(self._read, self._transaction)

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
        was known already nothing changes, but that its packets are here again."""
        identity = (chunk.key, chunk.sensor, chunk.stream, chunk.sequence, chunk.sha256)
        came = (size, original_name, path, json.dumps(list(tags)), json.dumps(meta or {}), time.time())
        span = ((meta or {}).get("first_ms", 0), (meta or {}).get("last_ms", 0))
        with self._transaction() as db:
            new = db.execute(
                "INSERT INTO chunks (key, sensor, stream, sequence, sha256, size, original_name, path, tags, meta,"
                " landed_at, starts_ms, ends_ms, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'landed')"
                " ON CONFLICT (key) DO NOTHING",
                (*identity, *came, *span),
            ).rowcount
            if new:
                note_number(db, chunk)
                db.execute("DELETE FROM removed WHERE key = ?", (chunk.key,))
            else:
                db.execute("UPDATE chunks SET packets_removed_at = NULL WHERE key = ?", (chunk.key,))
        return new == 1

    def claim(self, key: str | None = None, *, last: str = "") -> ChunkRow | None:
        """Take the oldest landed chunk (or the one named) for this process: it is `indexing` from now on. `last`: one
        to take only when no other waits."""
        which, arguments = ("key = ?", (key,)) if key else ("1", ())
        rows = self._returning(
            "UPDATE chunks SET state = 'indexing', owner = ?"  # noqa: S608
            " WHERE key = (SELECT key FROM chunks WHERE state = 'landed'"
            f" AND {which} ORDER BY key = ?, landed_at, key LIMIT 1) AND state = 'landed' RETURNING {_COLUMNS}",
            (owner.token(), *arguments, last),
        )
        return rows[0] if rows else None

    def indexed(self, key: str, summary: Mapping[str, Any]) -> None:
        """The chunk's sessions are committed in the store."""
        counts = [summary.get(name) for name in ("packets", "sessions", "first_packet", "last_packet")]
        self._write(
            "UPDATE chunks SET state = 'indexed', indexed_at = ?, packets = ?, sessions = ?, first_packet = ?,"
            " last_packet = ?, summary = ?, error = NULL, owner = NULL,"
            " starts_ms = iif(starts_ms, starts_ms, coalesce(?4, 0)), ends_ms = iif(ends_ms, ends_ms, coalesce(?5, 0))"
            " WHERE key = ?",
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
        """Index a chunk once more, from the first attempt, whatever came of it before; not without its packets."""
        self._write(
            "UPDATE chunks SET state = 'landed', attempts = 0, error = NULL, tags = coalesce(?, tags)"
            " WHERE key = ? AND state != 'indexing' AND packets_removed_at IS NULL",
            (None if tags is None else json.dumps(list(tags)), key),
        )

    def set_tags(self, key: str, tags: Iterable[str]) -> None:
        self._write("UPDATE chunks SET tags = ? WHERE key = ?", (json.dumps(list(tags)), key))

    def moved(self, key: str, before: str, after: str) -> bool:
        """Its file lies at `after` now; False when it was not known to lie at `before` any more."""
        return self._write("UPDATE chunks SET path = ? WHERE key = ? AND path = ?", (after, key, before)) == 1

    def recover(self) -> int:
        """Give back what a process that no longer lives was indexing. Returns how many chunks wait again."""
        claimed = self._read("SELECT key, owner FROM chunks WHERE state = 'indexing'")
        orphans = [key for key, token in claimed if not owner.alive(token)]
        for key in orphans:
            self.release(key)
        return len(orphans)

    def forget(self, key: str, *, why: str = "age", what: str = "sessions") -> None:
        """Drop a chunk's row: its sessions and its file are gone (retention), which counts as `what`. That it was
        here, with which bytes and of what time, is kept: it is no gap, and no reason to take it again."""
        with self._transaction() as db:
            note_removal(db, key, what, why)
            db.execute(
                "INSERT OR REPLACE INTO removed SELECT key, sensor, stream, sequence, sha256, starts_ms, ends_ms,"
                " packets, sessions, size, state, ?2, ?3 FROM chunks WHERE key = ?1",
                (key, why, time.time()),
            )
            db.execute("DELETE FROM chunks WHERE key = ?", (key,))

    def packets_removed(self, key: str, *, why: str) -> None:
        """The chunk's file is to go, its sessions stay: said before the file is removed. Where that held records, no
        packets went: they are on the sensor, or not, as before."""
        with self._transaction() as db:
            note_removal(db, key, "packets", why)
            db.execute(
                "UPDATE chunks SET packets_removed_at = ? WHERE key = ? AND packets_removed_at IS NULL",
                (time.time(), key),
            )

    # --- reading --------------------------------------------------------------------------------------------------

    def get(self, key: str) -> ChunkRow | None:
        return next(iter(self._rows("WHERE key = ?", (key,))), None)

    def holding(self, sensor: str, stream: str, sequence: int) -> ChunkRow | None:
        """What has landed under a sensor's number, whatever its bytes."""
        tail = "WHERE sensor = ? AND stream = ? AND sequence = ? ORDER BY landed_at LIMIT 1"
        return next(iter(self._rows(tail, (sensor, stream, sequence))), None)

    def held(self, sensor: str, stream: str, sequence: int) -> tuple[str, str] | None:
        """SHA-256 and state of what has landed under a sensor's number; the state is `removed` where retention has
        taken it since."""
        rows = self._read(
            "SELECT sha256, state FROM (SELECT sha256, state, landed_at AS since FROM chunks WHERE sensor = ?1 AND"
            " stream = ?2 AND sequence = ?3 UNION ALL SELECT sha256, 'removed', 1e300 FROM removed WHERE sensor = ?1"
            " AND stream = ?2 AND sequence = ?3) ORDER BY since LIMIT 1",
            (sensor, stream, sequence),
        )
        return (rows[0][0], rows[0][1]) if rows else None

    def next_numbers(self, sensor: str) -> dict[str, int]:
        """For each stream of a sensor the lowest number that no chunk has landed under, nor any above it."""
        return dict(self._read("SELECT stream, highest + 1 FROM streams WHERE sensor = ?", (sensor,)))

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

    def indexed_after(self, at: float, key: str, *, limit: int = 1000) -> list[ChunkRow]:
        """Indexed chunks behind this time of indexing (Unix seconds) and key, in that order."""
        return self._rows(
            "WHERE state = 'indexed' AND (indexed_at, key) > (?, ?) ORDER BY indexed_at, key LIMIT ?", (at, key, limit)
        )

    def with_packets_before(self, last_packet_ms: int, *, limit: int = 1000) -> list[ChunkRow]:
        """Indexed chunks that still have their packets and ended before a time, the oldest first."""
        return self._rows(
            "WHERE state = 'indexed' AND packets_removed_at IS NULL AND last_packet < ? ORDER BY last_packet LIMIT ?",
            (last_packet_ms, limit),
        )

    def unindexed(self, *, limit: int = 1000) -> list[ChunkRow]:
        """Landed or failed chunks, the oldest landed first: what retention takes last, and only if it may."""
        return self._rows("WHERE state IN ('landed', 'failed') ORDER BY landed_at LIMIT ?", (limit,))

    def counts(self) -> dict[str, int]:
        """Chunks by state; every state is present."""
        found = dict(self._read("SELECT state, sum(chunks) FROM tally GROUP BY state"))
        return {state: found.get(state, 0) for state in STATES}

    def totals(self) -> dict[str, int | None]:
        """Packets, bytes and sessions of what is indexed, backlog bytes, and the time span (epoch ms)."""
        ((packets, sessions, size, backlog),) = self._read(
            "SELECT coalesce(sum(packets), 0), coalesce(sum(sessions), 0),"
            " coalesce(sum(bytes) FILTER (WHERE state = 'indexed'), 0),"
            " coalesce(sum(bytes) FILTER (WHERE state IN ('landed', 'indexing')), 0) FROM tally"
        )
        ((first,),) = self._read("SELECT min(first_packet) FROM chunks")
        ((last,),) = self._read(
            "SELECT max(last) FROM (SELECT max(last_packet) AS last FROM chunks WHERE state = 'indexed' UNION ALL"
            " SELECT max(last_packet) FROM chunks WHERE state = 'landed')"
        )
        return {
            "packets": packets,
            "sessions": sessions,
            "first_packet": first,
            "last_packet": last,
            "bytes": size,
            "backlog_bytes": backlog,
        }

    def anomalies(self) -> dict[str, int]:
        """Anomaly names over all indexed chunks, with how often each was seen."""
        return dict(self._read("SELECT name, count FROM anomalies WHERE count > 0 ORDER BY count DESC"))

    def oldest_waiting(self) -> float | None:
        """When the chunk that has waited longest to be indexed landed (Unix seconds)."""
        rows = self._read("SELECT min(landed_at) FROM chunks WHERE state = 'landed'")
        return rows[0][0] if rows else None

    # --- sensors --------------------------------------------------------------------------------------------------

    def sensor_seen(
        self, name: str, heartbeat: Mapping[str, Any] | None = None, *, public_key: str | None = None
    ) -> None:
        """A sensor spoke: remember when, and what it said of itself (backlog, drops, launches, disk, version). A power
        cut may take the last of it: nothing was promised for it, and the landing does not wait for the disk."""
        with self._transaction(durable=False) as db:
            if heartbeat is not None:
                self.history.heard(db, name, heartbeat)
            db.execute(
                "INSERT INTO sensors (name, public_key, last_seen, heartbeat) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET public_key = coalesce(excluded.public_key, public_key),"
                " last_seen = excluded.last_seen, heartbeat = coalesce(excluded.heartbeat, heartbeat)",
                (name, public_key, time.time(), None if heartbeat is None else json.dumps(heartbeat)),
            )

    def sensors(self) -> list[dict[str, Any]]:
        """Each sensor: name, last_seen (Unix seconds), heartbeat, its chunks by state, and gaps by stream."""
        rows = self._read("SELECT name, public_key, last_seen, heartbeat FROM sensors ORDER BY name")
        chunks: dict[str, dict[str, int]] = {}
        for sensor, state, count in self._read(
            "SELECT sensor, state, sum(chunks) FROM tally GROUP BY sensor, state HAVING sum(chunks) > 0"
        ):
            chunks.setdefault(sensor, {})[state] = count
        gaps: dict[str, dict[str, list[tuple[int, int]]]] = {}
        for sensor, stream in self._read("SELECT sensor, stream FROM streams ORDER BY sensor, stream"):
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

    def told(self, sensor: str, name: str) -> Any:
        """What the sensor's last heartbeat told under that name; None where it has not."""
        rows = self._read("SELECT json_extract(heartbeat, '$.' || ?) FROM sensors WHERE name = ?", (name, sensor))
        return rows[0][0] if rows else None

    def skew_ms(self, sensor: str) -> int:
        """The sensor's clock minus ours, as its last heartbeat told; 0 where it has not."""
        skew = self.told(sensor, "clock_skew_ms")
        return skew if isinstance(skew, int) else 0

    def gaps(self, sensor: str, stream: str, *, limit: int = MOST_GAPS) -> list[tuple[int, int]]:
        """Sequence numbers that never landed, as (first, last) ranges between those that did; the last `limit`."""
        rows = self._read(
            "SELECT first, last FROM missing WHERE sensor = ? AND stream = ? ORDER BY first DESC LIMIT ?",
            (sensor, stream, limit),
        )
        return [(first, last) for first, last in reversed(rows)]

    # --- plumbing -------------------------------------------------------------------------------------------------

    def _write(self, statement: str, arguments: tuple[Any, ...]) -> int:
        with self._transaction() as db:
            return db.execute(statement, arguments).rowcount

    def _returning(self, statement: str, arguments: tuple[Any, ...]) -> list[ChunkRow]:
        with self._transaction() as db:
            return [_row(values) for values in db.execute(statement, arguments).fetchall()]

    def _rows(self, tail: str, arguments: tuple[Any, ...]) -> list[ChunkRow]:
        return [_row(each) for each in self._read(f"SELECT {_COLUMNS} FROM chunks {tail}", arguments)]  # noqa: S608


def _row(values: tuple[Any, ...]) -> ChunkRow:
    named = dict(zip(ChunkRow.__slots__, values, strict=True))
    named["tags"] = tuple(json.loads(named["tags"]))
    named["summary"] = json.loads(named["summary"]) if named["summary"] else None
    named["meta"] = json.loads(named["meta"])
    return ChunkRow(**named)
