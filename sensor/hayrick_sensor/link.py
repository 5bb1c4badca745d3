"""The shipper's shell on the network: one ZeroMQ DEALER that dials out under CURVE, thrown away when it sulks.

The socket's descriptor wakes the event loop, and then all that is there is taken: a wait of its own for each message,
as `zmq.asyncio` has it, costs more than the message.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterator

import zmq
from zmq.utils.monitor import recv_monitor_message

from hayrick_common import wire
from hayrick_common.errors import WireError
from hayrick_common.keys import KeyPair
from hayrick_sensor import shipper_events as ev

log = logging.getLogger(__name__)
TICK_SECONDS = 0.5
BATCH = 64
SEND_SECONDS = 20.0
WARN_SECONDS = 1.0
ZMTP_HEARTBEAT_MS = 5_000
ZMTP_TIMEOUT_MS = 60_000
RECONNECT_MS = (200, 10_000)
EVENTS = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_DISCONNECTED
)


class Link:
    """Yields what the connection brings from `events()`; `send` gives up after a while rather than wait for ever."""

    def __init__(self, address: str, server_key: str, keys: KeyPair) -> None:
        self.address = address
        self.problem = "not connected yet"
        self.bytes_sent = 0
        self._warned = 0.0
        self._wire = wire.WIRE_MIN
        self._server_key = server_key.encode()
        self._keys = keys
        self._stirred = asyncio.Event()
        self._room = asyncio.Event()
        self._watched: list[int] = []
        self._context = zmq.Context()
        self._open()

    def _open(self) -> None:
        self._socket = socket = self._context.socket(zmq.DEALER)
        socket.curve_serverkey = self._server_key
        socket.curve_publickey = self._keys.public.encode()
        socket.curve_secretkey = self._keys.secret.encode()
        options = {
            zmq.LINGER: 0, zmq.IMMEDIATE: 1, zmq.MAXMSGSIZE: wire.FRAME_MAX_BYTES, zmq.SNDHWM: 8, zmq.RCVHWM: 256,
            zmq.RECONNECT_IVL: RECONNECT_MS[0], zmq.RECONNECT_IVL_MAX: RECONNECT_MS[1],
            zmq.HANDSHAKE_IVL: 10_000, zmq.CONNECT_TIMEOUT: 10_000, zmq.HEARTBEAT_IVL: ZMTP_HEARTBEAT_MS,
            zmq.HEARTBEAT_TIMEOUT: ZMTP_TIMEOUT_MS, zmq.HEARTBEAT_TTL: ZMTP_TIMEOUT_MS, zmq.TCP_KEEPALIVE: 1,
        }  # fmt: skip
        for option, value in options.items():
            socket.setsockopt(option, value)
        self._monitor = socket.get_monitor_socket(EVENTS)
        socket.connect(self.address)

    def _watch(self) -> None:
        """Have the event loop woken by what happens on the sockets."""
        self._unwatch()
        self._watched = [int(each.getsockopt(zmq.FD)) for each in (self._socket, self._monitor)]
        for descriptor in self._watched:
            asyncio.get_running_loop().add_reader(descriptor, self._stir)
        self._stir()

    def _unwatch(self) -> None:
        for descriptor in self._watched:
            asyncio.get_running_loop().remove_reader(descriptor)
        self._watched = []

    def _stir(self) -> None:
        self._stirred.set()
        self._room.set()

    def _shut(self) -> None:
        self._unwatch()
        self._socket.disable_monitor()
        self._monitor.close(0)
        self._socket.close(0)

    def reconnect(self) -> None:
        """Begin with a fresh socket: half-open connections and stale queues die with the old one."""
        self._shut()
        self._open()
        self._stir()

    def close(self) -> None:
        """Let go of everything."""
        self._shut()
        self._context.destroy(0)
        self._stir()

    async def events(self) -> AsyncIterator[ev.Event]:
        """Connections, messages and a tick at least every half second, for ever."""
        loop, ticked = asyncio.get_running_loop(), 0.0
        while True:
            socket = self._socket
            if not self._watched:
                self._watch()
            self._stirred.clear()
            events = [*self._monitored(), *self._received()]
            if time.monotonic() - ticked >= TICK_SECONDS:
                ticked = time.monotonic()
                events.append(ev.Tick())
            for event in events:
                if isinstance(event, ev.Tick) or socket is self._socket:
                    yield event
            if events:
                await asyncio.sleep(0)  # let others have their turn, whatever comes
            else:
                timer = loop.call_later(TICK_SECONDS, self._stirred.set)
                await self._stirred.wait()
                timer.cancel()

    def _monitored(self) -> Iterator[ev.Event]:
        """What has become of the connection since it was last asked."""
        while _readable(self._monitor):
            message = recv_monitor_message(self._monitor, zmq.NOBLOCK)
            if message["event"] == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self.problem = ""
                yield ev.Connected()
            elif message["event"] == zmq.EVENT_DISCONNECTED:
                self.problem = "connection lost"
                yield ev.Disconnected()
            else:
                self.problem = "the collector refused this sensor's key, or its own key is not the one configured"
                yield ev.Rejected()

    def _received(self) -> Iterator[ev.Event]:
        """The messages that are there; what comes later wakes the loop only if none was left."""
        for _ in range(BATCH):
            if not _readable(self._socket):
                break
            frames = self._socket.recv_multipart(zmq.NOBLOCK)
            try:
                message = wire.decode(frames)
            except WireError as error:
                self._warn(error)
                yield ev.Garbled()
                continue
            if isinstance(message, wire.Welcome):
                self._wire = min(max(message.wire, wire.WIRE_MIN), wire.WIRE_MAX)
            yield ev.Got(message)
        self._room.set()  # asking for messages may have taken the sign that there is room for more

    def _warn(self, error: WireError) -> None:
        """Say it, but not as often as a hostile peer would have it."""
        if time.monotonic() - self._warned >= WARN_SECONDS:
            self._warned = time.monotonic()
            log.warning("the collector sent no message: %s", error)

    async def send(self, message: wire.Message) -> bool:
        """Send; False when the connection would not take it in time."""
        frames, socket, deadline = wire.encode(message, self._wire), self._socket, time.monotonic() + SEND_SECONDS
        while socket is self._socket and not socket.closed:
            self._room.clear()
            if self._send(socket, frames):
                self.bytes_sent += sum(map(len, frames))
                return True
            if not await self._roomy(deadline):
                break
        log.info("message %s not sent", message.KIND)
        return False

    def _send(self, socket: zmq.Socket[bytes], frames: list[bytes]) -> bool:
        try:
            socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            return False
        finally:
            if _readable(socket):  # sending may have taken the sign that something came
                self._stirred.set()
        return True

    async def _roomy(self, deadline: float) -> bool:
        """Whether something has changed before the deadline."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._room.wait(), max(0.0, deadline - time.monotonic()))
            return True
        return False


def _readable(socket: zmq.Socket[bytes]) -> bool:
    """Whether a message is there: cheaper to ask than to be told by an exception, each time the loop is woken."""
    return bool(int(socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN)
