"""The ingest queue: the catalog's landed chunks, taken by as many workers as the settings say.

The queue is the catalog itself, so it is bounded by the disk and survives everything. A worker that dies over a chunk
costs the chunk an attempt; after the last the chunk is `failed`, with the reason, and the rest goes on. A store that
takes nothing costs no attempt: the chunk is put off, and all workers pause until one of them is served again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import Any, TypeVar

from hayrick_collector.catalog import Catalog, ChunkRow
from hayrick_collector.config import CollectorConfig
from hayrick_collector.ingest.latency import Latency
from hayrick_collector.ingest.pressure import LONGEST_PAUSE_S, Pressure
from hayrick_collector.ingest.process import PutOffError, WorkerError, WorkerProcess
from hayrick_common import room
from hayrick_common.chunk import PCAP
from hayrick_common.errors import StoreAwayError

LOG = logging.getLogger(__name__)
Written = TypeVar("Written")
ROOM_SECONDS = 2.0  # until a full disk is tried again
IDLE_SECONDS = 1.0  # how often the catalog is looked at for what another process landed


class IngestPool:
    """Runs tasks over the catalog until stopped. `on_indexed(key)` is called on the loop after each commit."""

    def __init__(
        self,
        config: CollectorConfig,
        catalog: Catalog,
        *,
        workers: int | None = None,
        on_indexed: Callable[[str], None] = lambda key: None,
    ) -> None:
        self._config = config
        self._catalog = catalog
        self._workers = [
            WorkerProcess(config.as_dict(), stall_seconds=config.ingest.stall_seconds)
            for _ in range(workers or config.ingest.workers)
        ]
        self.on_indexed = on_indexed
        self.pressure = Pressure()
        self._trying = asyncio.Lock()  # under pressure one worker tries the store, the others wait
        self._last = ""  # the chunk that was put off last: the next try is with another one
        self._idle: asyncio.Queue[WorkerProcess] = asyncio.Queue()
        for worker in self._workers:
            self._idle.put_nowait(worker)
        self._work = asyncio.Event()
        self._changed = asyncio.Condition()
        self.latency = Latency()
        self._progress: dict[str, int] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to take chunks."""
        self._tasks = [asyncio.create_task(self._serve(worker)) for worker in self._workers]

    async def stop(self) -> None:
        """Cut short what is being indexed (it waits again, unharmed) and end the workers."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        await asyncio.gather(*(worker.stop() for worker in self._workers))

    def wake(self) -> None:
        """Something has landed."""
        self._work.set()

    def progress(self, key: str) -> int | None:
        """Sessions found so far in a chunk that is being indexed here; None otherwise."""
        return self._progress.get(key)

    def worker_pids(self) -> list[int]:
        """Process numbers of the workers that run."""
        return [worker.pid for worker in self._workers if worker.pid is not None]

    async def index_one(self, key: str, progress: Callable[[int], None] = lambda sessions: None) -> ChunkRow:
        """Index one landed chunk now, by an idle worker of a pool that was not started; returns its row, indexed or
        failed. StoreAwayError when the store takes nothing: the chunk is kept, and waits."""
        worker = await self._idle.get()
        try:
            while (row := await asyncio.to_thread(self._catalog.claim, key)) is not None:
                await self._index(worker, row, progress)
                if self.pressure.paused:
                    raise StoreAwayError(f"{self.pressure.reason}; the capture is kept and waits to be indexed")
        finally:
            self._idle.put_nowait(worker)
        return await self.finished(key)

    async def finished(self, key: str) -> ChunkRow:
        """Wait until a chunk is indexed or failed, by whichever process. Has no deadline of its own: a worker that
        stands still is killed, and attempts are counted."""
        while True:
            row = await asyncio.to_thread(self._catalog.get, key)
            if row is None:
                raise LookupError(f"no chunk {key}")
            if row.state in ("indexed", "failed"):
                return row
            async with self._changed:
                with suppress(TimeoutError):
                    async with asyncio.timeout(IDLE_SECONDS / 2):  # wait_for may lose a cancellation (Python 3.11)
                        await self._changed.wait()

    async def _serve(self, worker: WorkerProcess) -> None:
        await self._write(self._catalog.recover)
        while True:
            self._work.clear()
            async with self._turn():
                row = await self._write(lambda: self._catalog.claim(last=self._last))
                if row is not None:
                    await self._index(worker, row, lambda sessions: None)
                    continue
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE_SECONDS):
                    await self._work.wait()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """At once while the store serves; under pressure one worker at a time, after the pause."""
        async with self._trying if self.pressure.paused else nullcontext():
            if self.pressure.paused:
                await asyncio.sleep(min(max(0.0, self.pressure.retry_at - time.time()), LONGEST_PAUSE_S))
            if self.pressure.paused:
                yield
                return
        yield

    async def _index(self, worker: WorkerProcess, row: ChunkRow, progress: Callable[[int], None]) -> None:
        def note(sessions: int) -> None:
            self._progress[row.key] = sessions
            self.pressure.moved()
            progress(sessions)

        try:
            summary = await worker.do(self._job(row), note, self._waits)
            await self._write(lambda: self._indexed(row, summary))
            self.pressure.served()
            self.on_indexed(row.key)
        except PutOffError as error:
            await self._write(lambda: self._catalog.release(row.key))
            self._refused(row.key, str(error))
        except WorkerError as error:
            failed = error
            await self._write(lambda: self._failed(row, failed))
            self.pressure.moved()
        except asyncio.CancelledError:
            with suppress(OSError):  # a full disk: the next start takes it back
                self._catalog.release(row.key)
            raise
        finally:
            self._progress.pop(row.key, None)
        async with self._changed:
            self._changed.notify_all()

    async def _write(self, write: Callable[[], Written]) -> Written:
        """Change the catalog, in a thread; while the disk has no room for that, nothing else is done."""
        waited = False
        while True:
            try:
                done = await asyncio.to_thread(write)
            except OSError as error:
                if not room.lacking(error):
                    raise
                waited = True
                self._refused(self._last, str(error.strerror))
                await asyncio.sleep(ROOM_SECONDS)
                continue
            if waited:
                self.pressure.served()
            return done

    def _waits(self, reason: str) -> None:
        self.pressure.waiting(time.time(), reason)

    def _refused(self, key: str, reason: str) -> None:
        if not self.pressure.paused:
            LOG.warning("nothing is indexed, chunks wait: %s", reason)
        self.pressure.refused(time.time(), reason)
        self._last = key

    def _indexed(self, row: ChunkRow, summary: dict[str, Any]) -> None:
        again = summary.pop("again", False)
        self._catalog.indexed(row.key, _with_anomalies(summary, row))
        if closed_ms := row.meta.get("closed_ms"):
            self.latency.took(time.time() - (closed_ms - self._catalog.skew_ms(row.sensor)) / 1000)
        current = self._catalog.get(row.key)
        if again or (current and current.tags != row.tags):  # tags or secrets came while the worker had the old ones
            self._catalog.again(row.key)

    def _failed(self, row: ChunkRow, error: WorkerError) -> None:
        allowed = 1 if error.final else self._config.ingest.attempts
        again = self._catalog.attempt_failed(row.key, str(error), attempts_allowed=allowed)
        LOG.warning("chunk %s: %s; %s", row.key, error, "will be tried again" if again else "given up")

    def _job(self, row: ChunkRow) -> dict[str, object]:
        return {
            "key": row.key,
            "path": str(self._config.folder.absolute(row.path)),
            "node": row.sensor,
            "file": row.original_name or row.path,
            "tags": row.tags,
            "content": row.meta.get("content", PCAP),
            "size": row.size,
        }


def _with_anomalies(summary: dict[str, Any], row: ChunkRow) -> dict[str, Any]:
    """What the decoder said, and what was found wrong before it saw the file."""
    return {**summary, "anomalies": {**summary.get("anomalies", {}), **row.meta.get("anomalies", {})}}
