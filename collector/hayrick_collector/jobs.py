"""What the collector does by the clock: tidying the store, and retention. APScheduler's, inside the process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from hayrick_collector.config import CollectorConfig
from hayrick_collector.desk.audit import Audit
from hayrick_collector.direct import DirectBackend
from hayrick_collector.retention import Retention

LOG = logging.getLogger(__name__)
MAINTAIN_MINUTES = 5
RETENTION_MINUTES = 2
AUDIT_HOURS = 6


@contextmanager
def scheduled(config: CollectorConfig, backend: DirectBackend) -> Iterator[None]:
    """Run the jobs while the block does. A job that fails is logged by the scheduler and runs again at its time."""
    scheduler = AsyncIOScheduler(timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1})
    scheduler.add_job(maintain, "interval", [backend], minutes=MAINTAIN_MINUTES, jitter=20)
    scheduler.add_job(retain, "interval", [backend], minutes=RETENTION_MINUTES, jitter=5)
    scheduler.add_job(forget, "interval", [backend], hours=AUDIT_HOURS, jitter=60)
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


async def forget(backend: DirectBackend) -> None:
    """Let the audit log's old entries go."""
    await asyncio.to_thread(Audit(backend.desk).forget, backend.config.accounts.audit_days)
