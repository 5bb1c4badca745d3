"""How a collector is doing: its status, and for which times it has packets."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Mapping
from functools import partial

from hayrick_collector.backend import Document
from hayrick_collector.catalog import Catalog
from hayrick_collector.config import CollectorConfig
from hayrick_collector.ingest.pool import IngestPool
from hayrick_collector.ondemand.peers import Peers
from hayrick_collector.retention import landing_floor
from hayrick_collector.store import Store
from hayrick_common.clock import epoch_ms
from hayrick_common.errors import StoreError, UsageError

_DAY_MS = 86_400_000
_STATUS_GAPS = 50
_COVERAGE_SECONDS = 5.0
_HEALTH_SECONDS = 5.0
_FAILED = ("key", "original_name", "error", "attempts")


class Standing:
    """Tells of a collector's catalog, store and pool, and of others on its cluster."""

    def __init__(self, config: CollectorConfig, catalog: Catalog, store: Store, pool: IngestPool, peers: Peers) -> None:
        self._config, self._catalog, self._store, self._pool, self._peers = config, catalog, store, pool, peers
        self._coverage: list[Document] = []
        self._coverage_until = 0.0

    async def status(self, arrivals: Mapping[str, Mapping[str, int]]) -> Document:
        """Everything at once. `arrivals`: what came in, by way and by counter."""
        catalog = self._catalog
        counts, totals, anomalies, sensors = await asyncio.gather(
            asyncio.to_thread(catalog.counts),
            asyncio.to_thread(catalog.totals),
            asyncio.to_thread(catalog.anomalies),
            asyncio.to_thread(catalog.sensors),
        )
        failed = await asyncio.to_thread(catalog.chunks, state="failed", limit=10)
        return {
            "node": self._config.node,
            "chunks": counts,
            "backlog": counts["landed"] + counts["indexing"],
            "totals": totals,
            "anomalies": anomalies,
            "sensors": sensors,
            "failed": [{name: getattr(row, name) for name in _FAILED} for row in failed],
            "coverage": await self._today(),
            "retention": await asyncio.to_thread(catalog.history.retention),
            "disk": await asyncio.to_thread(self._disk),
            "store": await self._health(),
            "collectors": await self._collectors(),
            "workers": len(self._pool.worker_pids()),
            "ingest": {
                **self._pool.pressure.as_dict(),
                "oldest_waiting_seconds": await asyncio.to_thread(self._oldest_waiting),
                "close_to_searchable": self._pool.latency.report(),
            },
            "arrivals": {way: dict(counters) for way, counters in arrivals.items()},
        }

    async def coverage(
        self, start_ms: int, stop_ms: int, sensor: str = "", stream: str = "", *, buckets: int, gaps: int
    ) -> Document:
        """The time lines of all streams, or of one sensor's or stream's. Raises UsageError for one never heard of."""
        wanted = await asyncio.to_thread(self._streams, sensor, stream)
        ask = partial(self._catalog.history.coverage, start_ms=start_ms, stop_ms=stop_ms, buckets=buckets, gaps=gaps)
        found = [await asyncio.to_thread(ask, *each) for each in wanted]
        return {"start_ms": start_ms, "stop_ms": stop_ms, "streams": found}

    def _oldest_waiting(self) -> float:
        since = self._catalog.oldest_waiting()
        return 0.0 if since is None else round(max(time.time() - since, 0.0), 3)

    def _streams(self, sensor: str, stream: str) -> list[tuple[str, str]]:
        found = [
            each for each in self._catalog.history.streams() if sensor in ("", each[0]) and stream in ("", each[1])
        ]
        if sensor and not found:
            raise UsageError(f"nothing was ever heard of {sensor}{'/' if stream else ''}{stream}: see `hayrick status`")
        return found

    async def _today(self) -> list[Document]:
        """The last day's time lines in short, at most a few seconds old: every status asks for them."""
        if time.monotonic() >= self._coverage_until:
            now_ms = epoch_ms()
            found = await self.coverage(now_ms - _DAY_MS, now_ms, buckets=1, gaps=_STATUS_GAPS)
            self._coverage = [
                {name: value for name, value in each.items() if name != "spans"} for each in found["streams"]
            ]
            self._coverage_until = time.monotonic() + _COVERAGE_SECONDS
        return self._coverage

    def _disk(self) -> Document:
        usage, floor = shutil.disk_usage(self._config.data), landing_floor(self._config)
        return {"total": usage.total, "free": usage.free, "floor": floor, "taking": usage.free >= floor}

    async def _collectors(self) -> list[Document]:
        """All on the cluster; none are told of while it does not answer, which its health says."""
        try:
            async with asyncio.timeout(_HEALTH_SECONDS):
                return await self._peers.known()
        except (StoreError, TimeoutError):
            return []

    async def _health(self) -> Document:
        """The store's health, or that it does not answer: the rest of the status matters most then."""
        try:
            async with asyncio.timeout(_HEALTH_SECONDS):
                return await self._store.health()
        except (StoreError, TimeoutError) as error:
            reason = str(error) or f"the store did not answer within {_HEALTH_SECONDS:g} seconds"
            return {"ok": False, "kind": self._config.store.kind, "error": reason}
