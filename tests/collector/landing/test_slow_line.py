"""A line that is slow, or held to a rate, is no stalled one: chunks arrive, little is sent twice, and no end takes the
other for gone. The machines here talk over a pretended line, by a clock of its own; real ones in test_throttled.py."""

from __future__ import annotations

import hashlib
from collections import deque
from typing import Any

import pytest

from hayrick_collector.landing import events as land
from hayrick_collector.landing.lander import Lander
from hayrick_common import wire
from hayrick_common.chunk import ChunkId, Manifest
from hayrick_common.pace import Pace
from hayrick_sensor import shipper_events as ship
from hayrick_sensor.shipper import Shipper

STEP_MS = 100
REPORT_BYTES = 2_000


def manifest(sequence: int, size: int) -> Manifest:
    return Manifest(ChunkId("s", "eth0", sequence, hashlib.sha256(bytes([sequence])).hexdigest()), size, 1)


class Line:
    """Sensor and collector, and between them a line on which what goes up takes its time; down takes a tenth of it."""

    def __init__(self, bytes_per_second: int) -> None:
        self.rate = bytes_per_second
        self.now, self.free, self.route, self.cuts, self.sent = 0, 0.0, 0, 0, 0
        self.up = deque[tuple[float, wire.Message]]()
        self.shipper, self.lander = Shipper("s", "test", "b"), Lander("b", "test")
        self.parts: dict[str, int] = {}
        self.stored: set[str] = set()

    def sensor(self, event: ship.Event) -> None:
        for command in self.shipper.step(event, self.now):
            if isinstance(command, ship.Send):
                self.send(command.message, 200)
            elif isinstance(command, ship.Beat):
                self.send(wire.Heartbeat(self.now, {}), REPORT_BYTES)
            elif isinstance(command, ship.SendBlock):
                block = wire.Block(command.key, command.offset, wire.RAW, bytes(command.length))
                self.send(block, command.length)
            elif isinstance(command, ship.Reconnect):
                self.connect()

    def connect(self) -> None:
        """What was on the line is gone, but for what the line's own queue holds still."""
        self.up.clear()
        self.free = min(self.free, self.now + 1_000)
        self.route += 1
        self.cuts += 1
        self.collector(land.Lost(str(self.route - 1).encode()))
        self.sensor(ship.Connected())

    def send(self, message: wire.Message, size: int) -> None:
        self.sent += size
        self.free = max(self.free, self.now) + size * 1000 / self.rate
        self.up.append((self.free, message))

    def collector(self, event: land.Event) -> None:
        for command in self.lander.step(event, self.now):
            self.obey(command)

    def obey(self, command: Any) -> None:
        if isinstance(command, land.Send):
            if command.route == str(self.route).encode():
                self.sensor(ship.Got(command.message))
        elif isinstance(command, land.LookUp):
            self.collector(land.Looked(command.route, command.manifest, None))
        elif isinstance(command, land.Open):
            self.collector(land.Opened(command.manifest.key, self.parts.get(command.manifest.key, 0)))
        elif isinstance(command, land.Write):
            assert command.offset == self.parts.get(command.key, 0)
            self.parts[command.key] = command.offset + len(command.data)
        elif isinstance(command, land.Finish):
            self.stored.add(command.manifest.key)
            self.collector(land.Stored(command.manifest.key))

    def pass_time(self) -> None:
        self.now += STEP_MS
        while self.up and self.up[0][0] <= self.now:
            message = self.up.popleft()[1]
            self.collector(land.Arrived(str(self.route).encode(), "s", message))
        self.sensor(ship.Tick())
        self.collector(land.Tick())


@pytest.mark.parametrize("bytes_per_second", [1_500, 5_000, 26_000, 5_000_000])
def test_chunks_over_a_line_of_any_speed_arrive_in_the_time_that_it_takes(bytes_per_second: int) -> None:
    line = Line(bytes_per_second)
    size = min(2 << 20, bytes_per_second * 250)
    line.connect()
    for sequence in range(1, 5):
        line.sensor(ship.Added(manifest(sequence, size)))
    while len(line.stored) < 4:
        line.pass_time()
        assert line.now / 1000 < 30 + 1.5 * 4 * size / bytes_per_second, (line.parts, line.cuts)
    assert line.cuts <= 2, "one end took the other for gone"
    assert line.sent < 1.3 * 4 * size + 20 * REPORT_BYTES + line.now / 1000 * REPORT_BYTES


def test_line_that_becomes_slow_in_mid_chunk_goes_on_with_smaller_blocks() -> None:
    line = Line(10_000_000)
    line.connect()
    line.sensor(ship.Added(manifest(1, 64 << 20)))
    while line.parts.get(manifest(1, 0).key, 0) < 40 << 20:
        line.pass_time()
    line.rate, before = 4_000, line.parts[manifest(1, 0).key]
    ends = line.now + 1_200_000
    while line.now < ends:
        line.pass_time()
    assert line.cuts <= 6
    assert line.parts[manifest(1, 0).key] - before > 0.6 * 1_200 * 4_000


def test_pace_follows_the_line_down_and_up_within_its_bounds() -> None:
    pace = Pace(least=16, most=1024, piece_most=128)
    for _ in range(40):
        pace.came(pace.piece, 0, 100)
    assert (pace.credit, pace.piece) == (1024, 128)
    for now in range(10_000, 200_000, 10_000):
        pace.came(pace.piece, now - 6_000, now)
    assert (pace.credit, pace.piece) == (16, 16)
    assert pace.room(0)
    assert not pace.room(16)
