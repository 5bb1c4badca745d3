"""DuckDB as the embedded store uses it: in memory, bounded, shut off from all files but the store's, interruptible."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import duckdb

from hayrick_collector.turns import Turns
from hayrick_common.errors import StoreError

T = TypeVar("T")
_INTERRUPT_EVERY_S = 0.02
_BUSY_AFTER_S = 30.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What DuckDB may take."""

    memory: str = "1GB"
    threads: int = 2
    spill: str = "4GB"
    queries: int = 6


def connect(root: Path, spill: Path, limits: Limits, *, ordered: bool = False) -> duckdb.DuckDBPyConnection:
    """A connection that can read and write below `root` and nowhere else. `ordered`: rows stay in a file's order."""
    connection = duckdb.connect(
        config={
            "memory_limit": limits.memory,
            "threads": limits.threads,
            "temp_directory": str(spill),
            "max_temp_directory_size": limits.spill,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    connection.execute("SET enable_progress_bar = false")  # it would be drawn among a command's output
    connection.execute("SET parquet_metadata_cache = true")
    connection.execute("SET python_enable_replacements = false")  # no variable of ours is a table
    connection.execute("SET preserve_insertion_order = ?", [ordered])
    connection.execute("SET allowed_directories = ?", [[str(root.absolute())]])
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


class Engine:
    """Runs queries in threads, a few at a time; cancelling the task interrupts the query."""

    def __init__(self, root: Path, spill: Path, limits: Limits) -> None:
        self._connection = connect(root, spill, limits)
        self._pool = ThreadPoolExecutor(limits.queries, thread_name_prefix="duckdb")
        self._turns = Turns(limits.queries)

    @property
    def running(self) -> int:
        """How many queries run now."""
        return self._turns.running

    async def run(self, work: Callable[[duckdb.DuckDBPyConnection], T], deadline_s: float) -> T:
        """`work` with a cursor of its own. TimeoutError after the deadline, StoreError if all places stay taken,
        ValueError where the question is at fault."""
        async with self._turns.turn(min(deadline_s, _BUSY_AFTER_S)):
            try:
                async with asyncio.timeout(deadline_s):
                    return await self._interruptible(work)
            except TimeoutError:
                raise TimeoutError(f"the query took longer than {deadline_s:g} s; narrow its time range") from None

    async def _interruptible(self, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        cursor, stopped = self._connection.cursor(), threading.Event()
        task = asyncio.get_running_loop().run_in_executor(self._pool, _guarded, work, cursor, stopped)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            stopped.set()
            while not task.done():  # an interrupt before the query has begun is lost: say it until it is heard
                cursor.interrupt()
                await asyncio.wait([task], timeout=_INTERRUPT_EVERY_S)
            task.exception()
            raise

    def close(self) -> None:
        """Wait for the threads, then let go."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._connection.close()


def _guarded(
    work: Callable[[duckdb.DuckDBPyConnection], T], cursor: duckdb.DuckDBPyConnection, stopped: threading.Event
) -> T:
    """In the thread: DuckDB's errors become the store's, and a cancelled query does not begin."""
    try:
        if stopped.is_set():
            raise StoreError("cancelled")
        return work(cursor)
    except duckdb.InterruptException:
        raise StoreError("cancelled") from None
    except duckdb.OutOfMemoryException:
        raise StoreError("the query needs more memory than allowed; narrow it, or raise the store's memory") from None
    except duckdb.InvalidInputException as error:
        raise ValueError(f"the store cannot search for this: {error}") from None
    finally:
        cursor.close()


def is_missing_file(error: BaseException) -> bool:
    """Whether a file that was listed has gone since: the reader lists again."""
    if isinstance(error, FileNotFoundError):
        return True
    return isinstance(error, duckdb.IOException) and ("No files found" in str(error) or "No such file" in str(error))
