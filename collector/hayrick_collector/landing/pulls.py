"""Packets on demand, the collector's side: which pulls are outstanding, and what became of each. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

from hayrick_collector.landing import events as ev
from hayrick_common import wire
from hayrick_common.errors import WireError


@dataclass(frozen=True)
class Waiting:
    """A pull that was sent on `route` and answers the question `token`."""

    token: int
    route: bytes
    pull: wire.Pull
    until_ms: int


@dataclass
class Pulls:
    """At most `per_sensor` questions are open on a connection; each is answered, or failed by its deadline."""

    per_sensor: int = 4
    patience_ms: int = 30_000
    waiting: dict[int, Waiting] = field(default_factory=dict)
    last: int = 0

    def ask(self, event: ev.Wanted, route: bytes | None, spoken: int, now_ms: int) -> list[ev.Command]:
        """Send the pull on the sensor's connection `route`, or say why not."""
        if route is None:
            return [ev.Answered(event.token, None, f"sensor {event.sensor} is not connected")]
        if spoken < 2:
            return [
                ev.Answered(event.token, None, f"sensor {event.sensor} is too old to be asked for packets: update it")
            ]
        if sum(each.route == route for each in self.waiting.values()) >= self.per_sensor:
            return [ev.Answered(event.token, None, f"sensor {event.sensor} is being asked too much at once")]
        self.last += 1
        pull = wire.Pull(self.last, event.key, event.ranges)
        self.waiting[self.last] = Waiting(event.token, route, pull, now_ms + self.patience_ms)
        return [ev.Send(route, pull)]

    def answer(self, route: bytes, message: wire.Pulled) -> list[ev.Command]:
        """Take the sensor's answer (uncompressed), if it is one to what was asked on this connection."""
        waiting = self.waiting.get(message.request)
        if waiting is None or waiting.route != route or waiting.pull.key != message.key:
            return [ev.Count("stray_pulled")]
        del self.waiting[message.request]
        if message.reason:
            return [ev.Answered(waiting.token, None, message.reason[:200])]
        if len(message.body) != waiting.pull.size:
            reason = f"the sensor answered with {len(message.body)} bytes, not {waiting.pull.size}"
            return [ev.Count("stray_pulled"), ev.Answered(waiting.token, None, reason)]
        return [ev.Count("pulled"), ev.Answered(waiting.token, message.body, "")]

    def lost(self, route: bytes) -> list[ev.Command]:
        """The connection is gone, and with it what was asked there."""
        return self._fail([number for number, each in self.waiting.items() if each.route == route], "went away")

    def tick(self, now_ms: int) -> list[ev.Command]:
        """Fail what waited too long; see whether the others' connections still stand.

        Sending is how a closed one is noticed. What is sent they have already: that the chunk has landed.
        """
        late = [number for number, each in self.waiting.items() if each.until_ms <= now_ms]
        failed = self._fail(late, "did not answer in time")
        probes = {each.route: wire.Receipt(each.pull.key, wire.LANDED) for each in self.waiting.values()}
        return [*failed, *(ev.Send(route, receipt) for route, receipt in probes.items())]

    def _fail(self, numbers: list[int], what: str) -> list[ev.Command]:
        gone = [self.waiting.pop(number) for number in numbers]
        return [ev.Answered(each.token, None, f"sensor {each.pull.key.partition('.')[0]} {what}") for each in gone]


def checked(sensor: str, key: str, ranges: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The ranges of a pull that may be sent; ValueError for what no sensor would answer."""
    pull = wire.Pull(1, key, tuple((offset, length) for offset, length in ranges))
    try:
        wire.decode(wire.encode(pull))
    except WireError as error:
        raise ValueError(str(error)) from error
    if key.partition(".")[0] != sensor:
        raise ValueError(f"{key[:80]} is no chunk of sensor {sensor}")
    return pull.ranges
