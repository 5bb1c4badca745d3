"""Hunts: what each looks for, how far it came, and what it found. All that steers a hunt goes through its row here,
so that any process on the data folder can add, pause and watch one, whoever runs it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from hayrick_collector import owner
from hayrick_common.clock import epoch_ms
from hayrick_common.errors import UsageError

if TYPE_CHECKING:
    from hayrick_collector.desk.database import Desk

State = Literal["running", "paused", "done", "failed"]
STEPS = (
    """
CREATE TABLE hunts (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, person TEXT NOT NULL, expression TEXT NOT NULL,
    start_ms INTEGER, stop_ms INTEGER, zone TEXT NOT NULL, spec TEXT NOT NULL, state TEXT NOT NULL,
    created_ms INTEGER NOT NULL, ended_ms INTEGER, total INTEGER, sessions INTEGER NOT NULL, found INTEGER NOT NULL,
    packets INTEGER NOT NULL, bytes INTEGER NOT NULL, unread TEXT NOT NULL, error TEXT NOT NULL,
    at_ms INTEGER, at_ids TEXT NOT NULL, process TEXT NOT NULL
) STRICT;
""",
)
MOST_REASONS = 50  # told one by one of what could not be read


@dataclass(frozen=True, slots=True)
class Hunt:
    """`person` is a `desk.people.Person`, `spec` a `hunts.spec.Spec` as a dict. Sessions up to the time `at_ms` are
    done, and of those that began at that very time the ones in `at_ids`. `unread`: packets that could not be read, by
    reason. Times are epoch ms."""

    name: str
    person: dict[str, Any]
    expression: str
    spec: dict[str, Any]
    start_ms: int | None = None
    stop_ms: int | None = None
    zone: str = ""
    id: int = 0
    state: State = "running"
    created_ms: int = 0
    ended_ms: int | None = None
    total: int | None = None
    sessions: int = 0
    found: int = 0
    packets: int = 0
    bytes: int = 0
    unread: dict[str, int] = field(default_factory=dict)
    error: str = ""
    at_ms: int | None = None
    at_ids: tuple[str, ...] = ()
    process: str = ""

    def public(self) -> dict[str, Any]:
        """As the API shows it. The source of rules is left out: it can be long."""
        hidden = ("at_ms", "at_ids", "process", "spec", "person")
        shown = {name: getattr(self, name) for name in self.__slots__ if name not in hidden}
        return {**shown, "person": self.person["name"], "spec": {**self.spec, "pattern": self.spec["pattern"][:4096]}}


class Hunts:
    """The table."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def all(self) -> list[Hunt]:
        """The latest first."""
        return [_hunt(row) for row in self._desk.rows("SELECT * FROM hunts ORDER BY id DESC LIMIT 10000")]

    def get(self, name: str) -> Hunt:
        """Raises LookupError."""
        row = self._desk.row("SELECT * FROM hunts WHERE name = ?", (name,))
        if row is None:
            raise LookupError(f"there is no hunt {name}")
        return _hunt(row)

    def add(self, hunt: Hunt) -> Hunt:
        """A new one, running as soon as somebody runs it. Raises UsageError when the name is taken."""
        with self._desk.write() as db:
            try:
                db.execute(
                    "INSERT INTO hunts (name, person, expression, start_ms, stop_ms, zone, spec, state, created_ms,"
                    " sessions, found, packets, bytes, unread, error, at_ids, process)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, 'running', ?, 0, 0, 0, 0, '{}', '', '[]', '')",
                    (hunt.name, json.dumps(hunt.person), hunt.expression, hunt.start_ms, hunt.stop_ms, hunt.zone,
                     json.dumps(hunt.spec), epoch_ms()),
                )  # fmt: skip
            except sqlite3.IntegrityError:
                raise UsageError(f"there is a hunt {hunt.name} already") from None
        return self.get(hunt.name)

    def remove(self, name: str) -> None:
        """Forget one; whoever runs it stops. Raises LookupError."""
        if not self._change(name, "DELETE FROM hunts WHERE name = ?"):
            self.get(name)

    def pause(self, name: str) -> Hunt:
        """Whoever runs it stops after what it has in hand. Raises LookupError."""
        self._change(name, "UPDATE hunts SET state = 'paused' WHERE name = ? AND state = 'running'")
        return self.get(name)

    def resume(self, name: str) -> Hunt:
        """Go on where it stopped, also after it failed. Raises LookupError."""
        self._change(
            name, "UPDATE hunts SET state = 'running', error = '' WHERE name = ? AND state IN ('paused', 'failed')"
        )
        return self.get(name)

    def claim(self, name: str = "") -> Hunt | None:
        """The oldest hunt (or the one of this name) that should run and that no living process runs; it is this
        process's now."""
        waiting = "SELECT * FROM hunts WHERE state = 'running' AND ? IN ('', name) ORDER BY id"
        with self._desk.write() as db:
            for row in db.execute(waiting, (name,)).fetchall():
                if not owner.alive(row["process"]):
                    db.execute("UPDATE hunts SET process = ? WHERE id = ?", (owner.token(), row["id"]))
                    return _hunt(row)
        return None

    def release(self, number: int) -> None:
        """Let another process run it."""
        with self._desk.write() as db:
            db.execute("UPDATE hunts SET process = '' WHERE id = ? AND process = ?", (number, owner.token()))

    def counted(self, number: int, total: int) -> None:
        """How many sessions there are to search."""
        with self._desk.write() as db:
            db.execute("UPDATE hunts SET total = ? WHERE id = ?", (total, number))

    def advance(
        self, number: int, *, at_ms: int, at_ids: Iterable[str], sessions: int, found: int, packets: int, size: int,
        unread: Mapping[str, int],
    ) -> bool:  # fmt: skip
        """These sessions are done: durable when it returns. False when the hunt is to stop."""
        with self._desk.write() as db:
            row = db.execute("SELECT state, unread FROM hunts WHERE id = ?", (number,)).fetchone()
            if row is None:
                return False
            db.execute(
                "UPDATE hunts SET at_ms = ?, at_ids = ?, sessions = sessions + ?, found = found + ?,"
                " packets = packets + ?, bytes = bytes + ?, unread = ? WHERE id = ?",
                (at_ms, json.dumps(list(at_ids)), sessions, found, packets, size,
                 json.dumps(_merged(json.loads(row["unread"]), unread)), number),
            )  # fmt: skip
            return bool(row["state"] == "running")

    def end(self, number: int, error: str = "") -> None:
        """It is done, or failed for this reason, unless somebody paused it meanwhile."""
        with self._desk.write() as db:
            db.execute(
                "UPDATE hunts SET state = ?, error = ?, ended_ms = ?, process = '' WHERE id = ? AND state = 'running'",
                ("failed" if error else "done", error, epoch_ms(), number),
            )

    def _change(self, name: str, statement: str) -> int:
        with self._desk.write() as db:
            return db.execute(statement, (name,)).rowcount


def _merged(before: dict[str, int], more: Mapping[str, int]) -> dict[str, int]:
    for reason, packets in more.items():
        kept = reason if reason in before or len(before) < MOST_REASONS else "other reasons"
        before[kept] = before.get(kept, 0) + packets
    return before


def _hunt(row: sqlite3.Row) -> Hunt:
    columns = dict(row)
    loaded = {name: json.loads(columns[name]) for name in ("person", "spec", "unread")}
    return Hunt(**{**columns, **loaded, "at_ids": tuple(json.loads(columns["at_ids"]))})
