"""The collector's database of people's things: one SQLite file beside the catalog, closed to other users.

Each feature has a file of its own in this package with its SQL and `STEPS`, the scripts that bring its tables from
nothing to this version; `schema.FEATURES` lists them. What `write()` returned from survives a power cut.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from hayrick_collector.database import Database
from hayrick_collector.desk.schema import FEATURES, prepare


class Desk(Database):
    """The database of one data folder; call it off the event loop."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite gives its -wal and -shm the same mode
        super().__init__(path, _prepare, row=sqlite3.Row)

    def write(self) -> AbstractContextManager[sqlite3.Connection]:
        """One transaction, committed at the end of the block and durable then; undone by an exception."""
        return self._transaction()

    def rows(self, statement: str, arguments: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows of a SELECT, read beside any writer; columns by name or place."""
        return self._read(statement, arguments)

    def row(self, statement: str, arguments: Sequence[Any] = ()) -> sqlite3.Row | None:
        """The first row of a SELECT, None if it has none."""
        return next(iter(self.rows(statement, arguments)), None)


def _prepare(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA foreign_keys = ON")
    prepare(db, FEATURES)
