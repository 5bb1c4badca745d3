"""What the collector does by the clock: tidying the store, and retention. APScheduler's, inside the process."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from hayrick_collector.config import CollectorConfig
from hayrick_collector.direct import DirectBackend
from hayrick_common.files import remove

LOG = logging.getLogger(__name__)
MAINTAIN_MINUTES = 5
RETENTION_MINUTES = 10
_DAY_MS = 86_400_000


@contextmanager
def scheduled(config: CollectorConfig, backend: DirectBackend) -> Iterator[None]:
    """Run the jobs while the block does. A job that fails is logged by the scheduler and runs again at its time."""
    scheduler = AsyncIOScheduler(timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1})
    scheduler.add_job(maintain, "interval", [backend], minutes=MAINTAIN_MINUTES, jitter=20)
    if config.retention.days:
        scheduler.add_job(retain, "interval", [backend, config.retention.days], minutes=RETENTION_MINUTES, jitter=20)
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)


async def maintain(backend: DirectBackend) -> None:
    """Merge what is small, remove what was replaced."""
    done = await backend.store.maintain()
    if any(done.values()):
        LOG.info("store tidied: %s", done)


async def retain(backend: DirectBackend, days: int, *, now_ms: int | None = None) -> int:
    """Drop the packets and sessions of chunks that ended before the kept days. Returns how many chunks went.

    Sessions first, the file last: a crash in between leaves a chunk that is dropped next time, never sessions without
    their packets' name. Only indexed chunks go.
    """
    before = (int(time.time() * 1000) if now_ms is None else now_ms) - days * _DAY_MS
    rows = await asyncio.to_thread(backend.catalog.indexed_before, before)
    for row in rows:
        await backend.store.delete_chunk(row.key)
        await asyncio.to_thread(remove, backend.config.folder.absolute(row.path))
        await asyncio.to_thread(backend.catalog.forget, row.key)
    return len(rows)
