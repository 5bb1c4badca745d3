"""Packets on demand, the sensor's side: parts of chunks kept here, sent at a limited rate, one answer at a time."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable

from hayrick_common import wire
from hayrick_sensor.packing import packed

MOST_WAITING = 8
MOVED_ON = "moved on: this sensor does not keep the chunk any more"

Read = Callable[[str, int, int], bytes]
Send = Callable[[wire.Message], Awaitable[bool]]


class Pulls:
    """`take` each request; `run` answers them. `read(key, offset, length)` raises OSError or ValueError."""

    def __init__(self, read: Read, send: Send, bytes_per_second: int, counters: Counter[str]) -> None:
        self._read, self._send, self._rate = read, send, bytes_per_second
        self._counters = counters
        self._waiting: deque[wire.Pull] = deque()
        self._some = asyncio.Event()

    def take(self, request: wire.Pull) -> None:
        """Answer later; the oldest of too many is left out, for its asker has a deadline."""
        self._counters["pulls"] += 1
        self._waiting.append(request)
        if len(self._waiting) > MOST_WAITING:
            self._counters["pulls_left_out"] += 1
            self._waiting.popleft()
        self._some.set()

    async def run(self) -> None:
        """Answer until cancelled."""
        while True:
            self._some.clear()
            if not self._waiting:
                await self._some.wait()
                continue
            answer = await asyncio.to_thread(self._answer, self._waiting.popleft())
            await self._send(answer)
            await asyncio.sleep(len(answer.body) / self._rate)

    def _answer(self, request: wire.Pull) -> wire.Pulled:
        try:
            body = b"".join(self._read(request.key, offset, length) for offset, length in request.ranges)
        except OSError:
            self._counters["pulls_moved_on"] += 1
            return wire.Pulled(request.request, request.key, wire.RAW, MOVED_ON, b"")
        except ValueError as error:
            self._counters["pulls_refused"] += 1
            return wire.Pulled(request.request, request.key, wire.RAW, f"refused: {error}"[:200], b"")
        encoding, body = packed(body)
        return wire.Pulled(request.request, request.key, encoding, "", body)
