"""Notes that people write on sessions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hayrick_collector.desk.people import Person
from hayrick_common.clock import epoch_ms

if TYPE_CHECKING:
    from hayrick_collector.desk.database import Desk

STEPS = (
    """
CREATE TABLE notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT NOT NULL, author TEXT NOT NULL, text TEXT NOT NULL,
    created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX notes_by_session ON notes (session, id);
""",
)


@dataclass(frozen=True, slots=True)
class Note:
    """A note on the session with the id `session`. Times are epoch ms."""

    id: int
    session: str
    author: str
    text: str
    created_ms: int
    changed_ms: int


class Notes:
    """The notes of one desk. They outlive their sessions."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def on(self, session: str) -> list[Note]:
        """A session's notes, the oldest first."""
        return [_note(row) for row in self._desk.rows("SELECT * FROM notes WHERE session = ? ORDER BY id", (session,))]

    def on_any(self, sessions: Sequence[str]) -> list[Note]:
        """The notes on any of these sessions, by session."""
        rows = self._desk.rows(
            "SELECT * FROM notes WHERE session IN (SELECT value FROM json_each(?)) ORDER BY session, id",
            (json.dumps(list(sessions)),),
        )
        return [_note(row) for row in rows]

    def latest(self, *, before: int | None = None, limit: int = 100) -> list[Note]:
        """Notes on any session, the newest first, older than the one with the id `before`."""
        rows = self._desk.rows(
            "SELECT * FROM notes WHERE id < coalesce(?, id + 1) ORDER BY id DESC LIMIT ?", (before, limit)
        )
        return [_note(row) for row in rows]

    def get(self, number: int) -> Note:
        """One. Raises LookupError."""
        row = self._desk.row("SELECT * FROM notes WHERE id = ?", (number,))
        if row is None:
            raise LookupError(f"no note {number}")
        return _note(row)

    def add(self, session: str, person: Person, text: str) -> Note:
        """Write one."""
        now = epoch_ms()
        with self._desk.write() as db:
            done = db.execute(
                "INSERT INTO notes (session, author, text, created_ms, changed_ms) VALUES (?, ?, ?, ?, ?)",
                (session, person.name, text, now, now),
            )
        return self.get(int(done.lastrowid or 0))

    def change(self, number: int, person: Person, text: str) -> Note:
        """Write one's own anew. Raises LookupError, PermissionError."""
        self._own(number, person)
        with self._desk.write() as db:
            db.execute("UPDATE notes SET text = ?, changed_ms = ? WHERE id = ?", (text, epoch_ms(), number))
        return self.get(number)

    def remove(self, number: int, person: Person) -> None:
        """Take one's own back. Raises LookupError, PermissionError."""
        self._own(number, person)
        with self._desk.write() as db:
            db.execute("DELETE FROM notes WHERE id = ?", (number,))

    def _own(self, number: int, person: Person) -> None:
        if self.get(number).author != person.name and person.role != "admin":
            raise PermissionError("this note is somebody else's")


def _note(row: sqlite3.Row) -> Note:
    return Note(**dict(row))
