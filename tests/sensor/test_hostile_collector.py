"""A collector with the right key that says what none should: refused and counted; no file goes that has not landed."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from tests.collector.landing.hostile import changed
from tests.system.collector_process import wait_until
from tests.system.flow_sensor import FlowSensor

from hayrick_common import wire
from hayrick_common.files import make_folder
from hayrick_common.keys import KeyPair, write_pair

CHUNKS = 6
LONG = "x" * 900
KEY = "s1.lan.{:010d}.{}"


class Evil:
    """A ROUTER behind CURVE that a real sensor takes for its collector; speaks to that one sensor."""

    def __init__(self, data: Path) -> None:
        public, secret = zmq.curve_keypair()
        make_folder(data / "keys", 0o700)
        write_pair(data / "keys", "collector", KeyPair(public.decode(), secret.decode()))
        self.socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
        for option, value in {zmq.CURVE_SERVER: 1, zmq.LINGER: 0, zmq.SNDHWM: 0}.items():
            self.socket.setsockopt(option, value)
        self.landing = f"tcp://127.0.0.1:{self.socket.bind_to_random_port('tcp://127.0.0.1')}"
        self.offers: dict[str, wire.Offer] = {}
        self.heard: list[wire.Message] = []
        self._route = b""

    def say(self, message: wire.Message, **changes: Any) -> None:
        self.raw(*changed(message, **changes))

    def raw(self, *frames: bytes) -> None:
        self.socket.send_multipart([self._route, *frames])

    def offered(self) -> int:
        self.hear(0.05)
        return len(self.offers)

    def hear(self, seconds: float = 0.2) -> None:
        """Take what comes; hellos are answered, offers and all else kept."""
        while self.socket.poll(int(seconds * 1000)):
            self._route, *frames = self.socket.recv_multipart()
            message = wire.decode(frames)
            if isinstance(message, wire.Hello):
                self.say(wire.Welcome(2, "evil", "boot", 1, 10_000))
            elif isinstance(message, wire.Offer):
                self.offers[message.manifest("s1").key] = message
            elif isinstance(message, wire.Heartbeat):
                self.say(wire.Pulse(message.sent_ms, message.sent_ms))
            else:
                self.heard.append(message)

    def hear_until(self, kind: type[Any]) -> Any:
        def came() -> bool:
            self.hear(0.05)
            return any(isinstance(each, kind) for each in self.heard)

        wait_until(came, f"a {kind.__name__}", 30)
        found = next(each for each in self.heard if isinstance(each, kind))
        self.heard.remove(found)
        return found


@pytest.fixture
def evil(tmp_path: Path) -> Iterator[Evil]:
    made = Evil(tmp_path / "data")
    yield made
    made.socket.close(0)


@pytest.fixture
def sensor(tmp_path: Path, evil: Evil) -> Iterator[FlowSensor]:
    """A sensor that has six files and offers four; its ring may hold them all, and it may delete what has landed."""
    made = FlowSensor(tmp_path, "s1", "packets", "ring_megabytes = 100\n")
    made.enrol(tmp_path / "data", evil.landing)
    text = made.config.read_text()
    made.config.write_text(
        text.replace("heartbeat_seconds = 1\n", "heartbeat_seconds = 60\n")
    )  # it may be kept waiting
    chance = random.Random(1)
    for number in range(CHUNKS):
        head = bytes.fromhex("d4c3b2a102000400000000000000000000000400010000")
        record = (1_764_000_000 + number).to_bytes(4, "little") + bytes(4) + (1000).to_bytes(4, "little") * 2
        packets = b"".join(record + chance.randbytes(1000) for _ in range(100))
        (made.ring / f"{number}.pcap").write_bytes(head + b"\0" + packets)
    made.start()
    wait_until(lambda: evil.offered() == 4, made.log())
    yield made
    made.kill()


def counter(sensor: FlowSensor, name: str) -> int:
    return int(sensor.report().get("counters", {}).get(name, 0))


def states(sensor: FlowSensor) -> dict[str, str]:
    with sqlite3.connect(sensor.spool / "journal.sqlite") as db:
        return dict(db.execute("SELECT key, state FROM chunks"))


def test_whatever_a_hostile_collector_says_nothing_goes_that_has_not_landed(evil: Evil, sensor: FlowSensor) -> None:
    key, offer = next(iter(evil.offers.items()))
    never_offered = next(each for each in states(sensor) if each not in evil.offers)
    chance = random.Random(7)
    for _ in range(300):
        evil.raw(*(chance.randbytes(chance.randrange(200)) for _ in range(chance.randrange(1, 4))))
    evil.raw(b"\xdf\xff\xff\xff\xff")  # a map of four thousand million entries
    evil.raw(*[b"x"] * 500)
    for state in ("landed", "indexed"):
        evil.say(wire.Receipt(never_offered, state))
        evil.say(wire.Receipt(KEY.format(77, "ab" * 8), state))
        evil.say(wire.Receipt("../../../etc/passwd", state))
    evil.say(wire.Receipt(key, "deleted"))
    for offset, length in ((offer.size, 1), (offer.size - 1, 2), (0, 0), (0, 2**32), (2**40, 1000)):
        evil.say(wire.Fetch(key, 0, 1), offset=offset, length=length)
    evil.say(wire.Fetch("../../../etc/passwd", 0, 10))
    for ranges in ([], [[0, 2**40]], [[-1, 5]], [[0, 1]] * 2001, [[2**62, 1]], [["a", 1]], [[0, 0]]):
        evil.say(wire.Pull(1, key, ((0, 1),)), ranges=ranges)
    evil.say(wire.Pull(2, key, ((offer.size - 1, 2),)))
    evil.say(wire.Pull(3, KEY.format(77, "ab" * 8), ((0, 10),)))
    evil.say(wire.Pull(4, "../../../etc/passwd", ((0, 10),)))
    evil.say(wire.Block(key, 0, "raw", b"x" * 100))
    evil.say(wire.Offer(**{**offer.__dict__, "sequence": 9}))

    answers = [evil.hear_until(wire.Pulled) for _ in range(3)]
    assert {each.request: each.reason.partition(":")[0] for each in answers} == {
        2: "refused", 3: "moved on", 4: "moved on",
    }  # fmt: skip
    assert not any(each.body for each in answers)
    assert isinstance(evil.hear_until(wire.Gone), wire.Gone)
    wait_until(lambda: counter(sensor, "pulls_moved_on") == 2, "the sensor's report")
    assert counter(sensor, "garbled_message") >= 300
    assert counter(sensor, "stray_receipt") == 3
    assert counter(sensor, "unexpected_message") >= 5
    assert counter(sensor, "pulls_refused") == 1
    assert set(states(sensor).values()) <= {"closed", "offered"}
    assert len(list(sensor.ring.iterdir())) == CHUNKS

    evil.say(wire.Fetch(key, 0, 1000))  # and it still serves
    assert evil.hear_until(wire.Block).offset == 0


def test_a_flood_of_requests_costs_a_sensor_bounded_memory_and_is_counted(evil: Evil, sensor: FlowSensor) -> None:
    key, offer = next(iter(evil.offers.items()))
    for number in range(20_000):
        evil.say(wire.Fetch(f"no.such.{number}.{LONG}", 0, 10))
        evil.say(wire.Fetch(key, number % (offer.size - 10), 10))
        evil.say(wire.Pull(number, key, ((0, 1000),)))
    wait_until(lambda: counter(sensor, "dropped_requests") > 0, "requests to be dropped", 60)
    assert counter(sensor, "pulls_left_out") > 0
    pid = json.loads((sensor.spool / "status.json").read_text())["pid"]
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
    assert resident < 150_000_000
    assert set(states(sensor).values()) <= {"closed", "offered"}
