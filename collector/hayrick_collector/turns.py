"""Who may ask next: a few at a time, and nobody's many questions keep another waiting.

Every request names its asker once, at the API's edge; whatever it asks of a store is in that name.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

from hayrick_common.errors import StoreError

ASKER: ContextVar[str] = ContextVar("asker", default="")
_WAITING = 32  # of one asker; a page asks some five questions at once


class Turns:
    """At most `places` at once, of them half by one asker. Those who wait get places in turn, asker by asker."""

    def __init__(self, places: int) -> None:
        self._places, self._own = places, max(1, places // 2)
        self._running: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @property
    def running(self) -> int:
        """How many hold a place."""
        return self._running.total()

    @asynccontextmanager
    async def turn(self, patience_s: float) -> AsyncIterator[None]:
        """Holds a place; StoreError if none comes free in time, or if the asker has too many waiting."""
        asker = ASKER.get()
        await self._take(asker, patience_s)
        try:
            yield
        finally:
            self._release(asker)

    async def _take(self, asker: str, patience_s: float) -> None:
        mine = self._waiting.setdefault(asker, deque())
        if len(mine) >= _WAITING:
            raise StoreError("too many of your queries are waiting; try again in a moment")
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        mine.append(place)
        self._grant()
        try:
            async with asyncio.timeout(patience_s):  # wait_for may lose a cancellation (Python 3.11)
                await asyncio.shield(place)
        except BaseException as error:
            self._give_up(asker, place)
            if isinstance(error, TimeoutError):
                raise StoreError("too many queries are running; try again in a moment") from None
            raise

    def _give_up(self, asker: str, place: asyncio.Future[None]) -> None:
        if place.done():  # it was granted at the same moment
            self._release(asker)
        elif place in self._waiting.get(asker, ()):
            self._waiting[asker].remove(place)

    def _release(self, asker: str) -> None:
        """A place comes free; who holds none is forgotten: askers come and go for as long as a collector runs."""
        self._running[asker] -= 1
        if not self._running[asker]:
            del self._running[asker]
        self._grant()

    def _grant(self) -> None:
        """Give what is free to the longest waiting of each asker; who got a place goes to the end of the round."""
        self._waiting = {asker: queue for asker, queue in self._waiting.items() if queue}
        while self._running.total() < self._places:
            ready = [asker for asker in self._waiting if self._waiting[asker] and self._running[asker] < self._own]
            if not ready:
                return
            queue = self._waiting.pop(ready[0])
            self._waiting[ready[0]] = queue
            self._running[ready[0]] += 1
            queue.popleft().set_result(None)
