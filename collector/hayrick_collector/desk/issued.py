"""What tokens and shares have in common: a secret that is told once, an owner who may take it back, and an end."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from hayrick_collector.desk.people import Person

if TYPE_CHECKING:
    from hayrick_collector.desk.database import Desk

Given = TypeVar("Given")


class Issued(ABC, Generic[Given]):
    """Those of one table of one desk. `one`: what people call one of them."""

    table: ClassVar[str]
    one: ClassVar[str]

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @abstractmethod
    def given(self, row: sqlite3.Row) -> Given:
        """What a row holds, without its secret."""

    def all(self, owner: str | None = None) -> list[Given]:
        """All, or one user's, the newest first."""
        where, values = ("", ()) if owner is None else ("WHERE owner = ?", (owner,))
        rows = self._desk.rows(f"SELECT * FROM {self.table} {where} ORDER BY id DESC", values)
        return [self.given(row) for row in rows]

    def get(self, number: int) -> Given:
        """One. Raises LookupError."""
        return self.given(self._row(number))

    def remove(self, number: int, person: Person) -> None:
        """End one's own now; administrators end anybody's. Raises LookupError."""
        if self._row(number)["owner"] != person.name and person.role != "admin":
            raise self._missing(number)
        with self._desk.write() as db:
            db.execute(f"DELETE FROM {self.table} WHERE id = ?", (number,))

    def _row(self, number: int) -> sqlite3.Row:
        row = self._desk.row(f"SELECT * FROM {self.table} WHERE id = ?", (number,))
        if row is None:
            raise self._missing(number)
        return row

    def _missing(self, number: int) -> LookupError:
        return LookupError(f"no {self.one} {number}")
