"""The audit log: who did what, from where, and with which answer. Bounded by age and by number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hayrick_collector.desk.people import Person
from hayrick_common.clock import epoch_ms

if TYPE_CHECKING:
    from hayrick_collector.desk.database import Desk

STEPS = (
    """
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, person TEXT NOT NULL, how TEXT NOT NULL,
    address TEXT NOT NULL, action TEXT NOT NULL, detail TEXT NOT NULL, status INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_by_person ON audit (person, id);
CREATE INDEX audit_by_action ON audit (action, id);
CREATE INDEX audit_by_time ON audit (at_ms);
""",
)
MOST_ENTRIES = 2_000_000
MOST_TEXT = 4_000
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Entry:
    """`detail`: what was asked for, such as the expression. `status`: the HTTP status that it ended with."""

    id: int
    at_ms: int
    person: str
    how: str
    address: str
    action: str
    detail: dict[str, Any]
    status: int


class Audit:
    """The audit log of one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def add(
        self, person: Person, action: str, *, address: str, status: int, detail: Mapping[str, Any] | None = None
    ) -> None:
        """Write one entry; long texts in it are cut."""
        told = json.dumps({name: _cut(value) for name, value in (detail or {}).items()})
        row = (epoch_ms(), person.name[:200], person.how, address[:100], action, told, status)
        with self._desk.write() as db:
            db.execute(
                "INSERT INTO audit (at_ms, person, how, address, action, detail, status) VALUES (?, ?, ?, ?, ?, ?, ?)",
                row,
            )

    def page(
        self,
        *,
        before: int | None = None,
        person: str = "",
        action: str = "",
        start_ms: int | None = None,
        stop_ms: int | None = None,
        limit: int = 100,
    ) -> list[Entry]:
        """Entries, the last first, older than the one with the id `before`."""
        asked = {
            "id < ?": before, "person = ?": person or None, "action = ?": action or None,
            "at_ms >= ?": start_ms, "at_ms <= ?": stop_ms,
        }  # fmt: skip
        given = {condition: value for condition, value in asked.items() if value is not None}
        where = f"WHERE {' AND '.join(given)}" if given else ""
        rows = self._desk.rows(f"SELECT * FROM audit {where} ORDER BY id DESC LIMIT ?", (*given.values(), limit))
        return [Entry(**{**dict(row), "detail": json.loads(row["detail"])}) for row in rows]

    def forget(self, days: int, *, most: int = MOST_ENTRIES) -> int:
        """Remove what is older, and the oldest beyond the number kept; returns how many went."""
        with self._desk.write() as db:
            gone = db.execute("DELETE FROM audit WHERE at_ms < ?", (epoch_ms() - days * DAY_MS,)).rowcount
            last = "(SELECT id FROM audit ORDER BY id DESC LIMIT 1 OFFSET ?)"
            return gone + db.execute(f"DELETE FROM audit WHERE id <= {last}", (most,)).rowcount


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value[:MOST_TEXT]
    return [_cut(each) for each in list(value)[:100]] if isinstance(value, (list, tuple)) else value
