"""The landing's shell: one ZeroMQ ROUTER behind CURVE, and the files; all decisions are the lander's.

The socket's descriptor wakes the event loop, and then the messages that are there are taken one after the other: a wait
of its own for each, as `zmq.asyncio` has it, costs as much as hashing the message.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio

from hayrick_collector.archive.container import Form
from hayrick_collector.landing import events as ev
from hayrick_collector.landing import pulls
from hayrick_collector.landing.blocks import unpacked
from hayrick_collector.landing.lander import Lander, Limits
from hayrick_collector.landing.part import Part, already_named, discard, short_of_disk
from hayrick_collector.landing.sink import LandedSink
from hayrick_collector.landing.zap import DOMAIN, AllowList, Authenticator
from hayrick_common import __version__, wire
from hayrick_common.chunk import RECORDS, Manifest
from hayrick_common.clock import epoch_ms, steady_ms
from hayrick_common.errors import PacketsAwayError, WireError
from hayrick_common.files import make_folder
from hayrick_common.keys import KeyPair

log = logging.getLogger(__name__)
TICK_SECONDS = 1.0
WARN_SECONDS = 1.0
ZMTP_HEARTBEAT_MS = 5_000
ZMTP_TIMEOUT_MS = 60_000


@dataclass(frozen=True)
class LandingSettings:
    """`data` is the collector's data folder; `bind` a ZeroMQ address such as tcp://0.0.0.0:8006; `form` of storing."""

    data: Path
    bind: str
    keys: KeyPair
    limits: Limits = field(default_factory=Limits)
    form: Form = field(default_factory=Form)
    keep_free_bytes: int = 0

    @property
    def allow_folder(self) -> Path:
        """Holds SENSOR.public for each sensor that may connect."""
        return self.data / "keys" / "sensors"


class Landing:
    """`start()`, then `run()` until cancelled, then `close()`. Everything happens on the loop that runs it."""

    def __init__(self, settings: LandingSettings, sink: LandedSink) -> None:
        self.settings = settings
        self.counters: Counter[str] = Counter()
        self.address = ""
        self._sink = sink
        self._lander = Lander(secrets.token_hex(8), __version__, limits=settings.limits)
        self._parts: dict[str, Part] = {}
        self._events: deque[ev.Event] = deque()
        self._busy = False
        self._broken: BaseException | None = None
        self._pulling: dict[int, asyncio.Future[bytes]] = {}
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._asked = 0
        self._warned = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._allow_list = AllowList(settings.allow_folder, self.counters)

    def start(self) -> None:
        """Bind; raises zmq.ZMQError when the address is taken. `address` holds the bound one from now on."""
        for folder in (self.settings.data / "incoming", self.settings.data / "archive", self.settings.allow_folder):
            make_folder(folder)
        self._context = zmq.asyncio.Context()
        self._authenticator = Authenticator(self._context, self._allow_list)
        self._authenticator.start()
        self._socket = self._bind()
        self.address = self._socket.get_string(zmq.LAST_ENDPOINT)
        self._stirred = asyncio.Event()
        self._descriptor = int(self._socket.getsockopt(zmq.FD))
        asyncio.get_running_loop().add_reader(self._descriptor, self._stirred.set)

    def _bind(self) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = zmq.Context.shadow(self._context).socket(zmq.ROUTER)
        socket.curve_server = True
        socket.curve_secretkey = self.settings.keys.secret.encode()
        socket.curve_publickey = self.settings.keys.public.encode()
        socket.zap_domain = DOMAIN.encode()
        options = {
            zmq.LINGER: 0, zmq.ROUTER_MANDATORY: 1, zmq.MAXMSGSIZE: wire.FRAME_MAX_BYTES, zmq.RCVHWM: 32,
            zmq.SNDHWM: 1000, zmq.HANDSHAKE_IVL: 10_000, zmq.HEARTBEAT_IVL: ZMTP_HEARTBEAT_MS,
            zmq.HEARTBEAT_TIMEOUT: ZMTP_TIMEOUT_MS, zmq.HEARTBEAT_TTL: ZMTP_TIMEOUT_MS, zmq.TCP_KEEPALIVE: 1,
        }  # fmt: skip
        for option, value in options.items():
            socket.setsockopt(option, value)
        socket.bind(self.settings.bind)
        return socket

    async def run(self) -> None:
        """Serve until cancelled; raises what the sink raised."""
        loop, next_tick = asyncio.get_running_loop(), 0.0
        while True:
            if self._broken:
                raise self._broken
            self._stirred.clear()
            received = self._receive()
            if time.monotonic() >= next_tick:
                next_tick = time.monotonic() + TICK_SECONDS
                self._take(ev.Tick())
            if received:
                await asyncio.sleep(0)  # let others have their turn, whatever comes
            else:
                timer = loop.call_later(TICK_SECONDS / 2, self._stirred.set)
                await self._stirred.wait()
                timer.cancel()

    def indexed(self, key: str) -> None:
        """The chunk is searchable: send its sensor the second receipt, if it is connected. Call on the loop."""
        self._take(ev.Indexed(key))

    async def pull(self, sensor: str, key: str, ranges: list[tuple[int, int]]) -> bytes:
        """Bytes of a chunk that stays on its sensor: those at each (offset, length), one after the other.

        At most 2,000 ranges and 1 MiB in all, else ValueError; PacketsAwayError when the sensor is away, has moved on
        or does not answer. Call on the loop; more than the sensor's line passes within seconds waits its turn.
        """
        wanted = pulls.checked(sensor, key, ranges)
        turn = self._turns.setdefault(sensor, asyncio.Semaphore(self._lander.pulls.per_sensor))
        async with turn:
            self._asked += 1
            token = self._asked
            answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
            self._pulling[token] = answer
            try:
                self._take(ev.Wanted(token, sensor, key, wanted))
                return await answer
            finally:
                self._pulling.pop(token, None)

    def _answered(self, command: ev.Answered) -> None:
        answer = self._pulling.get(command.token)
        if answer is None or answer.done():
            return
        if command.data is None:
            answer.set_exception(PacketsAwayError(command.reason))
        else:
            answer.set_result(command.data)

    async def close(self) -> None:
        """Let go of sockets and files; what was half received stays for the next delivery."""
        for task in list(self._tasks):
            await asyncio.wait({task}, timeout=10)
        for answer in self._pulling.values():
            if not answer.done():
                answer.set_exception(PacketsAwayError("the collector is stopping"))
        for part in self._parts.values():
            part.close()
        self._parts.clear()
        asyncio.get_running_loop().remove_reader(self._descriptor)
        self._socket.close(0)
        self._authenticator.stop()
        self._context.destroy(0)

    # --- events ---------------------------------------------------------------------------------------------------

    def _receive(self) -> bool:
        """Take one message; False when there is none."""
        try:
            frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return False
        route = frames[0].bytes
        sensor = self._allow_list.name_of(_user_id(frames[-1]))
        if sensor:
            self._received(route, sensor, frames)
        else:
            self._turn_away(route)
        return True

    def _received(self, route: bytes, sensor: str, frames: list[zmq.Frame]) -> None:
        try:
            message, packed = unpacked(wire.decode([frame.bytes for frame in frames[1:]]))
        except WireError as error:
            self._warn("sensor %s sent no message: %s", sensor, error)
            self._take(ev.Garbled(route, sensor, str(error)))
        else:
            hello = isinstance(message, wire.Hello)
            numbers = self._sink.next_numbers(sensor) if hello else {}
            self._take(ev.Arrived(route, sensor, message, packed, numbers))

    def _turn_away(self, route: bytes) -> None:
        """The key was taken off the list while its connection stood."""
        self.counters["refused_key"] += 1
        self._take(ev.Lost(route))
        self._send(ev.Send(route, wire.Refused("key", "this key is not on the collector's list any more")))

    def _warn(self, text: str, *values: object) -> None:
        """Say it, but not as often as a hostile peer would have it."""
        now = time.monotonic()
        if now - self._warned >= WARN_SECONDS:
            self._warned = now
            log.warning(text, *values)

    def _take(self, event: ev.Event) -> None:
        """Step the lander and carry out its commands; those may bring more events."""
        self._events.append(event)
        if self._busy:
            return
        self._busy = True
        try:
            while self._events:
                now_ms = steady_ms()
                self._lander.epoch_ms = epoch_ms() - now_ms
                for command in self._lander.step(self._events.popleft(), now_ms):
                    self._carry_out(command)
        finally:
            self._busy = False

    # --- commands -------------------------------------------------------------------------------------------------

    def _carry_out(self, command: ev.Command) -> None:
        if isinstance(command, ev.Send):
            self._send(command)
        elif isinstance(command, ev.Write):
            self._write(command)
        elif isinstance(command, ev.LookUp):
            known = self._sink.known(command.manifest.chunk)
            self._events.append(ev.Looked(command.route, command.manifest, known))
        elif isinstance(command, ev.Open):
            self._background(self._open(command.manifest))
        elif isinstance(command, ev.Finish):
            self._background(self._finish(command.manifest))
        elif isinstance(command, ev.Seen):
            self._seen(command)
        elif isinstance(command, ev.Answered):
            self._answered(command)
        elif isinstance(command, ev.Count):
            self.counters[command.name] += 1
        else:
            self._let_go(command)

    def _send(self, command: ev.Send) -> None:
        if isinstance(command.message, wire.Refused):
            self._warn("refused: %s", command.message.reason)
        frames = [command.route, *wire.encode(command.message, self._lander.version(command.route))]
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.ZMQError:
            self.counters["unreachable"] += 1
            self._events.append(ev.Lost(command.route))
        self._stirred.set()  # sending may have taken the sign that something has come

    def _seen(self, command: ev.Seen) -> None:
        try:
            self._sink.seen(command.sensor, command.report)
        except OSError as error:  # the next heartbeat tells the same
            self.counters["heartbeats_unrecorded"] += 1
            self._warn("heartbeat of %s: %s", command.sensor, error)

    def _write(self, command: ev.Write) -> None:
        try:
            self._parts[command.key].write(command.offset, command.data, command.frame)
        except OSError as error:
            self._events.append(ev.Failed(command.key, f"collector cannot write: {error.strerror}"))

    def _let_go(self, command: ev.Close | ev.Discard) -> None:
        part = self._parts.pop(command.manifest.key, None)
        if part:
            part.close()
        if isinstance(command, ev.Discard):
            discard(self.settings.data, command.manifest)

    def _background(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            self._broken = self._broken or task.exception()

    async def _open(self, manifest: Manifest) -> None:
        if short_of_disk(self.settings.data, self.settings.keep_free_bytes):
            self.counters["disk_low"] += 1
            self._take(ev.Failed(manifest.key, "the collector's disk is nearly full"))
            return
        try:
            final = await asyncio.to_thread(already_named, self.settings.data, manifest, self.settings.form)
            if final:
                await self._record(manifest, final)
                return
            part = await asyncio.to_thread(Part, self.settings.data, manifest, self.settings.form)
        except OSError as error:
            self._take(ev.Failed(manifest.key, f"collector cannot open: {error.strerror}"))
            return
        self._parts[manifest.key] = part
        self._take(ev.Opened(manifest.key, part.offset))

    async def _finish(self, manifest: Manifest) -> None:
        part = self._parts.pop(manifest.key, None)
        if part is None:  # given up meanwhile, as when a write before this found no room
            return
        try:
            whole = await asyncio.to_thread(part.finish)
        except OSError as error:
            self._take(ev.Failed(manifest.key, f"collector cannot store: {error.strerror}"))
            return
        if whole:
            await self._record(manifest, part.final)
        else:
            self._take(ev.Spoiled(manifest.key))

    async def _record(self, manifest: Manifest, final: Path) -> None:
        meta = {
            "packets": manifest.packets, "first_ms": manifest.first_ms, "last_ms": manifest.last_ms,
            "closed_ms": manifest.closed_ms, "gap_ms": manifest.gap_ms, "truncated": manifest.truncated,
            **({"content": RECORDS, "content_size": manifest.content_size} if manifest.content == RECORDS else {}),
        }  # fmt: skip
        try:
            await asyncio.to_thread(self._sink.landed, manifest.chunk, final, manifest.size, meta)
        except OSError as error:  # the file has its name: the next delivery finds it
            self._take(ev.Failed(manifest.key, f"collector cannot record: {error.strerror}"))
            return
        self._take(ev.Stored(manifest.key))


def _user_id(frame: zmq.Frame) -> str:
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:
        return ""
