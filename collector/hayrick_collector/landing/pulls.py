"""Packets on demand, the collector's side: which pulls are outstanding, and what became of each. No I/O.

A question is asked bit by bit, as much at a time as its sensor's line passes within seconds: what is larger would hold
up heartbeats and receipts behind it, and come too late itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hayrick_collector.landing import events as ev
from hayrick_common import wire
from hayrick_common.errors import WireError
from hayrick_common.pace import PIECES, Pace

Ranges = tuple[tuple[int, int], ...]


@dataclass
class Question:
    """What the core wants of a sensor: `left` is yet to be asked for, `got` has come."""

    token: int
    sensor: str
    key: str
    route: bytes
    left: Ranges
    got: list[bytes] = field(default_factory=list)


@dataclass(frozen=True)
class Waiting:
    """A pull that was sent for a question."""

    question: Question
    pull: wire.Pull
    sent_ms: int


@dataclass
class Pulls:
    """At most `per_sensor` questions are open on a connection, with one pull of each under way; a question is answered,
    or fails when nothing comes for `patience_ms`. `least_bytes` are asked for at once on the slowest line."""

    per_sensor: int = PIECES
    patience_ms: int = 30_000
    least_bytes: int = 16 << 10
    waiting: dict[int, Waiting] = field(default_factory=dict)
    paces: dict[str, Pace] = field(default_factory=dict)
    last: int = 0

    def ask(self, event: ev.Wanted, route: bytes | None, spoken: int, now_ms: int) -> list[ev.Command]:
        """Begin to ask the sensor on its connection `route`, or say why not."""
        if route is None:
            return [ev.Answered(event.token, None, f"sensor {event.sensor} is not connected")]
        if spoken < 2:
            return [
                ev.Answered(event.token, None, f"sensor {event.sensor} is too old to be asked for packets: update it")
            ]
        if sum(each.question.route == route for each in self.waiting.values()) >= self.per_sensor:
            return [ev.Answered(event.token, None, f"sensor {event.sensor} is being asked too much at once")]
        return self._ask_on(Question(event.token, event.sensor, event.key, route, event.ranges), now_ms)

    def _ask_on(self, question: Question, now_ms: int) -> list[ev.Command]:
        portion, question.left = portioned(question.left, self._pace(question.sensor).piece)
        self.last += 1
        pull = wire.Pull(self.last, question.key, portion)
        self.waiting[self.last] = Waiting(question, pull, now_ms)
        return [ev.Send(question.route, pull)]

    def _pace(self, sensor: str) -> Pace:
        """Of its own: answers are also held to the rate that the sensor's settings allow them."""
        most = PIECES * wire.PULL_MAX_BYTES
        return self.paces.setdefault(sensor, Pace(self.least_bytes, most, wire.PULL_MAX_BYTES))

    def answer(self, route: bytes, message: wire.Pulled, now_ms: int) -> list[ev.Command]:
        """Take the sensor's answer (uncompressed), if it is one to what was asked on this connection."""
        waiting = self.waiting.get(message.request)
        if waiting is None or waiting.question.route != route or waiting.pull.key != message.key:
            return [ev.Count("stray_pulled")]
        del self.waiting[message.request]
        question, size = waiting.question, waiting.pull.size
        if message.reason:
            return [ev.Answered(question.token, None, message.reason[:200])]
        if len(message.body) != size:
            reason = f"the sensor answered with {len(message.body)} bytes, not {size}"
            return [ev.Count("stray_pulled"), ev.Answered(question.token, None, reason)]
        self._pace(question.sensor).came(size, waiting.sent_ms, now_ms)
        question.got.append(message.body)
        if question.left:
            return self._ask_on(question, now_ms)
        return [ev.Count("pulled"), ev.Answered(question.token, b"".join(question.got), "")]

    def lost(self, route: bytes) -> list[ev.Command]:
        """The connection is gone, and with it what was asked there."""
        mine = [number for number, each in self.waiting.items() if each.question.route == route]
        return self._fail(mine, "went away")

    def tick(self, now_ms: int) -> list[ev.Command]:
        """Fail what waited too long; see whether the others' connections still stand.

        Sending is how a closed one is noticed. What is sent they have already: that the chunk has landed.
        """
        late = [number for number, each in self.waiting.items() if now_ms - each.sent_ms >= self.patience_ms]
        for number in late:
            self._pace(self.waiting[number].question.sensor).slower(now_ms)
        failed = self._fail(late, "did not answer in time")
        probes = {each.question.route: wire.Receipt(each.pull.key, wire.LANDED) for each in self.waiting.values()}
        return [*failed, *(ev.Send(route, receipt) for route, receipt in probes.items())]

    def _fail(self, numbers: list[int], what: str) -> list[ev.Command]:
        gone = [self.waiting.pop(number) for number in numbers]
        return [ev.Answered(each.question.token, None, f"sensor {each.question.sensor} {what}") for each in gone]


def portioned(ranges: Ranges, size: int) -> tuple[Ranges, Ranges]:
    """The first `size` bytes of the ranges, and the rest."""
    portion: list[tuple[int, int]] = []
    for number, (offset, length) in enumerate(ranges):
        if length > size:
            cut = [(offset, size)] if size else []
            return (*portion, *cut), ((offset + size, length - size), *ranges[number + 1 :])
        portion.append((offset, length))
        size -= length
    return tuple(portion), ()


def checked(sensor: str, key: str, ranges: list[tuple[int, int]]) -> Ranges:
    """The ranges of a pull that may be sent; ValueError for what no sensor would answer."""
    pull = wire.Pull(1, key, tuple((offset, length) for offset, length in ranges))
    try:
        wire.decode(wire.encode(pull))
    except WireError as error:
        raise ValueError(str(error)) from error
    if key.partition(".")[0] != sensor:
        raise ValueError(f"{key[:80]} is no chunk of sensor {sensor}")
    return pull.ranges
