"""A TCP proxy that can be told to flip bytes, cut connections, stand still, swallow one side, or refuse."""

from __future__ import annotations

import asyncio
import contextlib
import random

PIECE = 16 << 10


class Proxy:
    """Listens on `address`:`port` and passes everything to `target`; faults work on all connections of the moment."""

    def __init__(self, address: str, port: int, target: tuple[str, int], seed: int) -> None:
        self.address, self.port, self.target = address, port, target
        self.flips = 0
        self.flipped = 0
        self._chance = random.Random(seed)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._upstream: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._serve, self.address, self.port)

    async def refuse(self) -> None:
        """Listen no more, and cut what there is."""
        if self._server:
            self._server.close()
            self._server = None
        self.cut()

    def cut(self) -> None:
        """Reset every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    def stall(self) -> None:
        """Pass nothing on, and keep connections."""
        self._flowing.clear()

    def flow(self) -> None:
        """Pass everything on again."""
        self._flowing.set()

    def half_open(self) -> None:
        """The collector's side ends; the sensor's stays, and hears nothing any more."""
        for writer in list(self._upstream):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await self._connect(reader, writer)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            back, out = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, out}
        self._upstream.add(out)
        try:
            up = asyncio.ensure_future(self._pass(reader, out))
            down = asyncio.ensure_future(self._pass(back, writer))
            await asyncio.wait({up, down}, return_when=asyncio.ALL_COMPLETED)
        finally:
            for each in (writer, out):
                self._writers.discard(each)
                self._upstream.discard(each)
                each.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass bytes on until either end is gone; after `half_open` the sensor's bytes go nowhere."""
        with contextlib.suppress(OSError):
            while data := await reader.read(PIECE):
                await self._flowing.wait()
                if writer.is_closing():
                    continue
                with contextlib.suppress(OSError):
                    writer.write(self._spoiled(data))
                    await writer.drain()

    def _spoiled(self, data: bytes) -> bytes:
        if self.flips <= 0:
            return data
        self.flips -= 1
        self.flipped += 1
        spoiled = bytearray(data)
        spoiled[self._chance.randrange(len(spoiled))] ^= 1 << self._chance.randrange(8)
        return bytes(spoiled)
