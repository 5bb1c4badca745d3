"""Scheduled queries: what each asks and does, and how far it came.

How far is told by chunks: those indexed since, by the time of indexing, and (since two may be indexed in another order
than their times say) the ones of the last hour by name. What is being worked on is written down first, so that after a
crash the very same is done again, and nothing is left out.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hayrick_collector import owner
from hayrick_common.clock import epoch_ms
from hayrick_common.errors import UsageError

if TYPE_CHECKING:
    from hayrick_collector.desk.database import Desk

OVERLAP_SECONDS = 3600.0
Indexing = tuple[str, float]
"""A chunk and when it was indexed (Unix seconds)."""
STEPS = (
    """
CREATE TABLE schedules (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, person TEXT NOT NULL, expression TEXT NOT NULL,
    zone TEXT NOT NULL, every_s INTEGER NOT NULL, action TEXT NOT NULL, created_ms INTEGER NOT NULL,
    since REAL NOT NULL, mark REAL NOT NULL, pending TEXT NOT NULL, ran_ms INTEGER, runs INTEGER NOT NULL,
    found INTEGER NOT NULL, error TEXT NOT NULL, process TEXT NOT NULL
) STRICT;
CREATE TABLE schedule_chunks (
    schedule INTEGER NOT NULL REFERENCES schedules (id) ON DELETE CASCADE, key TEXT NOT NULL, indexed_at REAL NOT NULL,
    PRIMARY KEY (schedule, key, indexed_at)
) STRICT, WITHOUT ROWID;
""",
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """`person` is a `desk.people.Person`, `action` a `schedules.action.Action` as a dict. `since`: chunks indexed
    before are none of its business; `mark`: the latest indexing that is done; `pending`: chunks in hand."""

    name: str
    person: dict[str, Any]
    expression: str
    every_s: int
    action: dict[str, Any]
    zone: str = ""
    since: float = 0.0
    id: int = 0
    created_ms: int = 0
    mark: float = 0.0
    pending: tuple[Indexing, ...] = ()
    ran_ms: int | None = None
    runs: int = 0
    found: int = 0
    error: str = ""
    process: str = ""

    def public(self) -> dict[str, Any]:
        """As the API shows it."""
        shown = ("name", "expression", "zone", "every_s", "action", "created_ms", "ran_ms", "runs", "found", "error")
        return {**{name: getattr(self, name) for name in shown}, "person": self.person["name"]}


class Schedules:
    """The tables."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def all(self) -> list[Schedule]:
        """By name."""
        return [_schedule(row) for row in self._desk.rows("SELECT * FROM schedules ORDER BY name LIMIT 10000")]

    def get(self, name: str) -> Schedule:
        """Raises LookupError."""
        row = self._desk.row("SELECT * FROM schedules WHERE name = ?", (name,))
        if row is None:
            raise LookupError(f"there is no schedule {name}")
        return _schedule(row)

    def add(self, schedule: Schedule) -> Schedule:
        """Raises UsageError when the name is taken."""
        each = schedule
        with self._desk.write() as db:
            try:
                db.execute(
                    "INSERT INTO schedules (name, person, expression, zone, every_s, action, created_ms, since, mark,"
                    " pending, runs, found, error, process)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '[]', 0, 0, '', '')",
                    (each.name, json.dumps(each.person), each.expression, each.zone, each.every_s,
                     json.dumps(each.action), epoch_ms(), each.since, each.since),
                )  # fmt: skip
            except sqlite3.IntegrityError:
                raise UsageError(f"there is a schedule {each.name} already") from None
        return self.get(each.name)

    def remove(self, name: str) -> None:
        """Raises LookupError."""
        number = self.get(name).id
        with self._desk.write() as db:
            db.execute("DELETE FROM schedules WHERE id = ?", (number,))

    def claim(self, name: str) -> Schedule | None:
        """It is run by this process now, and by no other; None while it runs already. Raises LookupError."""
        found = self.get(name)
        with self._desk.write() as db:
            row = db.execute("SELECT process FROM schedules WHERE id = ?", (found.id,)).fetchone()
            if row is None or owner.alive(row["process"]):
                return None
            db.execute("UPDATE schedules SET process = ? WHERE id = ?", (owner.token(), found.id))
        return self.get(name)

    def release(self, number: int, error: str = "") -> None:
        """The run is over."""
        with self._desk.write() as db:
            db.execute(
                "UPDATE schedules SET process = '', ran_ms = ?, runs = runs + 1, error = ? WHERE id = ?",
                (epoch_ms(), error, number),
            )

    def done(self, number: int) -> set[Indexing]:
        """What of the last hour is done."""
        rows = self._desk.rows("SELECT key, indexed_at FROM schedule_chunks WHERE schedule = ?", (number,))
        return {(row["key"], row["indexed_at"]) for row in rows}

    def take(self, number: int, chunks: Sequence[Indexing]) -> None:
        """These are in hand now."""
        with self._desk.write() as db:
            db.execute("UPDATE schedules SET pending = ? WHERE id = ?", (json.dumps(list(chunks)), number))

    def finish(self, number: int, chunks: Sequence[Indexing], found: int) -> None:
        """These are done, and sessions were found in them."""
        with self._desk.write() as db:
            latest = max(at for _, at in chunks)
            db.executemany(
                "INSERT OR IGNORE INTO schedule_chunks SELECT ?, ?, ? WHERE EXISTS (SELECT 1 FROM schedules"
                " WHERE id = ?)", [(number, key, at, number) for key, at in chunks],
            )  # fmt: skip
            db.execute(
                "UPDATE schedules SET mark = max(mark, ?), pending = '[]', found = found + ? WHERE id = ?",
                (latest, found, number),
            )
            db.execute(
                "DELETE FROM schedule_chunks WHERE schedule = ?1 AND indexed_at < (SELECT mark - ?2 FROM schedules"
                " WHERE id = ?1)", (number, OVERLAP_SECONDS),
            )  # fmt: skip


def _schedule(row: sqlite3.Row) -> Schedule:
    columns = dict(row)
    loaded = {name: json.loads(columns[name]) for name in ("person", "action")}
    pending = tuple((key, at) for key, at in json.loads(columns["pending"]))
    return Schedule(**{**columns, **loaded, "pending": pending})
