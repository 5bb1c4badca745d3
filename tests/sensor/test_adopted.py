"""Somebody else's tcpdump or dumpcap fills a ring and writes its files again in place: each packet is taken once."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dpkt
import pytest
from tests.collector.landing.fleet import SENSOR, Fleet, wait_until

from hayrick_collector.archive.reader import open_file
from hayrick_common.closed_files import stamp_of
from hayrick_sensor.journal import Journal
from hayrick_sensor.measure import measure

SEND = """
import socket, sys, time
first, count, size, pause = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(first, first + count):
    out.sendto(bytes(size) + number.to_bytes(8, "big"), ("127.0.0.1", 9))
    if number % 20 == 0:
        time.sleep(pause * 20)
"""
FILTER = "udp dst port 9"


@pytest.fixture
def fleet(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    namespace = f"ring{os.getpid()}"
    subprocess.run(["ip", "netns", "add", namespace], check=True)
    subprocess.run(["ip", "-n", namespace, "link", "set", "lo", "up"], check=True)
    (tmp_path / "ring").mkdir(mode=0o777)
    made = Fleet(tmp_path, f'name = "lo"\nfolder = "{tmp_path / "ring"}"\nkeep = "{request.param}"', namespace)
    made.enrol()
    yield made
    made.close()
    subprocess.run(["ip", "netns", "del", namespace], check=True)


@contextlib.contextmanager
def running(fleet: Fleet, *command: object) -> Iterator[subprocess.Popen[bytes]]:
    """The capture program, once it listens; killed at the end, in the middle of what it does."""
    said = fleet.root / "capture.stderr"
    with said.open("wb") as log:
        process = subprocess.Popen([*fleet.inside, *map(str, command)], stderr=log, stdout=log, cwd=fleet.root / "ring")
    try:
        wait_until(lambda: b"istening on" in said.read_bytes() or b"File:" in said.read_bytes(), 20, fleet)
        time.sleep(0.2)
        yield process
    finally:
        process.kill()
        process.wait(10)


def send(fleet: Fleet, first: int, count: int, size: int = 1000, pause: float = 0.0005) -> None:
    arguments = map(str, (first, count, size, pause))
    subprocess.run([*fleet.inside, sys.executable, "-c", SEND, *arguments], check=True, timeout=60)


def counters(file: Any) -> list[int]:
    kind = dpkt.pcapng if file.read(4) == b"\x0a\x0d\x0d\x0a" else dpkt.pcap
    file.seek(0)
    found = []
    with contextlib.suppress(dpkt.UnpackError):
        for _, packet in kind.Reader(file):
            found.append(int.from_bytes(packet[-8:], "big"))
    return found


def landed(fleet: Fleet) -> list[list[int]]:
    found = []
    for row in fleet.landed():
        with open_file(Path(row["path"])) as file:
            found.append(counters(file)[: row["packets"]])
    return found


def losses(fleet: Fleet) -> list[dict[str, Any]]:
    with contextlib.closing(Journal(fleet.root / "spool" / "journal.sqlite", "s1")) as journal:
        return journal.losses()


def journal_counts(fleet: Fleet) -> dict[str, int]:
    with contextlib.closing(Journal(fleet.root / "spool" / "journal.sqlite", "s1")) as journal:
        return journal.counters()


def all_taken(fleet: Fleet) -> bool:
    """Whether each file with packets that lies in the ring is a chunk."""
    with contextlib.closing(Journal(fleet.root / "spool" / "journal.sqlite", "s1")) as journal:
        taken = {stamp for _, stamp in journal.taken()}
    files = [path for path in (fleet.root / "ring").iterdir() if measure(path).packets]
    return all(stamp_of(path.stat()) in taken for path in files)


def check(fleet: Fleet) -> Counter[int]:
    """Every chunk is one stretch of packets, and none is in two."""
    chunks = landed(fleet)
    for each in chunks:
        assert each == list(range(each[0], each[0] + len(each))), "a mixture"
    found = Counter(number for each in chunks for number in each)
    assert not found or max(found.values()) == 1, "taken twice"
    return found


@pytest.mark.parametrize("fleet", ["copy"], indirect=True)
def test_tcpdumps_ring_written_again_in_place_is_taken_once_through_a_killed_sensor(fleet: Fleet) -> None:
    fleet.start("landing")
    fleet.start("sensor")
    with running(
        fleet, "tcpdump", "-i", "lo", "-Z", "root", "-C", "1", "-W", "3", "-w", "my ring.pcap", FILTER
    ) as ring:
        wait_until(lambda: (fleet.root / "spool" / "status.json").exists(), 20, fleet)
        send(fleet, 0, 2500)
        fleet.kill("sensor")
        fleet.start("sensor")
        wait_until(lambda: len(check(fleet)) >= 1800, 20, fleet)
        send(fleet, 2500, 1500)
        time.sleep(1.2)  # for the kernel to hand over
        ring.send_signal(signal.SIGTERM)
        ring.wait(10)
    wait_until(lambda: len(check(fleet)) == 4000, 20, fleet)
    assert len({path.name for path in (fleet.root / "ring").iterdir()}) == 3
    assert journal_counts(fleet).get("overrun_files", 0) == 0


@pytest.mark.parametrize("fleet", ["place"], indirect=True)
def test_dumpcaps_ring_turned_while_the_sensor_was_down_is_never_taken_twice_nor_mixed(fleet: Fleet) -> None:
    fleet.start("landing")
    fleet.start("sensor")
    dumpcap = ("dumpcap", "-q", "-i", "lo", "-f", FILTER, "-b", "filesize:200", "-b", "files:3", "-w", "ü\n.pcapng")
    with running(fleet, *dumpcap):
        wait_until(lambda: (fleet.root / "spool" / "status.json").exists(), 20, fleet)
        send(fleet, 0, 300)
        wait_until(lambda: len(check(fleet)) >= 150, 20, fleet)
        fleet.kill("sensor")
        send(fleet, 300, 2000)
        fleet.start("sensor")
        wait_until(lambda: max(check(fleet)) >= 1900, 20, fleet)
        send(fleet, 2300, 300)
        wait_until(lambda: max(check(fleet)) >= 2400, 20, fleet)
    wait_until(lambda: all_taken(fleet), 20, fleet)  # also what it had written when it was killed
    check(fleet)
    assert len(check(fleet)) < 2600
    assert sum(row["gap_ms"] > 0 for row in fleet.landed()) == 1  # the span that the ring lost while nobody looked
    done = subprocess.run([*SENSOR, "status", "--config", fleet.config], capture_output=True, text=True, timeout=30)
    assert "lo: backlog" in done.stdout


RINGS: dict[str, list[object]] = {
    "tcpdump -C -W": ["tcpdump", "-Z", "root", "-C", 1, "-W", 3, "-w", "r.pcap", FILTER],
    "tcpdump -G": ["tcpdump", "-Z", "root", "-G", 1, "-w", "r.pcap", FILTER],
    "tcpdump -G -W": ["tcpdump", "-Z", "root", "-G", 1, "-W", 60, "-w", "r%S.pcap", FILTER],
    "dumpcap filesize": ["dumpcap", "-q", "-P", "-f", FILTER, "-b", "filesize:900", "-b", "files:3", "-w", "r.pcap"],
    "dumpcap duration": ["dumpcap", "-q", "-f", FILTER, "-b", "duration:1", "-b", "files:3", "-w", "r.pcapng"],
}


def lapped(fleet: Fleet, ring: str) -> None:
    """A ring is filled, goes on while the sensor stands still, and is taken to its end."""
    fleet.start("landing")
    fleet.start("sensor")
    wait_until(lambda: (fleet.root / "spool" / "status.json").exists(), 20, fleet)
    with running(fleet, RINGS[ring][0], "-i", "lo", *RINGS[ring][1:]):
        send(fleet, 0, 400, 8000, 0.004)
        if ring != "tcpdump -G":  # of whose one file nothing is ever left
            wait_until(lambda: len(check(fleet)) >= 100, 20, fleet)
            assert journal_counts(fleet).get("overrun_files", 0) == 0
        fleet.processes["sensor"].send_signal(signal.SIGSTOP)
        send(fleet, 400, 1000, 8000, 0.005)
        fleet.processes["sensor"].send_signal(signal.SIGCONT)
        send(fleet, 1400, 300, 8000, 0.004)
        time.sleep(1.5)
        send(fleet, 1700, 1, 8000)
    wait_until(lambda: all_taken(fleet), 20, fleet)
    wait_until(lambda: fleet.states() <= {"indexed"}, 20, fleet)
    check(fleet)


@pytest.mark.parametrize("fleet", ["copy"], indirect=True)
@pytest.mark.parametrize("ring", [
    pytest.param(ring, marks=[] if ring == "tcpdump -C -W" else pytest.mark.long)
    for ring in RINGS if ring != "tcpdump -G"
])  # fmt: skip
def test_what_a_ring_overwrote_while_the_sensor_stood_still_is_lost_with_its_span(fleet: Fleet, ring: str) -> None:
    lapped(fleet, ring)
    rows, chunks, lost = sorted(fleet.landed(), key=lambda row: row["first_ms"]), sorted(landed(fleet)), losses(fleet)
    after = [index for index in range(1, len(chunks)) if chunks[index][0] != chunks[index - 1][-1] + 1]
    assert chunks[0][0] == 0
    assert bool(after) == bool(lost) == (ring != "tcpdump -G -W")  # whose files outlast the standstill
    for index in after:
        spans = [each["first_ms"] for each in lost if each["last_ms"] == rows[index]["first_ms"]]
        assert len(spans) == 1, (lost, rows)
        assert abs(spans[0] - rows[index - 1]["last_ms"]) < 1000, "from when the chunk before was closed"


@pytest.mark.long
@pytest.mark.parametrize("fleet", ["copy"], indirect=True)
def test_ring_of_one_file_of_which_nothing_is_left_says_so(fleet: Fleet) -> None:
    lapped(fleet, "tcpdump -G")
    assert journal_counts(fleet)["overrun_files"] >= 5
