"""What the catalog keeps beside the chunks to tell the time line: launches, drops, losses, numbers that are missing.

Written in the same transaction as what it goes with, so the two never differ.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import astuple
from typing import Any

from hayrick_collector.coverage.answer import answer
from hayrick_collector.coverage.heartbeats import changes
from hayrick_collector.coverage.read import facts, streams
from hayrick_common.chunk import ChunkId
from hayrick_common.clock import epoch_ms

KEPT_MS = 400 * 86_400_000

Read = Callable[..., list[tuple[Any, ...]]]
Document = dict[str, Any]
Transaction = Callable[[], AbstractContextManager[sqlite3.Connection]]


class History:
    """Reads by `read`, writes by `transaction`: both are the catalog's."""

    def __init__(self, read: Read, transaction: Transaction) -> None:
        self._read = read
        self._transaction = transaction

    def heard(self, db: sqlite3.Connection, sensor: str, report: Mapping[str, Any]) -> None:
        """Take from a heartbeat what it tells beyond the one before it, within the caller's transaction."""
        row = db.execute("SELECT heartbeat FROM sensors WHERE name = ?", (sensor,)).fetchone()
        before = json.loads(row[0]) if row and row[0] else {}
        new = changes(before, report)
        db.executemany(
            "INSERT OR REPLACE INTO launches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(sensor, *astuple(each)) for each in new.launches],
        )
        db.executemany(
            "INSERT INTO drops VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sensor, stream, minute) DO UPDATE SET"
            " start_ms = min(start_ms, excluded.start_ms), stop_ms = max(stop_ms, excluded.stop_ms),"
            " dropped = dropped + excluded.dropped, interface_dropped = interface_dropped + excluded.interface_dropped",
            [(sensor, *astuple(each)) for each in new.drops],
        )
        db.executemany(
            "INSERT OR REPLACE INTO lost VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(sensor, *astuple(each)) for each in new.lost],
        )

    def coverage(self, sensor: str, stream: str, start_ms: int, stop_ms: int, *, buckets: int, gaps: int) -> Document:
        """A stream's time line, as `coverage.answer` describes it. Raises UsageError when it is too long."""
        now_ms = epoch_ms()
        known = facts(self._read, sensor, stream, start_ms, stop_ms, now_ms=now_ms)
        return answer(known, start_ms, stop_ms, buckets=buckets, gaps=gaps)

    def streams(self) -> list[tuple[str, str]]:
        """(sensor, stream) of every stream that was heard of, by name."""
        return streams(self._read)

    def prune(self, *, now_ms: int | None = None) -> None:
        """Forget launches, drops, losses and removals that ended more than 400 days ago."""
        before = (epoch_ms() if now_ms is None else now_ms) - KEPT_MS
        with self._transaction() as db:
            db.execute("DELETE FROM launches WHERE stopped_ms BETWEEN 1 AND ?", (before,))
            db.execute("DELETE FROM drops WHERE stop_ms < ?", (before,))
            db.execute("DELETE FROM lost WHERE last_ms < ?", (before,))
            db.execute("DELETE FROM removed WHERE removed_at < ?", (before / 1000,))

    def retention(self) -> list[dict[str, Any]]:
        """What retention has taken so far: what (see `note_removal`), why, how much, of which time."""
        names = ("what", "why", "chunks", "packets", "bytes", "first_ms", "last_ms")
        rows = self._read("SELECT what, why, chunks, packets, bytes, first_ms, last_ms FROM retention")
        return [dict(zip(names, row, strict=True)) for row in rows]


def note_number(db: sqlite3.Connection, chunk: ChunkId) -> None:
    """A sensor's chunk has landed: its number is not missing any more, those it skipped are."""
    if chunk.imported:
        return
    where, number = (chunk.sensor, chunk.stream), chunk.sequence
    row = db.execute("SELECT highest FROM streams WHERE sensor = ? AND stream = ?", where).fetchone()
    highest = row[0] if row else 0
    holes: list[tuple[int, int]] = []
    if number > highest:
        holes = [(highest + 1, number - 1)]
        db.execute("INSERT OR REPLACE INTO streams VALUES (?, ?, ?)", (*where, number))
    else:
        hole = db.execute(
            "SELECT first, last FROM missing WHERE sensor = ? AND stream = ? AND first <= ?"
            " ORDER BY first DESC LIMIT 1",
            (*where, number),
        ).fetchone()
        if hole and number <= hole[1]:
            db.execute("DELETE FROM missing WHERE sensor = ? AND stream = ? AND first = ?", (*where, hole[0]))
            holes = [(hole[0], number - 1), (number + 1, hole[1])]
    db.executemany("INSERT INTO missing VALUES (?, ?, ?, ?)", [(*where, *each) for each in holes if each[0] <= each[1]])


def note_removal(db: sqlite3.Connection, key: str, what: str, why: str) -> None:
    """Count what retention takes of a chunk: `sessions` (all of it), `packets` (`records` where those came, and
    its packets are on its sensor), or `unindexed` (never searchable)."""
    unless = "AND packets_removed_at IS NULL" if what == "packets" else ""
    records = "?2 = 'packets' AND json_extract(meta, '$.content') = 'records'"
    db.execute(
        f"INSERT INTO retention SELECT iif({records}, 'records', ?2), ?3, 1,"  # noqa: S608
        f" iif({records}, 0, coalesce(packets, json_extract(meta, '$.packets'), 0)),"
        f" iif({records}, json_extract(meta, '$.content_size'), size),"
        f" starts_ms, ends_ms FROM chunks WHERE key = ?1 {unless} ON CONFLICT (what, why) DO UPDATE SET"
        " chunks = chunks + 1, packets = packets + excluded.packets, bytes = bytes + excluded.bytes,"
        " first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms)",
        (key, what, why),
    )
