"""A real tcpdump in a network namespace of its own, with packets that carry a counter: each is kept exactly once."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dpkt
import pytest
from tests.collector.landing.fleet import SENSOR, Fleet, wait_until

from hayrick_collector.archive.reader import open_file
from hayrick_sensor.journal import Journal
from hayrick_sensor.process import running_in

STREAM = 'name = "lo"\ninterface = "lo"\nfilter = "udp dst port 9"\nrotate_seconds = 1\nquiet_seconds = 1\n'
SEND = """
import socket, sys, time
first, count = map(int, sys.argv[1:])
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(first, first + count):
    out.sendto(number.to_bytes(8, "big"), ("127.0.0.1", 9))
    time.sleep(0.005)
"""
FLOOD = """
import socket
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(500):
    out.sendto(bytes(60_000), ("127.0.0.1", 9))
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
    for pid in tcpdumps(made):
        os.kill(pid, signal.SIGKILL)
    subprocess.run(["ip", "netns", "del", namespace], check=True)


def send(fleet: Fleet, first: int, count: int) -> None:
    subprocess.run([*fleet.inside, sys.executable, "-c", SEND, str(first), str(count)], check=True, timeout=30)


def listening(fleet: Fleet) -> bool:
    path = fleet.root / "spool" / "run" / "lo.stderr"
    return path.exists() and "listening on" in path.read_text()


def status(fleet: Fleet) -> dict[str, Any]:
    command: list[Any] = [*SENSOR, "status", "--json", "--config", fleet.config]
    report: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, timeout=30).stdout)
    return report


def launches(fleet: Fleet) -> list[dict[str, Any]]:
    with contextlib.closing(Journal(fleet.root / "spool" / "journal.sqlite", "s1")) as journal:
        return [each.report() for each in journal.launches("lo")]


def tcpdumps(fleet: Fleet) -> list[int]:
    return running_in(fleet.root / "spool" / "open" / "lo")


def landed_counters(fleet: Fleet) -> Counter[int]:
    found: Counter[int] = Counter()
    for row in fleet.landed():
        with open_file(Path(row["path"])) as stream:
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
    fleet.start("sensor")
    send(fleet, 600, 300)
    wait_until(lambda: len(landed_counters(fleet)) == 900, 40, fleet)
    assert set(landed_counters(fleet).values()) == {1}
    sequences = [row["sequence"] for row in fleet.landed()]
    assert sorted(sequences) == list(range(1, len(sequences) + 1))
    assert all(row["packets"] for row in fleet.landed())


def test_nothing_is_lost_when_a_sensor_is_stopped_or_its_settings_change_in_the_middle_of_traffic(fleet: Fleet) -> None:
    fleet.start("landing")
    fleet.start("sensor")
    wait_until(lambda: listening(fleet), 20, fleet)
    send(fleet, 0, 107)
    fleet.kill("sensor", signal.SIGTERM)  # the kernel holds most of them
    assert tcpdumps(fleet) == []
    fleet.start("sensor")
    wait_until(lambda: len(launches(fleet)) == 2, 20, fleet)
    send(fleet, 107, 100)
    fleet.kill("sensor")
    assert len(tcpdumps(fleet)) == 1
    fleet.config.write_text(fleet.config.read_text().replace("udp dst port 9", "udp and dst port 9"))
    fleet.start("sensor")
    wait_until(lambda: len(launches(fleet)) == 3, 20, fleet)
    send(fleet, 207, 100)
    wait_until(lambda: len(landed_counters(fleet)) == 307, 40, fleet)
    assert set(landed_counters(fleet).values()) == {1}
    first, second, third = launches(fleet)
    assert [first["why"], second["why"], third["why"]] == ["the sensor was stopped", "its settings have changed", ""]
    assert [each["lost"] for each in (first, second, third)] == [0, 0, 0]
    assert (first["captured"], second["captured"]) == (107, 100)
    assert first["gap_ms"] == 0
    assert second["gap_ms"] == second["started_ms"] - first["stopped_ms"]
    assert not third["stopped_ms"]


def test_killed_tcpdump_leaves_a_gap_before_the_next_chunk_and_in_the_report(fleet: Fleet) -> None:
    fleet.start("landing")
    fleet.start("sensor")
    wait_until(lambda: listening(fleet), 20, fleet)
    send(fleet, 0, 50)
    os.kill(tcpdumps(fleet)[0], signal.SIGKILL)
    wait_until(lambda: len(launches(fleet)) == 2, 20, fleet)
    send(fleet, 50, 50)
    wait_until(lambda: any(row["gap_ms"] for row in fleet.landed()), 20, fleet)
    first, second = launches(fleet)
    assert first["why"] == "killed by signal 9"
    assert second["gap_ms"] >= 1000  # what the kernel held, and the time until the next one listened
    assert max(row["gap_ms"] for row in fleet.landed()) == second["gap_ms"]


def test_packets_that_the_kernel_drops_are_counted_here_and_at_the_collector(fleet: Fleet) -> None:
    """A tcpdump that has no time for them: what its buffer has no room for is neither captured nor forgotten."""
    fleet.start("landing")
    fleet.start("sensor")
    wait_until(lambda: listening(fleet), 60, fleet)
    (tcpdump,) = tcpdumps(fleet)
    os.kill(tcpdump, signal.SIGSTOP)
    subprocess.run([*fleet.inside, sys.executable, "-c", FLOOD], check=True, timeout=60)
    os.kill(tcpdump, signal.SIGCONT)
    wait_until(lambda: bool(launches(fleet)) and launches(fleet)[0]["received"] == 1000, 60, fleet)
    first = launches(fleet)[0]  # on loopback the kernel sees each packet twice, on its way out and in
    assert first["dropped"] > 0
    assert abs(2 * first["captured"] + first["dropped"] - 1000) <= 1
    wait_until(lambda: told(fleet)["streams"]["lo"]["launches"][0]["dropped"] == first["dropped"], 60, fleet)
    wait_until(lambda: sum(row["packets"] for row in fleet.landed()) == first["captured"], 60, fleet)


def told(fleet: Fleet) -> dict[str, Any]:
    """What the collector last heard from the sensor."""
    report: dict[str, Any] = json.loads((fleet.data / "s1.heartbeat.json").read_text())
    return report


def test_counts_are_known_soon_and_never_fall(fleet: Fleet) -> None:
    fleet.start("sensor")
    wait_until(lambda: listening(fleet), 20, fleet)
    send(fleet, 0, 50)
    wait_until(lambda: bool(launches(fleet)) and launches(fleet)[0]["captured"] == 50, 10, fleet)
    (fleet.root / "spool" / "run" / "lo.stderr").write_text("")  # as when it has grown too long
    wait_until(lambda: status(fleet)["streams"]["lo"]["capture"]["packets"]["captured"] == 50, 10, fleet)
    done = subprocess.run([*SENSOR, "status", "--config", fleet.config], capture_output=True, text=True, timeout=30)
    assert "captured 50, dropped 0" in done.stdout
