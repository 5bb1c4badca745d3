"""The landing joined to the collector's core: what lands goes into the catalog, what is indexed gets its receipt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from hayrick_collector.config import CollectorConfig
from hayrick_collector.direct import DirectBackend
from hayrick_collector.landing import Known, Landing, LandingSettings
from hayrick_common.chunk import ChunkId
from hayrick_common.errors import ConfigError
from hayrick_common.keys import KeyPair, read_pair, write_pair

KEY_NAME = "collector"


class CatalogSink:
    """What the landing records goes into the catalog, and wakes the ingest queue."""

    def __init__(self, backend: DirectBackend) -> None:
        self._backend = backend

    def known(self, chunk: ChunkId) -> Known | None:
        """What has landed under this number."""
        row = self._backend.catalog.holding(chunk.sensor, chunk.stream, chunk.sequence)
        return Known(row.sha256, row.state == "indexed") if row else None

    def landed(self, chunk: ChunkId, path: Path, size: int, meta: dict[str, Any]) -> None:
        """Record a durable chunk."""
        self._backend.catalog.landed(
            chunk, size=size, path=self._backend.config.folder.relative(path), original_name=path.name, meta=meta
        )
        self._backend.pool.wake()

    def seen(self, sensor: str, report: dict[str, Any]) -> None:
        """Record a heartbeat."""
        self._backend.catalog.sensor_seen(sensor, report)


class Arrivals:
    """The ways in that are open: the ZeroMQ landing, if the settings name an address for it."""

    def __init__(self, landing: Landing | None, task: asyncio.Task[None] | None) -> None:
        self._landing = landing
        self.task = task

    @classmethod
    @asynccontextmanager
    async def opened(cls, config: CollectorConfig, backend: DirectBackend) -> AsyncIterator[Arrivals]:
        """Open what the settings say; closes it at the end."""
        if not config.landing.listen:
            yield cls(None, None)
            return
        landing = Landing(
            LandingSettings(config.data, config.landing.listen, collector_keys(config)), CatalogSink(backend)
        )
        _start(landing, config.landing.listen)
        backend.pool.on_indexed = landing.indexed
        task = asyncio.create_task(landing.run())
        try:
            yield cls(landing, task)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await landing.close()

    def addresses(self) -> list[str]:
        """Where sensors may dial, in words."""
        return [f"sensors dial {self._landing.address}"] if self._landing else []


def collector_keys(config: CollectorConfig) -> KeyPair:
    """The collector's CURVE keys, made on first use."""
    if not (config.folder.keys / f"{KEY_NAME}.secret").exists():
        import zmq

        public, secret = zmq.curve_keypair()
        write_pair(config.folder.keys, KEY_NAME, KeyPair(public.decode(), secret.decode()))
    return read_pair(config.folder.keys, KEY_NAME)


def _start(landing: Landing, address: str) -> None:
    import zmq

    try:
        landing.start()
    except zmq.ZMQError as error:
        raise ConfigError(f"landing.listen {address}: {error.strerror}") from error
