"""A SQLite file as the collector keeps two of: for any thread and, as SQLite is, for several processes.

The file is in WAL mode with synchronous=FULL: what a transaction has ended with survives a power cut. Reading has a
connection of its own, so that a long look at everything keeps no writer waiting.
"""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hayrick_common import room
from hayrick_common.errors import StoreAwayError

_WAIT_SECONDS = 30.0


class Database:
    """While the disk is full, what changes something raises OSError (ENOSPC), and has changed nothing; opening the
    file, StoreAwayError. `prepare` makes its tables on a connection in autocommit mode."""

    def __init__(self, path: Path, prepare: Callable[[sqlite3.Connection], None], *, row: Any = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._name = path.stem
        self._writing, self._reading = threading.Lock(), threading.Lock()
        self._db = _connect(path, row)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            prepare(self._db)
        except sqlite3.OperationalError as error:
            if room.lacking(error):
                raise StoreAwayError(f"no room on the disk to open {path}: make some, and start again") from error
            raise
        self._reader = _connect(path, row)
        self._reader.execute("PRAGMA query_only = ON")

    def close(self) -> None:
        """Let go of the file."""
        with self._writing, self._reading:
            self._db.close()
            self._reader.close()

    def _read(self, statement: str, arguments: Sequence[Any] = ()) -> list[Any]:
        """All rows of a SELECT, read beside any writer."""
        with self._reading:
            return self._reader.execute(statement, arguments).fetchall()

    @contextmanager
    def _transaction(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """Committed at the end of the block; undone by an exception. Unless `durable`, a power cut may take it."""
        with self._writing:
            if not durable:
                self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as error:
                if self._db.in_transaction:  # SQLite ends it by itself when the disk is full
                    self._db.execute("ROLLBACK")
                if room.lacking(error):
                    raise OSError(errno.ENOSPC, f"no room on the disk for the {self._name}") from error
                raise
            finally:
                if not durable:
                    self._db.execute("PRAGMA synchronous = FULL")


def _connect(path: Path, row: Any) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False)
    db.row_factory = row
    return db
