"""The shipper's shell on an SFTP server: it answers the shipper as a collector would, from what lies in the folder.

What is done when, the courier decides; this carries it out, one step at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import paramiko

from hayrick_common import __version__, wire
from hayrick_common.clock import epoch_ms, steady_ms
from hayrick_sensor import courier as co
from hayrick_sensor import shipper_events as ev
from hayrick_sensor.config import CollectorSettings, parse_place
from hayrick_sensor.packing import frame_of
from hayrick_sensor.sftp_session import TURN_SECONDS, HostKeyError, Session, Upload, new_pace

log = logging.getLogger(__name__)
POLL_SECONDS = 0.5
BLOCK_SECONDS = 30.0
REMEMBERED = 32  # uploads that were cut
REDIAL_SECONDS = (1.0, 30.0)
TROUBLE = (OSError, EOFError, paramiko.SSHException)


class SftpLink:
    """Like `Link`: yields what the connection brings from `events()`, takes messages by `send`."""

    def __init__(self, sensor: str, settings: CollectorSettings, bytes_per_second: int = 0) -> None:
        self.address = settings.address
        self.problem = "not connected yet"
        self.bytes_sent = 0
        self._sensor = sensor
        self._patience = BLOCK_SECONDS + (2 * wire.BODY_MAX_BYTES / bytes_per_second if bytes_per_second else 0)
        self._wanted: tuple[co.Place, float] | None = None
        self._place = parse_place(settings.address)
        self._key_file, self._known_hosts = settings.ssh_files()
        self._session: Session | None = None
        self._out: asyncio.Queue[ev.Event] = asyncio.Queue()
        self._blocks: asyncio.Queue[tuple[wire.Block | wire.Gone, asyncio.Future[bytes] | None]] = asyncio.Queue()
        self._courier = co.Courier()
        self._upload: Upload | None = None
        self._placing: tuple[co.Place, bytes] | None = None
        self._sure: dict[str, int] = {}
        self._pace = new_pace()
        self._stirred = asyncio.Event()
        self._again = asyncio.Event()

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
            self._out.put_nowait(ev.Got(wire.Welcome(wire.WIRE_MAX, __version__, "sftp", epoch_ms(), 0)))
        elif isinstance(message, wire.Offer):
            self._courier.offered(message.manifest(self._sensor))
        elif isinstance(message, wire.Block):  # compressed beside the one that is being placed
            self._blocks.put_nowait((message, asyncio.ensure_future(_compressed(message))))
        elif isinstance(message, wire.Gone):
            self._courier.gone(message.key)
            self._blocks.put_nowait((message, None))
        elif isinstance(message, wire.Heartbeat):
            self._courier.beat = message
        self._stirred.set()
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
            self._session = await asyncio.to_thread(Session, self._place, self._key_file, self._known_hosts, self._pace)
            self._courier.lost()
            self._upload = self._placing = self._wanted = None
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
            self._remember()
            self.close()
            self._session = None

    def _broken(self, problem: str, event: ev.Event) -> None:
        if problem != self.problem:
            log.warning("%s: %s", self.address, problem)
        self.problem = problem
        self._out.put_nowait(event)

    async def _serve(self, session: Session) -> None:
        """Take one step after another; what each is, the courier says."""
        while True:
            step = self._courier.next(steady_ms())
            answer = await self._do(session, step)
            for message in self._courier.done(step, answer, steady_ms()):
                self._out.put_nowait(ev.Got(message))

    async def _do(self, session: Session, step: co.Step) -> Any:
        if isinstance(step, co.Rest):
            return await self._rest(step.milliseconds / 1000)
        if isinstance(step, co.Begin):
            self._forget_blocks()
            self._placing = self._wanted = None
            self._upload = await asyncio.to_thread(session.open, step.manifest, self._sure.get(step.manifest.key, 0))
            return None
        if isinstance(step, co.Place):
            return await self._put(session, step)
        return await asyncio.to_thread(self._plainly, session, step)

    def _plainly(self, session: Session, step: co.Step) -> Any:
        """What one call does; in a thread."""
        if isinstance(step, co.Report):
            return session.report(json.dumps(step.beat.report).encode())
        if isinstance(step, co.ReadReceipt):
            return session.receipt(step.key)
        if isinstance(step, co.Forget):
            return session.forget_receipt(step.receipt.key)
        if isinstance(step, co.Look):
            return session.receipt(step.manifest.key) or session.committed(step.manifest)
        if self._upload is not None:
            session.commit(self._upload) if isinstance(step, co.Commit) else session.discard(self._upload)
            self._sure.pop(self._upload.manifest.key, None)
            self._upload = None
            return None
        if isinstance(step, co.Commit):
            raise OSError(f"upload of {step.manifest.key} is not open any more")
        return None

    async def _rest(self, seconds: float) -> None:
        self._stirred.clear()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stirred.wait(), seconds)

    # --- blocks ---------------------------------------------------------------------------------------------------

    def _forget_blocks(self) -> None:
        while not self._blocks.empty():
            self._blocks.get_nowait()

    def _remember(self) -> None:
        """How much of the chunk is on the server for certain: reading it back takes as long as sending it did."""
        if self._upload is None:
            return
        self._pace.slower(steady_ms())
        self._sure[self._upload.manifest.key] = self._upload.known
        while len(self._sure) > REMEMBERED:
            del self._sure[next(iter(self._sure))]

    async def _put(self, session: Session, step: co.Place) -> bool | None:
        """Place what is left of the block's frame, or some of it."""
        if self._placing is None or self._placing[0] != step:
            try:
                frame = await self._next_frame(step)
            except asyncio.TimeoutError:
                return None
            self._placing = (step, frame) if frame is not None else None
        if self._placing is None or self._upload is None:
            return False
        frame = self._placing[1]
        done, written = await asyncio.to_thread(session.place, self._upload, frame)
        self.bytes_sent += written
        self._placing = (step, frame[done:]) if done < len(frame) else None
        return True if self._placing is None else None

    async def _next_frame(self, step: co.Place) -> bytes | None:
        """The block that is wanted next, as a zstd frame; None when the sensor has the chunk no more.

        TimeoutError when it is not there yet: at a held rate that takes its time, and heartbeats have theirs.
        """
        if self._wanted is None or self._wanted[0] != step:
            self._wanted = (step, time.monotonic() + self._patience)
        while True:
            if time.monotonic() > self._wanted[1]:
                raise OSError(f"block of {step.key} at {step.offset} was not read within {self._patience:.0f} s")
            got, frame = await asyncio.wait_for(self._blocks.get(), TURN_SECONDS)
            if isinstance(got, wire.Gone):
                if got.key == step.key:
                    return None
            elif got.key == step.key and got.offset == step.offset and frame is not None:
                return await frame


async def _compressed(block: wire.Block) -> bytes:
    """The block as one zstd frame: the same block gives the same frame, so that a cut delivery can go on."""
    return block.body if block.encoding == wire.ZSTD else await asyncio.to_thread(frame_of, block.body)
