"""The shipper's shell on an SFTP server: it answers the shipper as a collector would, from what lies in the folder.

One chunk goes up at a time; heartbeats and receipts have their turn between its blocks.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import ParamSpec, TypeVar

import paramiko

from hayrick_common import __version__, wire
from hayrick_common.chunk import Manifest
from hayrick_common.dropped import REFUSED, Receipt
from hayrick_sensor import shipper_events as ev
from hayrick_sensor.config import CollectorSettings, parse_place
from hayrick_sensor.sftp_session import HostKeyError, Session, Upload

log = logging.getLogger(__name__)
POLL_SECONDS = 0.5
RECEIPTS_SECONDS = 2.0
RECEIPTS_AT_ONCE = 32
BLOCK_BYTES = wire.BODY_MAX_BYTES
WINDOW_BLOCKS = 4
BLOCK_SECONDS = 30.0
REDIAL_SECONDS = (1.0, 30.0)
TROUBLE = (OSError, EOFError, paramiko.SSHException)
P = ParamSpec("P")
T = TypeVar("T")


class SftpLink:
    """Like `Link`: yields what the connection brings from `events()`, takes messages by `send`."""

    def __init__(self, sensor: str, settings: CollectorSettings) -> None:
        self.takes_zstd = False
        self.address = settings.address
        self.problem = "not connected yet"
        self.bytes_sent = 0
        self._sensor = sensor
        self._place = parse_place(settings.address)
        self._key_file, self._known_hosts = settings.ssh_files()
        self._session: Session | None = None
        self._out: asyncio.Queue[ev.Event] = asyncio.Queue()
        self._blocks: asyncio.Queue[wire.Block | wire.Gone] = asyncio.Queue()
        self._offers: dict[str, Manifest] = {}
        self._offered = asyncio.Event()
        self._again = asyncio.Event()
        self._awaited: dict[str, str] = {}
        self._beat: wire.Heartbeat | None = None
        self._looked = 0.0

    # --- what the agent calls -------------------------------------------------------------------------------------

    async def events(self) -> AsyncIterator[ev.Event]:
        """Connections, answers and a tick at least every half second, for ever."""
        work = asyncio.ensure_future(self._work())
        try:
            while True:
                if work.done():
                    work.result()
                try:
                    yield await asyncio.wait_for(self._out.get(), POLL_SECONDS)
                except asyncio.TimeoutError:
                    yield ev.Tick()
        finally:
            work.cancel()

    async def send(self, message: wire.Message) -> bool:
        """Take a message in; False when there is no connection for it."""
        if self._session is None:
            return False
        if isinstance(message, wire.Hello):
            self._got(wire.Welcome(wire.WIRE_MAX, __version__, "sftp", _epoch_ms(), 0))
        elif isinstance(message, wire.Offer):
            manifest = message.manifest(self._sensor)
            self._offers.setdefault(manifest.key, manifest)
            self._offered.set()
        elif isinstance(message, (wire.Block, wire.Gone)):
            if isinstance(message, wire.Gone):
                self._offers.pop(message.key, None)
            self._blocks.put_nowait(message)
        elif isinstance(message, wire.Heartbeat):
            self._beat = message
            self._offered.set()
        return True

    def reconnect(self) -> None:
        """Throw the connection away and make another, now."""
        self.close()
        self._again.set()

    def close(self) -> None:
        """Let go of the connection."""
        if self._session is not None:
            self._session.close()

    # --- the connection -------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        wait = REDIAL_SECONDS[0]
        while True:
            began = time.monotonic()
            await self._connection()
            wait = REDIAL_SECONDS[0] if time.monotonic() - began > 60 else min(wait * 2, REDIAL_SECONDS[1])
            self._again.clear()
            try:
                await asyncio.wait_for(self._again.wait(), wait)
            except asyncio.TimeoutError:
                continue

    async def _connection(self) -> None:
        """From dialling to the end of one connection."""
        try:
            self._session = await asyncio.to_thread(Session, self._place, self._key_file, self._known_hosts)
            self._forget()
            self.problem = ""
            self._out.put_nowait(ev.Connected())
            await self._serve(self._session)
        except HostKeyError as error:
            self._broken(str(error), ev.Rejected())
        except paramiko.AuthenticationException as error:
            reason = f"{self._place.host} does not let {self._place.user} in with {self._key_file}: {error}"
            self._broken(f"{reason}; is its .pub in the server's authorized_keys?", ev.Rejected())
        except TROUBLE as error:
            self._broken(f"SFTP: {error or type(error).__name__}", ev.Disconnected())
        finally:
            self.close()
            self._session = None

    def _broken(self, problem: str, event: ev.Event) -> None:
        if problem != self.problem:
            log.warning("%s: %s", self.address, problem)
        self.problem = problem
        self._out.put_nowait(event)

    def _forget(self) -> None:
        self._offers.clear()
        self._beat = None

    async def _serve(self, session: Session) -> None:
        while True:
            await self._between(session)
            if self._offers:
                await self._offer(session, self._offers[next(iter(self._offers))])
                continue
            self._offered.clear()
            try:
                await asyncio.wait_for(self._offered.wait(), RECEIPTS_SECONDS)
            except asyncio.TimeoutError:
                continue

    async def _call(self, function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        return await asyncio.to_thread(function, *arguments, **options)

    def _got(self, message: wire.Message) -> None:
        self._out.put_nowait(ev.Got(message))

    # --- chunks ---------------------------------------------------------------------------------------------------

    async def _offer(self, session: Session, manifest: Manifest) -> None:
        """Answer an offer: by the receipt that is there, by nothing while the chunk waits there, or take it up."""
        receipt = await self._call(session.receipt, manifest.key)
        if receipt is not None:
            await self._tell(session, receipt)
        elif await self._call(session.committed, manifest):
            self._awaited.setdefault(manifest.key, "")
        else:
            await self._deliver(session, manifest)
        self._offers.pop(manifest.key, None)

    async def _deliver(self, session: Session, manifest: Manifest) -> None:
        upload = await self._call(session.open, manifest)
        while not self._blocks.empty():
            self._blocks.get_nowait()
        asked = placed = 0
        while placed < manifest.payload_size:
            while asked < manifest.payload_size and asked - placed < WINDOW_BLOCKS * BLOCK_BYTES:
                length = min(BLOCK_BYTES, manifest.payload_size - asked)
                self._got(wire.Fetch(manifest.key, asked, length))
                asked += length
            block = await self._block(manifest.key, placed)
            if block is None:
                await self._call(session.discard, upload)
                return
            await self._put(session, upload, block)
            placed += len(block.body)
            await self._between(session)
        await self._call(session.commit, upload)
        self._awaited[manifest.key] = ""

    async def _block(self, key: str, offset: int) -> wire.Block | None:
        """The block that is wanted next; None when the sensor has the chunk no more."""
        deadline = time.monotonic() + BLOCK_SECONDS
        while True:
            try:
                got = await asyncio.wait_for(self._blocks.get(), deadline - time.monotonic())
            except asyncio.TimeoutError as error:
                raise OSError(f"block of {key} at {offset} was not read within {BLOCK_SECONDS:.0f} s") from error
            if isinstance(got, wire.Gone):
                if got.key == key:
                    return None
            elif got.key == key and got.offset == offset:
                return got

    async def _put(self, session: Session, upload: Upload, block: wire.Block) -> None:
        self.bytes_sent += await self._call(session.place, upload, block.offset, block.body)

    # --- receipts and heartbeats ----------------------------------------------------------------------------------

    async def _between(self, session: Session) -> None:
        if self._beat is not None:
            beat, self._beat = self._beat, None
            report = json.dumps(beat.report).encode()
            server_ms = await self._call(session.report, report)
            self._got(wire.Pulse(server_ms, beat.sent_ms))
        if time.monotonic() - self._looked >= RECEIPTS_SECONDS:
            await self._look_for_receipts(session)
            self._looked = time.monotonic()  # after it: where round trips are slow, chunks still have their turn

    async def _look_for_receipts(self, session: Session) -> None:
        for key in list(self._awaited)[:RECEIPTS_AT_ONCE]:
            known = self._awaited.pop(key)
            self._awaited[key] = known
            receipt = await self._call(session.receipt, key)
            if receipt is not None and receipt.state != known:
                await self._tell(session, receipt)

    async def _tell(self, session: Session, receipt: Receipt) -> None:
        self._awaited.pop(receipt.key, None)
        if receipt.state == REFUSED:
            await self._call(session.forget_receipt, receipt.key)
            self._got(wire.Refused(receipt.code, receipt.reason, receipt.key))
            return
        if receipt.state == wire.LANDED:
            self._awaited[receipt.key] = wire.LANDED
        self._got(wire.Receipt(receipt.key, receipt.state))


def _epoch_ms() -> int:
    return time.time_ns() // 1_000_000
