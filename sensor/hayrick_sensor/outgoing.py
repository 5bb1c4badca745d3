"""What goes out, in order: small messages first; blocks read and compressed ahead in threads, at the rate allowed."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from hayrick_common import wire
from hayrick_sensor import shipper_events as ship
from hayrick_sensor.rate import Rate

QUEUED = 256
URGENT = 1024  # small messages that may wait: more than any collector asks for that reads what it is sent
AHEAD = 4
THREADS = 2

Place = tuple[str, int, int]
Made = Callable[[ship.SendBlock], wire.Message | None]
Sender = Callable[[wire.Message], Awaitable[object]]


class Outgoing:
    """`run()` sends what `put` brings. `make(command)` is called in a thread for a block; None if there is none.

    A block that is asked for twice is sent once: a collector asks again when a slow link looks stalled.
    """

    def __init__(self, send: Sender, beat: Callable[[], wire.Message], make: Made, rate: Rate) -> None:
        self._send, self._beat, self._make, self._rate = send, beat, make, rate
        self._urgent: deque[ship.Send | ship.Beat] = deque()
        self._bulk: dict[Place, ship.SendBlock] = {}
        self._ahead: deque[asyncio.Future[wire.Message | None]] = deque()
        self._changed = asyncio.Event()
        self._threads = ThreadPoolExecutor(THREADS, "blocks")
        self._timer: asyncio.TimerHandle | None = None

    def put(self, command: ship.Send | ship.Beat | ship.SendBlock) -> bool:
        """Take a command; False when more is asked for than can be waiting."""
        if isinstance(command, (ship.Send, ship.Beat)):
            if len(self._urgent) >= URGENT:
                return False
            self._urgent.append(command)
        elif len(self._bulk) >= QUEUED:
            return False
        else:
            self._bulk.setdefault((command.key, command.offset, command.length), command)
        self._changed.set()
        return True

    def forget(self) -> None:
        """What was meant for one connection must not go out on the next."""
        self._urgent.clear()
        self.forget_bulk()

    def forget_bulk(self) -> None:
        """No block that was asked for goes any more."""
        self._bulk.clear()
        for future in self._ahead:
            future.cancel()
        self._ahead.clear()

    async def run(self) -> None:
        """Send until cancelled; what does not go out is dropped, since every exchange is safe to repeat."""
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                while await self._one():
                    pass
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _one(self) -> bool:
        """Send one thing, if there is one that may go now."""
        if self._urgent:
            command = self._urgent.popleft()
            await self._send(self._beat() if isinstance(command, ship.Beat) else command.message)
            return True
        self._make_ahead()
        if not self._ahead or not self._ahead[0].done() or self._must_wait():
            return False
        message = self._ahead.popleft().result()
        if message is not None:
            self._rate.spend(len(message.body) if isinstance(message, wire.WITH_BODY) else 0)
            await self._send(message)
        return True

    def _make_ahead(self) -> None:
        loop = asyncio.get_running_loop()
        while self._bulk and len(self._ahead) < AHEAD:
            command = self._bulk.pop(next(iter(self._bulk)))
            future = loop.run_in_executor(self._threads, self._make, command)
            future.add_done_callback(lambda _: self._changed.set())
            self._ahead.append(future)

    def _must_wait(self) -> bool:
        seconds = self._rate.wait(time.monotonic())
        if seconds <= 0:
            return False
        if self._timer is None or self._timer.when() <= asyncio.get_running_loop().time():
            self._timer = asyncio.get_running_loop().call_later(seconds, self._changed.set)
        return True
