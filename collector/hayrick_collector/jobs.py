"""What the collector does by the clock: tidying the store, and retention. APScheduler's, inside the process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from hayrick_collector.config import CollectorConfig
from hayrick_collector.direct import DirectBackend
from hayrick_collector.retention import Retention

LOG = logging.getLogger(__name__)
MAINTAIN_MINUTES = 5
RETENTION_MINUTES = 2


@contextmanager
def scheduled(config: CollectorConfig, backend: DirectBackend) -> Iterator[None]:
    """Run the jobs while the block does. A job that fails is logged by the scheduler and runs again at its time."""
    scheduler = AsyncIOScheduler(timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1})
    scheduler.add_job(maintain, "interval", [backend], minutes=MAINTAIN_MINUTES, jitter=20)
    scheduler.add_job(retain, "interval", [backend], minutes=RETENTION_MINUTES, jitter=5)
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


async def retain(backend: DirectBackend) -> None:
    """Let go what the settings say."""
    done = await Retention(backend.config, backend.catalog, backend.store).run()
    if any(done.values()):
        LOG.info("retention: chunks that lost something: %s", dict(done))
