"""Gets packets from sensors: what the cache has not, over each sensor's own connection, several sensors at once."""

from __future__ import annotations

import asyncio
from array import array
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast
from weakref import WeakValueDictionary

from hayrick_collector.ondemand import ranges
from hayrick_collector.ondemand.cache import Cache
from hayrick_collector.ondemand.pieces import Pieces, append
from hayrick_collector.ondemand.ranges import HEADER, RECORD_HEADER, Range
from hayrick_common.errors import HayrickError

Pull = Callable[[str, str, list[Range]], Awaitable[bytes]]
"""`pull(sensor, key, ranges)`: the ranges' bytes of the sensor's chunk, concatenated; HayrickError says why not."""

CHUNKS_A_SENSOR = 2  # asked for at a time


@dataclass(slots=True)
class Wanted:
    """Packets of one chunk that a sensor has. Afterwards: those that are here, how to read them, and why not all."""

    sensor: str
    key: str
    positions: array[int]
    lengths: array[int]
    pcapng: bool = False
    here: array[int] = field(default_factory=lambda: array("q"))
    reason: str = ""

    @property
    def missing(self) -> int:
        """Packets that could not be had."""
        return len(self.positions) - len(self.here)


class Fetcher:
    """`pull` is None where no collector runs: then only the cache is read."""

    def __init__(self, folder: Path, *, cache_bytes: int, seconds: float, pull: Pull | None = None) -> None:
        self.pull = pull
        self._cache = Cache(folder, cache_bytes)
        self._seconds = seconds
        self._busy: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def fetch(self, chunks: Sequence[Wanted]) -> None:
        """Get what can be had within the time allowed; what could not be had is said in each."""
        turns = {each.sensor: asyncio.Semaphore(CHUNKS_A_SENSOR) for each in chunks}
        tasks = [asyncio.create_task(self._one(each, turns[each.sensor])) for each in chunks]
        try:
            await asyncio.wait_for(asyncio.gather(*tasks), self._seconds)
        except TimeoutError:
            for each in chunks:
                each.reason = each.reason or f"{each.sensor} did not send them within {self._seconds:g} seconds"
        finally:
            for task in tasks:
                task.cancel()
        for each in chunks:
            await asyncio.to_thread(self._settle, each)

    def opener(self, key: str) -> Callable[[], BinaryIO]:
        """How to read what is here of a chunk."""
        path = self._cache.path(key)

        def open_pieces() -> BinaryIO:
            self._cache.touch(path)
            return cast(BinaryIO, Pieces(path))

        return open_pieces

    async def _one(self, wanted: Wanted, turn: asyncio.Semaphore) -> None:
        async with turn, self._alone(wanted.key):
            try:
                await self._missing(wanted)
            except HayrickError as error:
                wanted.reason = str(error)
            except ValueError as error:
                wanted.reason = f"{wanted.sensor}: {error}"

    def _alone(self, key: str) -> asyncio.Lock:
        """One at a time for a chunk, whoever wants it: the lock is the same for as long as anybody has or awaits it."""
        return self._busy.setdefault(key, asyncio.Lock())

    async def _missing(self, wanted: Wanted) -> None:
        path = self._cache.path(wanted.key)
        with await asyncio.to_thread(Pieces, path, verify=True) as pieces:
            places = [each for each in self._places(wanted) if not pieces.holds(*each)]
            end, known = pieces.end, pieces.read(HEADER[1])
        if not places:
            return
        if wanted.pcapng:
            raise ValueError("its capture is pcapng, whose packets cannot be asked for one by one yet")
        if self.pull is None:
            raise HayrickError(
                f"they are kept on sensor {wanted.sensor}: only a running collector can ask it (--server)"
            )
        await asyncio.to_thread(self._room, path, sum(length for _, length in places))
        order = ranges.order_of(known) if known else ""
        lengths = dict(places)
        starts = [offset for offset in lengths if offset != HEADER[0]]
        for request in ranges.requests(ranges.coalesced(places)):
            body = await self.pull(wanted.sensor, wanted.key, request)
            found = list(zip(request, ranges.split(body, request), strict=True))
            order = order or ranges.order_of(body)
            _check(found, order, starts, lengths)
            end = await asyncio.to_thread(append, path, end, found)

    def _room(self, path: Path, size: int) -> None:
        self._cache.prepare(path)
        self._cache.touch(path)
        if not self._cache.make_room(size):
            most = self._cache.most_bytes // 1_000_000
            raise HayrickError(
                f"{size} bytes more do not fit into the {most} MB for packets from sensors (pull.megabytes)"
            )

    def _places(self, wanted: Wanted) -> list[Range]:
        return [HEADER, *zip(wanted.positions, wanted.lengths, strict=True)]

    def _settle(self, wanted: Wanted) -> None:
        path = self._cache.path(wanted.key)
        self._cache.touch(path)
        with Pieces(path) as pieces:
            if pieces.holds(*HEADER):
                places = zip(wanted.positions, wanted.lengths, strict=True)
                wanted.here = array("q", (offset for offset, length in places if pieces.holds(offset, length)))
        if wanted.missing and not wanted.reason:
            wanted.reason = f"{wanted.sensor} did not send them"


def _check(found: list[tuple[Range, bytes]], order: str, starts: Sequence[int], lengths: dict[int, int]) -> None:
    """Every packet that was asked for must look like one, of the length its session tells."""
    for (offset, length), data in found:
        for start in islice(starts, bisect_left(starts, offset), None):
            if start + RECORD_HEADER > offset + length:
                break
            ranges.check(data[start - offset : start - offset + RECORD_HEADER], order, lengths[start])
