"""The landing joined to the collector's core: what lands goes into the catalog, what is indexed gets its receipt."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from hayrick_collector.backend import file_pieces
from hayrick_collector.config import CollectorConfig
from hayrick_collector.direct import DirectBackend
from hayrick_collector.landing import Drop, Inbox, Known, Landing, LandingSettings
from hayrick_collector.landing.sweep import sweep
from hayrick_collector.ondemand.asking import Asking
from hayrick_collector.retention import landing_floor
from hayrick_common.chunk import ChunkId
from hayrick_common.errors import ConfigError
from hayrick_common.keys import KeyPair, read_pair, write_pair

KEY_NAME = "collector"
SWEEP_SECONDS = 3600.0


class CatalogSink:
    """What the landing records goes into the catalog, and wakes the ingest queue."""

    def __init__(self, backend: DirectBackend) -> None:
        self._backend = backend
        self._loop = asyncio.get_running_loop()

    def known(self, chunk: ChunkId) -> Known | None:
        """What has landed under this number, also if retention has taken it since: it is not to come again."""
        held = self._backend.catalog.held(chunk.sensor, chunk.stream, chunk.sequence)
        return Known(held[0], held[1] in ("indexed", "removed")) if held else None

    def landed(self, chunk: ChunkId, path: Path, size: int, meta: dict[str, Any]) -> None:
        """Record a durable chunk; from any thread."""
        self._backend.catalog.landed(
            chunk, size=size, path=self._backend.config.folder.relative(path), original_name=chunk.file_name, meta=meta
        )
        self._loop.call_soon_threadsafe(self._backend.pool.wake)

    def next_numbers(self, sensor: str) -> dict[str, int]:
        """For each stream the lowest number above all that were ever held."""
        return self._backend.catalog.next_numbers(sensor)

    def seen(self, sensor: str, report: dict[str, Any]) -> None:
        """Record a heartbeat."""
        self._backend.catalog.sensor_seen(sensor, report)


class Arrivals:
    """The ways in that the settings open: the ZeroMQ landing, the drop, the inbox. `tasks` run until cancelled."""

    def __init__(self, landing: Landing | None, drop: Drop, inbox: Inbox | None) -> None:
        self._landing = landing
        self._drop = drop
        self._inbox = inbox
        self.tasks = {asyncio.create_task(each.run()) for each in (landing, drop, inbox) if each is not None}

    @classmethod
    @asynccontextmanager
    async def opened(cls, config: CollectorConfig, backend: DirectBackend) -> AsyncIterator[Arrivals]:
        """Open what the settings say; closes it at the end."""
        sink = CatalogSink(backend)
        landing = _landing(config, sink) if config.landing.listen else None
        drop = _drop(config, sink)
        listeners = [drop.indexed, *([landing.indexed] if landing else [])]

        def indexed(key: str) -> None:
            for each in listeners:
                each(key)

        backend.pool.on_indexed = indexed
        backend.fetcher.pull = Asking(backend.catalog, landing.pull if landing else None)
        inbox = Inbox(config.folder.inbox, partial(_take, backend)) if config.landing.inbox else None
        ways = {"landing": landing, "drop": drop, "inbox": inbox}
        backend.arrivals = {name: way.counters for name, way in ways.items() if way}
        arrivals = cls(landing, drop, inbox)
        arrivals.tasks.add(asyncio.create_task(_sweep(config, drop.counters)))
        try:
            yield arrivals
        finally:
            for task in arrivals.tasks:
                task.cancel()
            await asyncio.gather(*arrivals.tasks, return_exceptions=True)
            if landing is not None:
                await landing.close()

    def addresses(self) -> list[str]:
        """Where captures may come in, in words."""
        ways = [f"sensors dial {self._landing.address}"] if self._landing else []
        ways.append(f"sensors deliver by SFTP into {self._drop.folder}/NAME")
        return [*ways, *([f"captures dropped into {self._inbox.folder} are taken"] if self._inbox else [])]


def collector_keys(config: CollectorConfig) -> KeyPair:
    """The collector's CURVE keys, made on first use."""
    if not (config.folder.keys / f"{KEY_NAME}.secret").exists():
        import zmq

        public, secret = zmq.curve_keypair()
        write_pair(config.folder.keys, KEY_NAME, KeyPair(public.decode(), secret.decode()))
    return read_pair(config.folder.keys, KEY_NAME)


def _drop(config: CollectorConfig, sink: CatalogSink) -> Drop:
    try:
        drop = Drop(config.data, sink, form=config.archive.form, folder=config.drop)
    except PermissionError as error:
        raise ConfigError(
            f"landing.drop {config.drop}: {error.strerror}; `hayrick collector drop add` makes it"
        ) from error
    drop.keep_free_bytes = landing_floor(config)
    return drop


def _landing(config: CollectorConfig, sink: CatalogSink) -> Landing:
    import zmq

    settings = LandingSettings(
        config.data,
        config.landing.listen,
        collector_keys(config),
        form=config.archive.form,
        keep_free_bytes=landing_floor(config),
    )
    landing = Landing(settings, sink)
    try:
        landing.start()
    except zmq.ZMQError as error:
        raise ConfigError(f"landing.listen {config.landing.listen}: {error.strerror}") from error
    return landing


async def _take(backend: DirectBackend, path: Path, tags: tuple[str, ...]) -> bool:
    pieces = file_pieces(lambda: path.open("rb"), lambda read: None)
    return (await backend.receive(pieces, name=path.name, tags=tags)).new


async def _sweep(config: CollectorConfig, counters: Counter[str]) -> None:
    """Once an hour, until cancelled."""
    while True:
        swept = await asyncio.to_thread(sweep, config.drop, config.folder.inbox, config.landing.sweep_days)
        counters.update({f"swept_{name}": count for name, count in swept.items()})
        await asyncio.sleep(SWEEP_SECONDS)
