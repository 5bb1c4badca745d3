"""The collector's database of people's things: one SQLite file beside the catalog, closed to other users.

Each feature has a file of its own in this package with its SQL and `STEPS`, the scripts that bring its tables from
nothing to this version; `schema.FEATURES` lists them. What `write()` returned from survives a power cut.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hayrick_collector.desk.schema import FEATURES, prepare

_WAIT_SECONDS = 30.0


class Desk:
    """The database of one data folder. Safe from any thread and from several processes; call it off the event loop."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite gives its -wal and -shm the same mode
        self._writing = threading.Lock()
        self._reading = threading.Lock()
        self._db = _connect(path)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")
        prepare(self._db, FEATURES)
        self._reader = _connect(path)
        self._reader.execute("PRAGMA query_only = ON")

    def close(self) -> None:
        """Let go of the file."""
        with self._writing, self._reading:
            self._db.close()
            self._reader.close()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction, committed at the end of the block and durable then; undone by an exception."""
        with self._writing:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite ends it by itself when the disk is full
                    self._db.execute("ROLLBACK")
                raise

    def rows(self, statement: str, arguments: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows of a SELECT, read beside any writer; columns by name or place."""
        with self._reading:
            return self._reader.execute(statement, arguments).fetchall()

    def row(self, statement: str, arguments: Sequence[Any] = ()) -> sqlite3.Row | None:
        """The first row of a SELECT, None if it has none."""
        return next(iter(self.rows(statement, arguments)), None)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    return db
