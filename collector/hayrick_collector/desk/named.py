"""What views and lists have in common: a name, an owner, and whether others may use it."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from hayrick_collector.desk.people import Person
from hayrick_common.clock import epoch_ms
from hayrick_common.errors import UsageError

if TYPE_CHECKING:
    from hayrick_collector.desk.database import Desk

MOST_THINGS = 10_000


@dataclass(frozen=True, slots=True)
class Named:
    """`id` is 0 and `changed_ms` (epoch ms) too until it is kept."""

    name: str
    owner: str
    shared: bool = False
    id: int = 0
    changed_ms: int = 0


Thing = TypeVar("Thing", bound=Named)


class NamedThings(ABC, Generic[Thing]):
    """Things of one table, each seen by its owner, by everyone when shared, and by administrators."""

    table: ClassVar[str]

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @abstractmethod
    def columns(self, thing: Thing) -> dict[str, Any]:
        """The thing's own columns."""

    @abstractmethod
    def thing(self, row: sqlite3.Row) -> Thing:
        """What a row holds."""

    def seen_by(self, person: Person) -> list[Thing]:
        """Those the person may use, by name, their own before others'."""
        return [
            self.thing(row)
            for row in self._desk.rows(
                f"SELECT * FROM {self.table} WHERE owner = ? OR shared ORDER BY name, owner <> ?, owner LIMIT ?",
                (person.name, person.name, MOST_THINGS),
            )
        ]

    def names(self, person: Person) -> list[str]:
        """The names of those, in order, without what they hold: lists can be long."""
        found = self._desk.rows(
            f"SELECT DISTINCT name FROM {self.table} WHERE owner = ? OR shared ORDER BY name LIMIT ?",
            (person.name, MOST_THINGS),
        )
        return [row["name"] for row in found]

    def named(self, name: str, owner: str) -> Thing | None:
        """What the name means to this person."""
        row = self._desk.row(
            f"SELECT * FROM {self.table} WHERE name = ? AND (owner = ? OR shared) ORDER BY owner <> ?, id",
            (name, owner, owner),
        )
        return self.thing(row) if row else None

    def get(self, number: int, person: Person) -> Thing:
        """One by its id. Raises LookupError if there is none that the person may see."""
        row = self._desk.row(f"SELECT * FROM {self.table} WHERE id = ?", (number,))
        if row is None or not (row["shared"] or row["owner"] == person.name or person.role == "admin"):
            raise LookupError(f"{self.table} have no {number}")
        return self.thing(row)

    def add(self, thing: Thing) -> Thing:
        """Keep a new one; its id and time are those of the answer. Raises UsageError when its owner has the name."""
        columns = {**_common(thing), **self.columns(thing), "changed_ms": epoch_ms()}
        marks = ", ".join("?" * len(columns))
        with self._desk.write() as db:
            try:
                done = db.execute(
                    f"INSERT INTO {self.table} ({', '.join(columns)}) VALUES ({marks})", tuple(columns.values())
                )
            except sqlite3.IntegrityError:
                raise UsageError(f"you have {self.table} of the name {thing.name!r} already") from None
        return replace(thing, id=int(done.lastrowid or 0), changed_ms=columns["changed_ms"])

    def change(self, thing: Thing, person: Person) -> Thing:
        """Replace the one with the thing's id. Raises LookupError, PermissionError, UsageError."""
        self._own(thing.id, person)
        columns = {"name": thing.name, "shared": thing.shared, **self.columns(thing), "changed_ms": epoch_ms()}
        changes = ", ".join(f"{column} = ?" for column in columns)
        with self._desk.write() as db:
            try:
                db.execute(f"UPDATE {self.table} SET {changes} WHERE id = ?", (*columns.values(), thing.id))
            except sqlite3.IntegrityError:
                raise UsageError(f"there are {self.table} of the name {thing.name!r} already") from None
        return self.get(thing.id, person)

    def remove(self, number: int, person: Person) -> None:
        """Forget one. Raises LookupError, PermissionError."""
        self._own(number, person)
        with self._desk.write() as db:
            db.execute(f"DELETE FROM {self.table} WHERE id = ?", (number,))

    def _own(self, number: int, person: Person) -> None:
        if person.role != "admin" and self.get(number, person).owner != person.name:
            raise PermissionError(f"these {self.table} belong to somebody else")
        self.get(number, person)


def _common(thing: Named) -> dict[str, Any]:
    return {"name": thing.name, "owner": thing.owner, "shared": thing.shared}
