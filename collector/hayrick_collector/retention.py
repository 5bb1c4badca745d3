"""What the collector lets go, when, and in which order: sessions by age; packets by age, by bytes, by free disk.

Whole indexed chunks only, the oldest first. What is not indexed yet goes last, and only where the settings allow it: by
default the landing refuses new chunks instead, and the sensors keep them. Every step may be the last before a crash:
the file goes before the catalog says so, and the next run does again what was not finished.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from hayrick_collector.archive import keylog
from hayrick_collector.archive.container import SUFFIXES, with_suffix
from hayrick_collector.archive.size import Size
from hayrick_collector.catalog import Catalog, ChunkRow
from hayrick_collector.config import CollectorConfig
from hayrick_collector.store import Store
from hayrick_common.chunk import RECORDS
from hayrick_common.clock import epoch_ms
from hayrick_common.files import PART_SUFFIX, remove, sync_folder

LOG = logging.getLogger(__name__)
DAY_MS = 86_400_000
PORTION = 200
PART_KEPT_SECONDS = 7 * 86_400
_FAR = 1 << 62


class Retention:
    """`run()` does what is due. Not two at once. `free` tells the bytes that are free on the disk."""

    def __init__(
        self, config: CollectorConfig, catalog: Catalog, store: Store, *, free: Callable[[], int] | None = None
    ) -> None:
        self._config = config
        self._settings = config.retention
        self._catalog = catalog
        self._store = store
        self._stored = Size(config.folder.archive)
        self._free = free or (lambda: shutil.disk_usage(config.data).free)

    async def run(self, *, now_ms: int | None = None) -> Counter[str]:
        """Returns how many chunks lost their sessions, their packets or records, or were given up unindexed."""
        now_ms = epoch_ms() if now_ms is None else now_ms
        done: Counter[str] = Counter()
        if self._settings.days:
            before = now_ms - self._settings.days * DAY_MS
            async for row in self._each(lambda: self._catalog.indexed_before(before, limit=PORTION)):
                done["sessions"] += await self._forget(row, "age")
        if self._settings.packet_days:
            before = now_ms - self._settings.packet_days * DAY_MS
            async for row in self._each(lambda: self._catalog.with_packets_before(before, limit=PORTION)):
                done[_held(row)] += await self._let_packets_go(row, "age") > 0
        if self._settings.packet_gigabytes:
            stored = await asyncio.to_thread(self._stored.measure)
            await self._make_room(lambda: stored, self._settings.packet_gigabytes * 10**9, "bytes", done)
        if floor := self._settings.keep_free_gigabytes * 10**9:
            await self._make_room(lambda: floor - self._free(), 0, "disk", done)
        await asyncio.to_thread(sweep_parts, self._config.folder.incoming)
        await asyncio.to_thread(self._catalog.history.prune)
        return done

    async def _make_room(self, held: Callable[[], int], most: int, why: str, done: Counter[str]) -> None:
        """Let the oldest packets go until what is held (once measured) is no more than `most`."""
        over = held() - most
        if over <= 0:
            return
        async for row in self._each(lambda: self._catalog.with_packets_before(_FAR, limit=PORTION)):
            over -= await self._let_packets_go(row, why)
            done[_held(row)] += 1
            if over <= 0:
                return
        if self._settings.give_up_unindexed:
            for row in await asyncio.to_thread(self._catalog.unindexed, limit=PORTION):
                over -= await self._give_up(row, why)
                done["unindexed"] += 1
                if over <= 0:
                    return
        LOG.warning("retention: no more can go, and %d MB too much are held (%s)", over >> 20, why)

    async def _each(self, listed: Callable[[], list[ChunkRow]]) -> AsyncIterator[ChunkRow]:
        """All rows of a list that grows shorter as they are dealt with; ends when a portion brings nothing new."""
        seen: set[str] = set()
        while rows := [row for row in await asyncio.to_thread(listed) if row.key not in seen]:
            for row in rows:
                seen.add(row.key)
                yield row

    async def _forget(self, row: ChunkRow, why: str) -> bool:
        """Sessions, file, row: a crash in between leaves a chunk that is dealt with next time."""
        current = await asyncio.to_thread(self._catalog.get, row.key)
        if current is None or current.state != "indexed":
            return False
        await self._store.delete_chunk(row.key)
        await asyncio.to_thread(remove_file, self._config.folder.absolute(current.path))
        await asyncio.to_thread(self._catalog.forget, row.key, why=why)
        return True

    async def _let_packets_go(self, row: ChunkRow, why: str) -> int:
        """The file, then the row's word of it. Returns the bytes that became free."""
        current = await asyncio.to_thread(self._catalog.get, row.key)
        if current is None or current.state != "indexed":
            return 0
        freed = await asyncio.to_thread(remove_file, self._config.folder.absolute(current.path))
        await asyncio.to_thread(self._catalog.packets_removed, row.key, why=why)
        return max(freed, 1)

    async def _give_up(self, row: ChunkRow, why: str) -> int:
        """A chunk that was never indexed; one that a worker has taken by now is left alone."""
        if row.state == "landed" and await asyncio.to_thread(self._catalog.claim, row.key) is None:
            return 0
        freed = await asyncio.to_thread(remove_file, self._config.folder.absolute(row.path))
        await asyncio.to_thread(self._catalog.forget, row.key, why=why, what="unindexed")
        LOG.warning("retention: chunk %s was given up before it was indexed (%s)", row.key, why)
        return freed


def _held(row: ChunkRow) -> str:
    """What the chunk's file holds: a sensor may have kept the packets and sent records."""
    return RECORDS if row.meta.get("content") == RECORDS else "packets"


def remove_file(path: Path) -> int:
    """Delete a stored file in whatever form, and its secrets, durably. Returns its bytes, 0 if it was not there."""
    freed = 0
    for each in (*(with_suffix(path, suffix) for suffix in SUFFIXES), *keylog.forms(path)):
        if each.exists():
            freed += each.stat().st_size
            remove(each)
    if freed:
        sync_folder(path.parent)
    return freed


def sweep_parts(incoming: Path, *, now: float | None = None) -> int:
    """Delete what was half received and has not grown for a week: its sensor does not come back. Returns how many."""
    swept, before = 0, (time.time() if now is None else now) - PART_KEPT_SECONDS
    for part in incoming.glob(f"*{PART_SUFFIX}"):
        try:
            if part.stat().st_mtime < before:
                part.unlink()
                swept += 1
        except FileNotFoundError:
            continue
    return swept


def landing_floor(config: CollectorConfig) -> int:
    """Free bytes below which nothing is landed: `ingest.keep_free_mb`, but no more than a twentieth of the disk."""
    return min(config.ingest.keep_free_mb << 20, shutil.disk_usage(config.data).total // 20)
