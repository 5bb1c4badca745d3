"""The shipper's shell on the network: one ZeroMQ DEALER that dials out under CURVE, thrown away when it sulks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import zmq
import zmq.asyncio
from zmq.utils.monitor import recv_monitor_message

from hayrick_common import wire
from hayrick_common.errors import WireError
from hayrick_common.keys import KeyPair
from hayrick_sensor import shipper_events as ev

log = logging.getLogger(__name__)
POLL_MS = 500
SEND_SECONDS = 20.0
ZMTP_HEARTBEAT_MS = 5_000
ZMTP_TIMEOUT_MS = 20_000
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
        self._wire = wire.WIRE_MIN
        self._server_key = server_key.encode()
        self._keys = keys
        self._context = zmq.asyncio.Context()
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

    def _shut(self) -> None:
        self._socket.disable_monitor()
        self._monitor.close(0)
        self._socket.close(0)

    def reconnect(self) -> None:
        """Begin with a fresh socket: half-open connections and stale queues die with the old one."""
        self._shut()
        self._open()

    def close(self) -> None:
        """Let go of everything."""
        self._shut()
        self._context.destroy(0)

    async def events(self) -> AsyncIterator[ev.Event]:
        """Connections, messages and a tick at least every half second, for ever."""
        while True:
            socket, monitor = self._socket, self._monitor
            poller = zmq.asyncio.Poller()
            poller.register(socket, zmq.POLLIN)
            poller.register(monitor, zmq.POLLIN)
            ready = dict(await poller.poll(POLL_MS))
            if monitor in ready:
                async for event in self._monitored(monitor):
                    yield event
            if socket in ready and socket is self._socket:
                for event in await self._received(socket):
                    yield event
            yield ev.Tick()

    async def _monitored(self, monitor: zmq.asyncio.Socket) -> AsyncIterator[ev.Event]:
        message = await recv_monitor_message(monitor)
        if message["event"] == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.problem = ""
            yield ev.Connected()
        elif message["event"] == zmq.EVENT_DISCONNECTED:
            self.problem = "connection lost"
            yield ev.Disconnected()
        else:
            self.problem = "the collector refused this sensor's key, or its own key is not the one configured"
            yield ev.Rejected()

    async def _received(self, socket: zmq.asyncio.Socket) -> list[ev.Event]:
        frames = await socket.recv_multipart()
        try:
            message = wire.decode(frames)
        except WireError as error:
            log.warning("the collector sent no message: %s", error)
            return []
        if isinstance(message, wire.Welcome):
            self._wire = min(max(message.wire, wire.WIRE_MIN), wire.WIRE_MAX)
        return [ev.Got(message)]

    async def send(self, message: wire.Message) -> bool:
        """Send; False when the connection would not take it in time."""
        frames, socket = wire.encode(message, self._wire), self._socket
        try:
            await asyncio.wait_for(socket.send_multipart(frames), SEND_SECONDS)
        except (asyncio.TimeoutError, zmq.ZMQError) as error:
            log.info("message %s not sent: %s", message.KIND, str(error) or "time out")
            return False
        except asyncio.CancelledError:
            if not socket.closed:
                raise
            return False  # not we were cancelled: the socket was thrown away under us
        self.bytes_sent += sum(map(len, frames))
        return True
