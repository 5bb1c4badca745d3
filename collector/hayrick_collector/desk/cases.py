"""Cases: a tag with a title, a description, members, and the sources that its sessions ever came from."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hayrick_collector.desk.people import Person
from hayrick_collector.tags import check_tags
from hayrick_common.clock import epoch_ms
from hayrick_common.errors import UsageError

if TYPE_CHECKING:
    from hayrick_collector.desk.database import Desk

STEPS = (
    """
CREATE TABLE cases (
    name TEXT PRIMARY KEY, title TEXT NOT NULL, description TEXT NOT NULL, owner TEXT NOT NULL, members TEXT NOT NULL,
    state TEXT NOT NULL, created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE evidence (
    case_name TEXT NOT NULL, chunk TEXT NOT NULL, sha256 TEXT NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL,
    landed_ms INTEGER NOT NULL, added_ms INTEGER NOT NULL, PRIMARY KEY (case_name, chunk)
) STRICT, WITHOUT ROWID;
""",
)
State = Literal["open", "closed"]


@dataclass(frozen=True, slots=True)
class Case:
    """`name` is the tag that its sessions carry; the owner and the members may change it."""

    name: str
    title: str
    description: str
    owner: str
    members: tuple[str, ...]
    state: State
    created_ms: int
    changed_ms: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """A source of a case's sessions: a chunk, with the SHA-256 of its capture's bytes (unpacked) and the name it came
    under. `landed_ms`: when this collector had it; `added_ms`: when it was first seen to belong to the case."""

    chunk: str
    sha256: str
    name: str
    size: int
    landed_ms: int
    added_ms: int = 0


class Cases:
    """The cases of one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def all(self) -> list[Case]:
        """All, those changed last first."""
        return [_case(row) for row in self._desk.rows("SELECT * FROM cases ORDER BY changed_ms DESC, name")]

    def get(self, name: str) -> Case:
        """One. Raises LookupError."""
        row = self._desk.row("SELECT * FROM cases WHERE name = ?", (name,))
        if row is None:
            raise LookupError(f"no case {name[:100]!r}")
        return _case(row)

    def add(
        self, name: str, person: Person, *, title: str = "", description: str = "", members: Iterable[str] = ()
    ) -> Case:
        """Open a case. Raises UsageError for a name that is no tag, or taken."""
        if check_tags([name]) != (name,) or "/" in name:
            raise UsageError(f"{name[:100]!r}: a case has the name of the tag of its sessions, without a slash")
        now = epoch_ms()
        row = (name, title, description, person.name, json.dumps(sorted(set(members))), "open", now, now)
        with self._desk.write() as db:
            try:
                db.execute("INSERT INTO cases VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            except sqlite3.IntegrityError:
                raise UsageError(f"there is a case {name!r} already") from None
        return self.get(name)

    def change(
        self,
        name: str,
        person: Person,
        *,
        title: str | None = None,
        description: str | None = None,
        members: Iterable[str] | None = None,
        state: State | None = None,
    ) -> Case:
        """Change what is given. Raises LookupError, PermissionError."""
        self.belongs(name, person)
        told = None if members is None else json.dumps(sorted(set(members)))
        changes = {"title": title, "description": description, "members": told, "state": state}
        with self._desk.write() as db:
            for column, value in changes.items():
                if value is not None:
                    db.execute(
                        f"UPDATE cases SET {column} = ?, changed_ms = ? WHERE name = ?", (value, epoch_ms(), name)
                    )
        return self.get(name)

    def remove(self, name: str, person: Person) -> None:
        """Forget the case and its list of sources; its sessions keep their tag. Raises LookupError, PermissionError."""
        self.belongs(name, person)
        with self._desk.write() as db:
            db.execute("DELETE FROM evidence WHERE case_name = ?", (name,))
            db.execute("DELETE FROM cases WHERE name = ?", (name,))

    def belongs(self, name: str, person: Person) -> Case:
        """The case, for somebody who may change it. Raises LookupError, PermissionError."""
        case = self.get(name)
        if person.role != "admin" and person.name not in (case.owner, *case.members):
            raise PermissionError(f"only {case.owner} and the members change the case {name}")
        return case

    def evidence(self, name: str, found: Iterable[Evidence] = ()) -> list[Evidence]:
        """The case's sources by name: those found now are added to those that ever were, which stay when retention
        takes the packets and the sessions."""
        now = epoch_ms()
        with self._desk.write() as db:
            for each in found:
                row = (name, each.chunk, each.sha256, each.name, each.size, each.landed_ms, now)
                db.execute("INSERT OR IGNORE INTO evidence VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        columns = ", ".join(Evidence.__slots__)
        rows = self._desk.rows(f"SELECT {columns} FROM evidence WHERE case_name = ? ORDER BY name, chunk", (name,))
        return [Evidence(**dict(row)) for row in rows]


def _case(row: sqlite3.Row) -> Case:
    return Case(**{**dict(row), "members": tuple(json.loads(row["members"]))})
