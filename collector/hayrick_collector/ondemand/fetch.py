"""Gets packets from sensors: what the cache has not, over each sensor's own connection, several sensors at once."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast
from weakref import WeakValueDictionary

from hayrick_collector.archive.keyring import KeyRing
from hayrick_collector.ondemand import ranges
from hayrick_collector.ondemand.cache import Cache
from hayrick_collector.ondemand.elsewhere import Elsewhere, Pull
from hayrick_collector.ondemand.formats import Blocks, Capture, Classic
from hayrick_collector.ondemand.pieces import Pieces, append
from hayrick_collector.ondemand.ranges import Range
from hayrick_common.errors import HayrickError

CHUNKS_A_SENSOR = 2  # asked for at a time
ROUNDS = 8  # of asking for a chunk: a pcapng tells only bit by bit how much is needed


@dataclass(slots=True)
class Wanted:
    """Packets of one chunk (of `size` bytes) that a sensor has. Afterwards: those that are here, and why not all.

    `pcapng`: so is the capture; `seekable`: what precedes its packets is all they refer to; `pull`: how to ask, where
    not over the landing: then `sensor` names who is asked instead.
    """

    sensor: str
    key: str
    positions: array[int]
    lengths: array[int]
    size: int
    pcapng: bool = False
    seekable: bool = True
    pull: Pull | None = None
    here: array[int] = field(default_factory=lambda: array("q"))
    reason: str = ""

    @property
    def missing(self) -> int:
        """Packets that could not be had."""
        return len(self.positions) - len(self.here)

    def capture(self) -> Capture:
        """What of the capture is needed to read the packets. Raises ValueError when that cannot be said."""
        if not self.pcapng:
            return Classic(self.positions, self.lengths)
        if not self.seekable:
            raise ValueError(
                "its pcapng describes sections or interfaces between packets (it was joined of several captures?),"
                " so its packets cannot be asked for one by one"
            )
        return Blocks(self.positions, self.lengths, self.size)


class Fetcher:
    """`pull` is None where no collector runs: then only the cache is read. With `keys` what is kept is sealed."""

    def __init__(
        self, folder: Path, *, cache_bytes: int, seconds: float, pull: Pull | None = None, keys: KeyRing | None = None
    ) -> None:
        self.pull = pull
        self.elsewhere: Callable[[list[str]], Awaitable[Elsewhere]] = _nowhere
        self._keys = keys
        self._cache = Cache(folder, cache_bytes)
        self._seconds = seconds
        self._busy: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def prepare(self) -> None:
        """Where the archive is sealed, remove what was kept in the clear before."""
        if self._keys:
            self._cache.drop_clear()

    async def fetch(self, chunks: Sequence[Wanted]) -> None:
        """Get what can be had within the time allowed; what could not be had is said in each."""
        turns = {each.sensor: asyncio.Semaphore(CHUNKS_A_SENSOR) for each in chunks}
        tasks = [asyncio.create_task(self._one(each, turns[each.sensor])) for each in chunks]
        try:
            async with asyncio.timeout(self._seconds):  # wait_for may lose a cancellation (Python 3.11)
                await asyncio.gather(*tasks)
        except TimeoutError:
            for each in chunks:
                each.reason = each.reason or f"{each.sensor} did not send them within {self._seconds:g} seconds"
        finally:
            for task in tasks:
                task.cancel()
        for each in chunks:
            await asyncio.to_thread(self._settle, each)

    def path(self, key: str) -> Path:
        """The file of pieces that holds what is here of a chunk, which is marked as in use."""
        path = self._cache.path(key)
        self._cache.touch(path)
        return path

    def opener(self, key: str) -> Callable[[], BinaryIO]:
        """How to read what is here of a chunk."""
        path = self._cache.path(key)

        def open_pieces() -> BinaryIO:
            self._cache.touch(path)
            return cast(BinaryIO, Pieces(path, self._keys))

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
        capture = wanted.capture()
        for _ in range(ROUNDS):
            here, needed = await asyncio.to_thread(self._look, wanted, capture)
            if not needed:
                return
            pull = wanted.pull or self.pull
            if pull is None:
                raise HayrickError(
                    f"they are kept on sensor {wanted.sensor}: only a running collector can ask it (--server)"
                )
            await self._ask(wanted, capture, here, needed, pull)
        raise ValueError("the sensor's answers never have all that is needed")

    def _look(self, wanted: Wanted, capture: Capture) -> tuple[Pieces, list[Range]]:
        with Pieces(self._cache.path(wanted.key), self._keys, verify=True) as here:
            return here, capture.needed(here)

    async def _ask(self, wanted: Wanted, capture: Capture, here: Pieces, needed: list[Range], pull: Pull) -> None:
        path = self._cache.path(wanted.key)
        await asyncio.to_thread(self._room, path, sum(length for _, length in needed))
        for request in ranges.requests(ranges.coalesced(needed)):
            body = await pull(wanted.sensor, wanted.key, request)
            found = list(zip(request, ranges.split(body, request), strict=True))
            capture.check(found)
            await asyncio.to_thread(append, path, here, found, self._keys)

    def _room(self, path: Path, size: int) -> None:
        self._cache.prepare(path)
        self._cache.touch(path)
        if not self._cache.make_room(size):
            most = self._cache.most_bytes // 1_000_000
            raise HayrickError(
                f"{size} bytes more do not fit into the {most} MB for packets from sensors (pull.megabytes)"
            )

    def _settle(self, wanted: Wanted) -> None:
        path = self._cache.path(wanted.key)
        self._cache.touch(path)
        try:
            with Pieces(path, self._keys) as here:
                wanted.here = array("q", wanted.capture().readable(here))
        except (ValueError, OSError) as error:
            wanted.reason = wanted.reason or f"{wanted.sensor}: {error}"
        if wanted.missing and not wanted.reason:
            wanted.reason = f"{wanted.sensor} did not send them"


async def _nowhere(keys: list[str]) -> Elsewhere:
    """There are no other collectors."""
    return Elsewhere()
