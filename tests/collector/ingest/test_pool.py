"""The ingest queue: a chunk pays with an attempt only for what may be its own fault."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path
from typing import Any

import pytest

from hayrick_collector.catalog import Catalog, ChunkRow
from hayrick_collector.config import CollectorConfig
from hayrick_collector.ingest import pressure
from hayrick_collector.ingest.pool import IngestPool
from hayrick_collector.ingest.process import PutOffError, WorkerError
from hayrick_collector.ingest.worker import _no_room
from hayrick_common.chunk import ChunkId
from hayrick_common.errors import StoreAwayError

Errors = list[WorkerError] | list[PutOffError]
SUMMARY = {"packets": 1, "sessions": 1, "first_packet": 1, "last_packet": 2}


class Worker:
    """Ends with each of `errors` in turn, then indexes."""

    pid = None

    def __init__(self, errors: Errors) -> None:
        self.errors = errors

    async def do(self, job: dict[str, Any], *callbacks: object) -> dict[str, Any]:
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop(0)
        return dict(SUMMARY)

    async def stop(self) -> None:
        return


def outcome(folder: Path, errors: Errors, *, serving: bool) -> ChunkRow:
    """What becomes of a chunk."""
    catalog = Catalog(folder / "catalog.sqlite")
    chunk = ChunkId("alpha", "eth0", 1, "a" * 64)
    catalog.landed(chunk, size=1, path="archive/1.pcap")

    async def run() -> ChunkRow:
        pool = IngestPool(CollectorConfig(data=folder), catalog, workers=1)
        worker: Any = Worker(errors)
        pool._workers[:], pool._idle = [worker], asyncio.Queue()
        pool._idle.put_nowait(worker)
        if not serving:
            return await pool.index_one(chunk.key)
        pool.start()
        try:
            return await asyncio.wait_for(pool.finished(chunk.key), 20)
        finally:
            await pool.stop()

    try:
        return asyncio.run(run())
    finally:
        catalog.close()


def test_full_disk_costs_a_waiting_chunk_no_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pressure, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(pressure, "LONGEST_PAUSE_S", 0.01)
    row = outcome(tmp_path, [PutOffError("no room") for _ in range(9)], serving=True)
    assert (row.state, row.attempts) == ("indexed", 0)


def test_import_by_hand_does_not_wait_for_room_for_ever(tmp_path: Path) -> None:
    with pytest.raises(StoreAwayError, match="no room; the capture is kept"):
        outcome(tmp_path, [PutOffError("no room") for _ in range(9)], serving=False)
    assert outcome(tmp_path, [], serving=False).attempts == 0


def test_dead_workers_cost_attempts(tmp_path: Path) -> None:
    row = outcome(tmp_path, [WorkerError("died") for _ in range(9)], serving=True)
    assert (row.state, row.attempts) == ("failed", 3)


def test_want_of_room_is_known_by_number_and_by_words() -> None:
    assert _no_room(OSError(errno.ENOSPC, "x"))
    assert _no_room(RuntimeError("IO Error: Could not write: No space left on device"))
    assert not _no_room(OSError(errno.EACCES, "x"))
