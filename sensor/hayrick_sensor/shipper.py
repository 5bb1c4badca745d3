"""The shipper: decides, without any I/O, which chunks to offer when, and what to do with every answer.

Oldest first, but one slot is always for the newest, so that a backlog does not hide the present. Offers are safe to
repeat, so whatever was cut is simply offered again.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, ClassVar

from hayrick_common import wire
from hayrick_common.chunk import Manifest
from hayrick_sensor import shipper_events as ev


@dataclass(frozen=True)
class Limits:
    """Bounds of one shipper. Counts and milliseconds."""

    in_flight: int = 4
    patience_ms: int = 30_000
    heartbeat_ms: int = 10_000
    silence_beats: int = 4
    silence_least_ms: int = 10_000
    greeting_ms: int = 10_000
    rejected_ms: int = 5_000
    redial_ms: int = 60_000
    later_ms: int = 10_000
    refused_ms: int = 600_000
    asking_ms: int = 60_000
    asking_batch: int = 32


@dataclass
class Flight:
    """An offered chunk; `moved_ms` is when its bytes last moved."""

    manifest: Manifest
    moved_ms: int
    newest: bool


@dataclass
class Shipper:
    """`step(event, now_ms)` returns the commands to carry out, in order. `boot` names this process.

    Times are milliseconds of a clock that never jumps; `epoch_ms` is what to add for the time of day.
    """

    sensor: str
    software: str
    boot: str
    epoch_ms: int = 0
    limits: Limits = field(default_factory=Limits)
    connected: bool = False
    online: bool = False
    spoken: int = wire.WIRE_MIN
    open: bool = True
    heard_ms: int = 0
    greeted_ms: int = 0
    redial_at: int | None = None
    beat_ms: int = 0
    asked_ms: int = 0
    manifests: dict[str, Manifest] = field(default_factory=dict)
    waiting: list[tuple[int, int, str]] = field(default_factory=list)
    flying: dict[str, Flight] = field(default_factory=dict)
    landed: dict[str, None] = field(default_factory=dict)
    aside: dict[str, int] = field(default_factory=dict)

    def step(self, event: ev.Event, now_ms: int) -> list[ev.Command]:
        """Take one event."""
        commands: list[ev.Command] = self._handlers[type(event)](self, event, now_ms)
        return commands

    # --- the connection -------------------------------------------------------------------------------------------

    def _connected(self, event: ev.Connected, now_ms: int) -> list[ev.Command]:
        self._ground()
        self.connected, self.heard_ms, self.redial_at = True, now_ms, None
        return self._greet(now_ms)

    def _greet(self, now_ms: int) -> list[ev.Command]:
        self.online, self.greeted_ms = False, now_ms
        hello = wire.Hello(self.sensor, wire.WIRE_MIN, wire.WIRE_MAX, self.software, self.boot, now_ms + self.epoch_ms)
        return [ev.Send(hello)]

    def _disconnected(self, event: ev.Disconnected, now_ms: int) -> list[ev.Command]:
        self._ground()
        self.connected = self.online = False
        if self.redial_at is None:
            self.redial_at = now_ms + self.limits.redial_ms
        return []

    def _rejected(self, event: ev.Rejected, now_ms: int) -> list[ev.Command]:
        self._disconnected(ev.Disconnected(), now_ms)
        self.redial_at = now_ms + self.limits.rejected_ms
        return [ev.Count("rejections")]

    def _redial(self, now_ms: int) -> list[ev.Command]:
        """A connection that does not come about is tried afresh."""
        due = self.redial_at is not None and now_ms >= self.redial_at
        if due or self.redial_at is None:
            self.redial_at = now_ms + self.limits.redial_ms
        return [ev.Reconnect()] if due else []

    def _ground(self) -> None:
        """What was in flight waits again."""
        for key in list(self.flying):
            del self.flying[key]
            self._wait(key)

    def _wait(self, key: str) -> None:
        manifest = self.manifests[key]
        bisect.insort(self.waiting, (manifest.closed_ms, manifest.chunk.sequence, key))

    # --- messages -------------------------------------------------------------------------------------------------

    def _got(self, event: ev.Got, now_ms: int) -> list[ev.Command]:
        self.heard_ms = now_ms
        handler = self._answers.get(type(event.message))
        if handler is None:
            return [ev.Count("unexpected_message")]
        commands: list[ev.Command] = handler(self, event.message, now_ms)
        return commands

    def _garbled(self, event: ev.Garbled, now_ms: int) -> list[ev.Command]:
        return [ev.Count("garbled_message")]

    def _welcome(self, message: wire.Welcome, now_ms: int) -> list[ev.Command]:
        if not wire.WIRE_MIN <= message.wire <= wire.WIRE_MAX:
            return [ev.Count("unexpected_message")]
        self.online, self.spoken = True, message.wire
        self.asked_ms = self.beat_ms = now_ms
        return [ev.Beat(), *self._ask(), *self._fill(now_ms)]

    def _stranger(self, message: wire.Stranger, now_ms: int) -> list[ev.Command]:
        self._ground()
        return self._greet(now_ms)

    def _refused(self, message: wire.Refused, now_ms: int) -> list[ev.Command]:
        complaint = ev.Complain(message.key, message.code, message.reason)
        if not message.key:
            self._ground()
            self.online = False
            return [ev.Count("refused"), complaint]
        if message.key not in self.manifests:
            return []
        self._forget_place(message.key)
        later = message.code == "later"
        self.aside[message.key] = now_ms + (self.limits.later_ms if later else self.limits.refused_ms)
        return [ev.Count("put_off" if later else "refused"), complaint, *self._fill(now_ms)]

    def _fetch(self, message: wire.Fetch, now_ms: int) -> list[ev.Command]:
        manifest = self.manifests.get(message.key)
        if manifest is None:
            return [ev.Send(wire.Gone(message.key, "this sensor does not keep the chunk any more"))]
        end = message.offset + message.length
        if not 0 < message.length <= wire.BODY_MAX_BYTES or end > manifest.payload_size:
            return [ev.Count("unexpected_message")]
        if not self.open:
            return []
        if message.key in self.flying:
            self.flying[message.key].moved_ms = now_ms
        return [ev.SendBlock(message.key, message.offset, message.length)]

    def _pull(self, message: wire.Pull, now_ms: int) -> list[ev.Command]:
        if not self.open:
            reason = "the sensor is outside its shipping windows"
            return [ev.Send(wire.Pulled(message.request, message.key, wire.RAW, reason, b""))]
        return [ev.Answer(message)]

    def _receipt(self, message: wire.Receipt, now_ms: int) -> list[ev.Command]:
        """Believed only of what was offered on this connection, or has landed before: files may go by it."""
        if message.key not in self.manifests:
            return []
        offered = message.key in self.flying or message.key in self.landed or message.key in self.aside
        if not offered or message.state not in (wire.LANDED, wire.INDEXED):
            return [ev.Count("stray_receipt")]
        self._forget_place(message.key)
        if message.state == wire.LANDED:
            self.landed[message.key] = None
        else:
            del self.manifests[message.key]
        return [ev.Note(message.key, message.state), *self._fill(now_ms)]

    def _pulse(self, message: wire.Pulse, now_ms: int) -> list[ev.Command]:
        round_trip = max(0, now_ms + self.epoch_ms - message.echo_ms)
        return [ev.Clock(message.echo_ms + round_trip // 2 - message.sent_ms, round_trip)]

    # --- chunks ---------------------------------------------------------------------------------------------------

    def _added(self, event: ev.Added, now_ms: int) -> list[ev.Command]:
        key = event.manifest.key
        if key in self.manifests:
            return []
        self.manifests[key] = event.manifest
        if event.landed:
            self.landed[key] = None
            return []
        self._wait(key)
        return self._fill(now_ms)

    def _withdrawn(self, event: ev.Withdrawn, now_ms: int) -> list[ev.Command]:
        if event.key not in self.manifests:
            return []
        flew = event.key in self.flying
        self._forget_place(event.key)
        del self.manifests[event.key]
        gone: list[ev.Command] = [ev.Send(wire.Gone(event.key, "given up on the sensor"))] if flew else []
        return gone + self._fill(now_ms)

    def _unreadable(self, event: ev.Unreadable, now_ms: int) -> list[ev.Command]:
        if event.key not in self.manifests:
            return []
        self._forget_place(event.key)
        del self.manifests[event.key]
        return [ev.Send(wire.Gone(event.key, event.reason)), ev.Lose(event.key, event.reason), *self._fill(now_ms)]

    def _forget_place(self, key: str) -> None:
        """Take the chunk out of wherever it stands; its manifest stays."""
        if self.flying.pop(key, None) is None and key not in self.landed and key not in self.aside:
            manifest = self.manifests[key]
            place = (manifest.closed_ms, manifest.chunk.sequence, key)
            index = bisect.bisect_left(self.waiting, place)
            del self.waiting[index]
        self.landed.pop(key, None)
        self.aside.pop(key, None)

    def _fill(self, now_ms: int) -> list[ev.Command]:
        """Offer chunks until enough are in flight."""
        commands: list[ev.Command] = []
        while self.online and self.open and self.waiting and len(self.flying) < self.limits.in_flight:
            newest = not any(flight.newest for flight in self.flying.values()) and len(self.waiting) > 1
            key = self.waiting.pop(-1 if newest else 0)[2]
            manifest = self.manifests[key]
            offer = wire.Offer.of(manifest)
            if wire.needs(offer) > self.spoken:
                self.aside[key] = now_ms + self.limits.refused_ms
                commands.append(ev.Complain(key, "version", "the collector is too old for session records: update it"))
                continue
            self.flying[key] = Flight(manifest, now_ms, newest)
            commands += [ev.Note(key, "offered"), ev.Send(offer)]
        return commands

    def _ask(self) -> list[ev.Command]:
        """Offer some landed chunks again: the answer is a second receipt that was missed, if there is one."""
        if not self.open:
            return []
        keys = list(islice(self.landed, self.limits.asking_batch))
        for key in keys:
            self.landed[key] = self.landed.pop(key)
        offers = [wire.Offer.of(self.manifests[key]) for key in keys]
        return [ev.Send(offer) for offer in offers if wire.needs(offer) <= self.spoken]

    def _window(self, event: ev.Window, now_ms: int) -> list[ev.Command]:
        """Outside the windows only heartbeats go; what was in flight waits, and is offered again."""
        if event.open == self.open:
            return []
        self.open = event.open
        if not self.open:
            self._ground()
        return self._fill(now_ms)

    # --- time -----------------------------------------------------------------------------------------------------

    def _tick(self, event: ev.Tick, now_ms: int) -> list[ev.Command]:
        commands = self._return_aside(now_ms)
        if not self.connected:
            return commands + self._redial(now_ms)
        if not self.online and now_ms - self.greeted_ms > self.limits.greeting_ms:
            commands += self._greet(now_ms)
        limits = self.limits
        if now_ms - self.heard_ms > max(limits.silence_beats * limits.heartbeat_ms, limits.silence_least_ms):
            self._disconnected(ev.Disconnected(), now_ms)
            return [*commands, ev.Count("silences"), ev.Reconnect()]
        return commands + self._online_tick(now_ms) if self.online else commands

    def _online_tick(self, now_ms: int) -> list[ev.Command]:
        commands: list[ev.Command] = []
        if now_ms - self.beat_ms >= self.limits.heartbeat_ms:
            self.beat_ms = now_ms
            commands.append(ev.Beat())
        if now_ms - self.asked_ms >= self.limits.asking_ms:
            self.asked_ms = now_ms
            commands += self._ask()
        for flight in self.flying.values():
            if now_ms - flight.moved_ms > self.limits.patience_ms:
                flight.moved_ms = now_ms
                commands += [ev.Count("offered_again"), ev.Send(wire.Offer.of(flight.manifest))]
        return commands + self._fill(now_ms)

    def _return_aside(self, now_ms: int) -> list[ev.Command]:
        for key in [key for key, until in self.aside.items() if until <= now_ms]:
            del self.aside[key]
            self._wait(key)
        return []

    _handlers: ClassVar[dict[type, Any]] = {
        ev.Connected: _connected,
        ev.Disconnected: _disconnected,
        ev.Rejected: _rejected,
        ev.Got: _got,
        ev.Garbled: _garbled,
        ev.Added: _added,
        ev.Withdrawn: _withdrawn,
        ev.Unreadable: _unreadable,
        ev.Window: _window,
        ev.Tick: _tick,
    }
    _answers: ClassVar[dict[type, Any]] = {
        wire.Welcome: _welcome,
        wire.Stranger: _stranger,
        wire.Refused: _refused,
        wire.Fetch: _fetch,
        wire.Receipt: _receipt,
        wire.Pulse: _pulse,
        wire.Pull: _pull,
    }
