"""A real tcpdump in a network namespace of its own, with packets that carry a counter: each is kept exactly once."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dpkt
import pytest
from tests.collector.landing.fleet import Fleet, wait_until

# Quiet for long enough that only the last chunk is closed by the deadline: tcpdump is blind while it starts again.
STREAM = 'name = "lo"\ninterface = "lo"\nfilter = "udp dst port 9"\nrotate_seconds = 1\nquiet_seconds = 6\n'
# What the kernel holds for tcpdump reaches it within a second; what is still held when tcpdump is ended is lost.
RING_SECONDS = 1.5
SEND = """
import socket, sys, time
first, count = map(int, sys.argv[1:])
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(first, first + count):
    out.sendto(number.to_bytes(8, "big"), ("127.0.0.1", 9))
    time.sleep(0.005)
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    namespace = f"hayrick{os.getpid()}"
    subprocess.run(["ip", "netns", "add", namespace], check=True)
    subprocess.run(["ip", "-n", namespace, "link", "set", "lo", "up"], check=True)
    made = Fleet(tmp_path, STREAM, namespace)
    made.enrol()
    yield made
    made.close()
    with contextlib.suppress(OSError, ValueError, KeyError):
        os.kill(json.loads((tmp_path / "spool" / "run" / "lo.pid").read_text())["pid"], signal.SIGKILL)
    subprocess.run(["ip", "netns", "del", namespace], check=True)


def send(fleet: Fleet, first: int, count: int) -> None:
    subprocess.run([*fleet.inside, sys.executable, "-c", SEND, str(first), str(count)], check=True, timeout=30)


def listening(fleet: Fleet) -> bool:
    path = fleet.root / "spool" / "run" / "lo.stderr"
    return path.exists() and "listening on" in path.read_text()


def landed_counters(fleet: Fleet) -> Counter[int]:
    found: Counter[int] = Counter()
    for row in fleet.landed():
        with open(row["path"], "rb") as stream:
            for _, packet in dpkt.pcap.Reader(stream):
                found[int.from_bytes(packet[-8:], "big")] += 1
    return found


def test_each_packet_lands_once_through_quiet_links_and_a_killed_sensor(fleet: Fleet) -> None:
    fleet.start("landing")
    fleet.start("sensor")
    wait_until(lambda: listening(fleet), 20, fleet)
    send(fleet, 0, 300)
    fleet.kill("sensor")
    send(fleet, 300, 300)
    time.sleep(RING_SECONDS)
    (fleet.root / "spool" / "run" / "lo.stderr").unlink()
    fleet.start("sensor")
    wait_until(lambda: listening(fleet), 20, fleet)
    send(fleet, 600, 300)
    wait_until(lambda: len(landed_counters(fleet)) == 900, 40, fleet)
    assert set(landed_counters(fleet).values()) == {1}
    sequences = [row["sequence"] for row in fleet.landed()]
    assert sorted(sequences) == list(range(1, len(sequences) + 1))
    assert all(row["packets"] for row in fleet.landed())
