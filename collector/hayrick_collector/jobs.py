"""What the collector does by the clock: tidying the store, and retention. APScheduler's, inside the process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import partial

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from hayrick_collector.config import CollectorConfig
from hayrick_collector.desk.audit import Audit
from hayrick_collector.desk.schedules import Schedules
from hayrick_collector.direct import DirectBackend
from hayrick_collector.ondemand.peers import ANNOUNCE_SECONDS
from hayrick_collector.retention import Retention
from hayrick_collector.schedules.run import run

LOG = logging.getLogger(__name__)
MAINTAIN_MINUTES = 5
RETENTION_MINUTES = 2
AUDIT_HOURS = 6
FOLLOW_SECONDS = 5


@contextmanager
def scheduled(config: CollectorConfig, backend: DirectBackend) -> Iterator[None]:
    """Run the jobs while the block does. A job that fails is logged by the scheduler and runs again at its time."""
    scheduler = AsyncIOScheduler(timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1})
    scheduler.add_job(maintain, "interval", [backend], minutes=MAINTAIN_MINUTES, jitter=20)
    retention = Retention(config, backend.catalog, backend.store)
    scheduler.add_job(retain, "interval", [retention], minutes=RETENTION_MINUTES, jitter=5)
    scheduler.add_job(forget, "interval", [backend], hours=AUDIT_HOURS, jitter=60)
    follow = partial(follow_schedules, scheduler, backend)
    scheduler.add_job(follow, "interval", seconds=FOLLOW_SECONDS, next_run_time=datetime.now(timezone.utc))
    scheduler.add_job(
        backend.peers.announce, "interval", seconds=ANNOUNCE_SECONDS, next_run_time=datetime.now(timezone.utc)
    )
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)


async def follow_schedules(scheduler: AsyncIOScheduler, backend: DirectBackend) -> None:
    """Have a job for each schedule of the desk, whoever added it; one that was due while nothing ran runs at once."""
    found = {f"schedule-{each.id}": each for each in await asyncio.to_thread(Schedules(backend.desk).all)}
    known = {job.id for job in scheduler.get_jobs() if job.id.startswith("schedule-")}
    for gone in known - found.keys():
        scheduler.remove_job(gone)
    now = datetime.now(timezone.utc)
    for name in found.keys() - known:
        each = found[name]
        due = datetime.fromtimestamp((each.ran_ms or each.created_ms) / 1000, timezone.utc) + timedelta(
            seconds=each.every_s
        )
        scheduler.add_job(
            run_schedule, "interval", [backend, each.name], id=name, seconds=each.every_s,
            next_run_time=max(due, now), misfire_grace_time=None,
        )  # fmt: skip


async def run_schedule(backend: DirectBackend, name: str) -> None:
    """One run of a scheduled query; what goes wrong is told in its row."""
    try:
        await run(backend, name)
    except LookupError:
        LOG.info("schedule %s is gone", name)


async def maintain(backend: DirectBackend) -> None:
    """Merge what is small, remove what was replaced."""
    done = await backend.store.maintain()
    if any(done.values()):
        LOG.info("store tidied: %s", done)


async def retain(retention: Retention) -> None:
    """Let go what the settings say."""
    done = await retention.run()
    if any(done.values()):
        LOG.info("retention: chunks that lost something: %s", dict(done))


async def forget(backend: DirectBackend) -> None:
    """Let the audit log's old entries go."""
    await asyncio.to_thread(Audit(backend.desk).forget, backend.config.accounts.audit_days)
