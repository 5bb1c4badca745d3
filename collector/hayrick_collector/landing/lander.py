"""The lander: decides, without doing any I/O, what a collector answers its sensors and what it writes.

Bytes come only where it gave credit for them, so its memory is bounded; a receipt goes out only after `Stored`.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from hayrick_collector.landing import events as ev
from hayrick_collector.landing.pulls import Pulls
from hayrick_common import wire
from hayrick_common.chunk import Manifest
from hayrick_common.errors import WireError
from hayrick_common.pace import Pace

TURN_PATIENCES = 10


@dataclass(frozen=True)
class Limits:
    """Bounds of one landing. Bytes, milliseconds, counts."""

    block_bytes: int = 1 << 20
    block_least: int = 16 << 10
    sensor_bytes: int = 8 << 20
    window_bytes: int = 2 << 20
    credit_bytes: int = 64 << 20
    transfers_per_sensor: int = 8
    attempts: int = 3
    patience_ms: int = 20_000
    silence_ms: int = 60_000
    heartbeat_ms: int = 10_000
    later_ms: int = 10_000


@dataclass
class Peer:
    """A connection whose key proved `sensor`."""

    sensor: str
    seen_ms: int
    spoken: int = wire.WIRE_MIN
    moved_ms: int = 0


@dataclass
class Transfer:
    """A chunk on its way in. `received` bytes are written, `granted` have been asked for.

    `asked` has what was fetched and is not here: length, and when, of the block at `received` first.
    """

    manifest: Manifest
    route: bytes
    moved_ms: int
    state: str = "opening"
    received: int = 0
    granted: int = 0
    attempts: int = 1
    stalls: int = 0
    asked: deque[tuple[int, int]] = field(default_factory=deque)

    def begin(self, offset: int) -> None:
        """All up to `offset` is here, and nothing more was asked for."""
        self.received = self.granted = offset
        self.asked.clear()

    @property
    def outstanding(self) -> int:
        """Bytes asked for and not yet here."""
        return self.granted - self.received


@dataclass
class Lander:
    """`step(event, now_ms)` returns the commands to carry out, in order. `boot` names this process.

    Times are milliseconds of a clock that never jumps; `epoch_ms` is what to add for the time of day.
    """

    boot: str
    software: str
    epoch_ms: int = 0
    limits: Limits = field(default_factory=Limits)
    peers: dict[bytes, Peer] = field(default_factory=dict)
    transfers: dict[str, Transfer] = field(default_factory=dict)
    paces: dict[str, Pace] = field(default_factory=dict)
    pulls: Pulls = field(default_factory=Pulls)

    def step(self, event: ev.Event, now_ms: int) -> list[ev.Command]:
        """Take one event."""
        commands: list[ev.Command] = self._handlers[type(event)](self, event, now_ms)
        return commands

    def version(self, route: bytes) -> int:
        """The wire version spoken on a connection."""
        peer = self.peers.get(route)
        return peer.spoken if peer else wire.WIRE_MIN

    # --- connections ----------------------------------------------------------------------------------------------

    def _arrived(self, event: ev.Arrived, now_ms: int) -> list[ev.Command]:
        message, route = event.message, event.route
        if isinstance(message, wire.Hello):
            return self._hello(event, message, now_ms)
        peer = self.peers.get(route)
        if peer is None:
            return [ev.Send(route, wire.Stranger())]
        peer.seen_ms = now_ms
        if isinstance(message, wire.Offer):
            return self._offer(route, peer, message)
        if isinstance(message, wire.Block):
            return self._block(route, message, event.frame, now_ms)
        if isinstance(message, wire.Heartbeat):
            return self._heartbeat(route, peer, message, now_ms)
        if isinstance(message, wire.Gone):
            return self._gone(route, message, now_ms)
        if isinstance(message, wire.Pulled):
            return self.pulls.answer(route, message, now_ms)
        return [ev.Count("unexpected_message")]

    def _hello(self, event: ev.Arrived, hello: wire.Hello, now_ms: int) -> list[ev.Command]:
        if hello.sensor != event.sensor:
            reason = f"this key belongs to sensor {event.sensor!r}, not {hello.sensor[:64]!r}"
            return [ev.Count("refused_name"), ev.Send(event.route, wire.Refused("name", reason))]
        version = min(hello.wire_max, wire.WIRE_MAX)
        if version < max(hello.wire_min, wire.WIRE_MIN):
            reason = (
                f"no common wire version: sensor speaks {hello.wire_min} to {hello.wire_max}, "
                f"collector {wire.WIRE_MIN} to {wire.WIRE_MAX}; update the older one"
            )
            return [ev.Count("refused_version"), ev.Send(event.route, wire.Refused("version", reason))]
        self.peers[event.route] = Peer(event.sensor, now_ms, version)
        welcome = wire.Welcome(version, self.software, self.boot, now_ms + self.epoch_ms, self.limits.heartbeat_ms)
        if version >= 2:
            welcome = replace(welcome, next=dict(list(event.next.items())[: wire.NEXT_MAX]))
        return [ev.Send(event.route, welcome)]

    def _heartbeat(self, route: bytes, peer: Peer, beat: wire.Heartbeat, now_ms: int) -> list[ev.Command]:
        report = {**beat.report, "clock_skew_ms": beat.sent_ms - now_ms - self.epoch_ms}
        return [ev.Seen(peer.sensor, report), ev.Send(route, wire.Pulse(now_ms + self.epoch_ms, beat.sent_ms))]

    def _garbled(self, event: ev.Garbled, now_ms: int) -> list[ev.Command]:
        return [ev.Count("garbled_message"), ev.Send(event.route, wire.Refused("garbled", event.reason[:200]))]

    def _lost(self, event: ev.Lost, now_ms: int) -> list[ev.Command]:
        peer = self.peers.pop(event.route, None)
        if peer and any(each.asked for each in self.transfers.values() if each.route == event.route):
            self._pace(peer.sensor).slower(now_ms)
        mine = [key for key, each in self.transfers.items() if each.route == event.route and each.state == "receiving"]
        closing: list[ev.Command] = [ev.Close(self.transfers.pop(key).manifest) for key in mine]
        return closing + self.pulls.lost(event.route) + self._pump(now_ms)

    def _wanted(self, event: ev.Wanted, now_ms: int) -> list[ev.Command]:
        routes = [route for route, peer in self.peers.items() if peer.sensor == event.sensor]
        route = max(routes, key=lambda each: self.peers[each].seen_ms, default=None)
        return self.pulls.ask(event, route, self.version(route or b""), now_ms)

    # --- a chunk's way in -----------------------------------------------------------------------------------------

    def _offer(self, route: bytes, peer: Peer, offer: wire.Offer) -> list[ev.Command]:
        try:
            manifest = offer.manifest(peer.sensor)
        except WireError as error:
            return [ev.Count("garbled_message"), ev.Send(route, wire.Refused("garbled", str(error)[:200]))]
        return [ev.LookUp(route, manifest)]

    def _looked(self, event: ev.Looked, now_ms: int) -> list[ev.Command]:
        chunk, route, known = event.manifest.chunk, event.route, event.known
        if known is None:
            return self._start(route, event.manifest, now_ms)
        if known.sha256 != chunk.sha256:
            reason = (
                f"{chunk.sensor}/{chunk.stream} number {chunk.sequence} has landed with other bytes "
                f"(sha256 {known.sha256[:16]}..., now {chunk.sha256[:16]}...); was the sensor's journal lost?"
            )
            return [ev.Count("refused_conflict"), ev.Send(route, wire.Refused("conflict", reason, chunk.key))]
        return self._receipts(route, chunk.key, known.indexed)

    def _start(self, route: bytes, manifest: Manifest, now_ms: int) -> list[ev.Command]:
        transfer = self.transfers.get(manifest.key)
        if transfer is None:
            if self._crowded(manifest.chunk.sensor):
                return [ev.Count("busy"), ev.Send(route, self._later(manifest.key, "too many chunks in flight"))]
            self.transfers[manifest.key] = Transfer(manifest, route, now_ms)
            return [ev.Open(manifest)]
        if transfer.route == route:  # the sensor's turn took long; what it was asked for is asked again when it stalls
            return self._pump(now_ms)
        transfer.route, transfer.moved_ms, transfer.stalls = route, now_ms, 0
        if transfer.state == "receiving":
            transfer.begin(transfer.received)
        return self._pump(now_ms)

    def _crowded(self, sensor: str) -> bool:
        mine = sum(1 for each in self.transfers.values() if each.manifest.chunk.sensor == sensor)
        return mine >= self.limits.transfers_per_sensor

    def _opened(self, event: ev.Opened, now_ms: int) -> list[ev.Command]:
        transfer = self.transfers.get(event.key)
        if transfer is None or transfer.state != "opening":
            return []
        transfer.state, transfer.moved_ms = "receiving", now_ms
        transfer.begin(event.offset)
        if transfer.route not in self.peers:
            del self.transfers[event.key]
            return [ev.Close(transfer.manifest)]
        return self._whole(transfer) or self._pump(now_ms)

    def _block(self, route: bytes, block: wire.Block, frame: bytes | None, now_ms: int) -> list[ev.Command]:
        transfer = self.transfers.get(block.key)
        if transfer is None or transfer.route != route or transfer.state != "receiving":
            return [ev.Count("stray_block")]
        if block.offset != transfer.received or not transfer.asked or len(block.body) != transfer.asked[0][0]:
            return [ev.Count("stray_block")]
        length, asked_ms = transfer.asked.popleft()
        self._pace(transfer.manifest.chunk.sensor).came(length, asked_ms, now_ms)
        transfer.received, transfer.moved_ms, transfer.stalls = block.offset + length, now_ms, 0
        if route in self.peers:
            self.peers[route].moved_ms = now_ms
        write = ev.Write(block.key, block.offset, block.body, frame)
        return [write, *(self._whole(transfer) or self._pump(now_ms))]

    def _whole(self, transfer: Transfer) -> list[ev.Command]:
        if transfer.received < transfer.manifest.payload_size:
            return []
        transfer.state = "finishing"
        return [ev.Finish(transfer.manifest)]

    def _stored(self, event: ev.Stored, now_ms: int) -> list[ev.Command]:
        transfer = self.transfers.pop(event.key, None)
        route = transfer.route if transfer else None
        receipt: list[ev.Command] = [ev.Count("landed")]
        if route in self.peers:
            receipt.append(ev.Send(route, wire.Receipt(event.key, wire.LANDED)))
        return receipt + self._pump(now_ms)

    def _spoiled(self, event: ev.Spoiled, now_ms: int) -> list[ev.Command]:
        """The bytes do not have the promised hash: begin anew, but not for ever."""
        transfer = self.transfers.get(event.key)
        if transfer is None:
            return []
        if transfer.attempts >= self.limits.attempts:
            del self.transfers[event.key]
            reason = f"bytes differ from the promised sha256 after {transfer.attempts} attempts; is the file changing?"
            refusal = ev.Send(transfer.route, wire.Refused("content", reason, event.key))
            return [ev.Count("refused_content"), ev.Discard(transfer.manifest), refusal]
        transfer.attempts += 1
        transfer.state, transfer.moved_ms = "opening", now_ms
        transfer.begin(0)
        return [ev.Count("spoiled"), ev.Discard(transfer.manifest), ev.Open(transfer.manifest)]

    def _failed(self, event: ev.Failed, now_ms: int) -> list[ev.Command]:
        transfer = self.transfers.pop(event.key, None)
        if transfer is None:
            return []
        refusal = ev.Send(transfer.route, self._later(event.key, event.reason))
        return [ev.Count("write_failed"), ev.Close(transfer.manifest), refusal, *self._pump(now_ms)]

    def _gone(self, route: bytes, gone: wire.Gone, now_ms: int) -> list[ev.Command]:
        transfer = self.transfers.get(gone.key)
        if transfer is None or transfer.route != route or transfer.state != "receiving":
            return []
        del self.transfers[gone.key]
        return [ev.Count("gone"), ev.Discard(transfer.manifest), *self._pump(now_ms)]

    def _indexed(self, event: ev.Indexed, now_ms: int) -> list[ev.Command]:
        sensor = event.key.partition(".")[0]
        receipt = wire.Receipt(event.key, wire.INDEXED)
        return [ev.Send(route, receipt) for route, peer in self.peers.items() if peer.sensor == sensor]

    # --- credit and time ------------------------------------------------------------------------------------------

    def _pace(self, sensor: str) -> Pace:
        """Of the sensor's line, as it was last found; connections come and go."""
        limits = self.limits
        return self.paces.setdefault(sensor, Pace(limits.block_least, limits.sensor_bytes, limits.block_bytes))

    def _pump(self, now_ms: int) -> list[ev.Command]:
        """Give credit, block by block, to the transfer that has least outstanding, while there is any."""
        commands: list[ev.Command] = []
        spent: Counter[str] = Counter()
        for each in self.transfers.values():
            spent[each.manifest.chunk.sensor] += each.outstanding
        left = self.limits.credit_bytes - spent.total()
        hungry = [each for each in self.transfers.values() if self._hungry(each, spent)]
        while hungry and left >= self.limits.block_bytes:
            transfer = min(hungry, key=lambda each: each.outstanding)
            sensor = transfer.manifest.chunk.sensor
            length = min(self._pace(sensor).piece, transfer.manifest.payload_size - transfer.granted)
            commands.append(self._fetch(transfer, transfer.granted, length))
            transfer.asked.append((length, now_ms))
            transfer.granted += length
            spent[sensor] += length
            left -= length
            hungry = [each for each in hungry if self._hungry(each, spent)]
        return commands

    def _fetch(self, transfer: Transfer, offset: int, length: int) -> ev.Send:
        return ev.Send(transfer.route, wire.Fetch(transfer.manifest.key, offset, length))

    def _hungry(self, transfer: Transfer, spent: Counter[str]) -> bool:
        pace = self._pace(transfer.manifest.chunk.sensor)
        return (
            transfer.state == "receiving"
            and transfer.granted < transfer.manifest.payload_size
            and transfer.outstanding + pace.piece <= self.limits.window_bytes
            and pace.room(spent[transfer.manifest.chunk.sensor])
        )

    def _ask_again(self, transfer: Transfer, now_ms: int) -> list[ev.Command]:
        """Fetch what was fetched before: the very same blocks, of which some may yet be on their way."""
        offset, commands = transfer.received, list[ev.Command]()
        for length, _ in transfer.asked:
            commands.append(self._fetch(transfer, offset, length))
            offset += length
        transfer.asked = deque((length, now_ms) for length, _ in transfer.asked)
        return commands

    def _tick(self, event: ev.Tick, now_ms: int) -> list[ev.Command]:
        commands: list[ev.Command] = []
        for route in [r for r, peer in self.peers.items() if now_ms - peer.seen_ms > self.limits.silence_ms]:
            commands += [ev.Count("silent_peer"), *self._lost(ev.Lost(route), now_ms)]
        for transfer in list(self.transfers.values()):
            if transfer.state == "receiving" and self._idle_ms(transfer, now_ms) > self.limits.patience_ms:
                commands += self._stalled(transfer, now_ms)
        return commands + self.pulls.tick(now_ms) + self._pump(now_ms)

    def _idle_ms(self, transfer: Transfer, now_ms: int) -> int:
        """How long it waits; on a slow line its turn comes late, so others' blocks count too, but not for ever."""
        own = now_ms - transfer.moved_ms
        peer = self.peers.get(transfer.route)
        if peer is None or own > TURN_PATIENCES * self.limits.patience_ms:
            return own
        return min(own, now_ms - peer.moved_ms)

    def _stalled(self, transfer: Transfer, now_ms: int) -> list[ev.Command]:
        """Nothing came for the credit given: ask again once, then let the sensor offer it anew."""
        if transfer.stalls or transfer.route not in self.peers:
            del self.transfers[transfer.manifest.key]
            return [ev.Count("stalled"), ev.Close(transfer.manifest)]
        transfer.stalls, transfer.moved_ms = 1, now_ms
        self._pace(transfer.manifest.chunk.sensor).slower(now_ms)
        return self._ask_again(transfer, now_ms)

    def _receipts(self, route: bytes, key: str, indexed: bool) -> list[ev.Command]:
        receipts: list[ev.Command] = [ev.Send(route, wire.Receipt(key, wire.LANDED))]
        if indexed:
            receipts.append(ev.Send(route, wire.Receipt(key, wire.INDEXED)))
        return receipts

    def _later(self, key: str, reason: str) -> wire.Refused:
        return wire.Refused("later", reason[:200], key)

    _handlers: ClassVar[dict[type, Any]] = {
        ev.Arrived: _arrived,
        ev.Garbled: _garbled,
        ev.Lost: _lost,
        ev.Looked: _looked,
        ev.Opened: _opened,
        ev.Stored: _stored,
        ev.Spoiled: _spoiled,
        ev.Failed: _failed,
        ev.Indexed: _indexed,
        ev.Wanted: _wanted,
        ev.Tick: _tick,
    }
