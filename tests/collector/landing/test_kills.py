"""kill -9 of sensor and landing in the middle of real transfers: every chunk lands exactly once, byte for byte."""

from __future__ import annotations

import hashlib
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import dpkt
import pytest
from tests.collector.landing.fleet import Fleet, adopting, stored, wait_until


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with adopting(tmp_path, "pcaps") as made:
        yield made


def write_capture(path: Path, size: int, seed: int) -> str:
    """A capture of about `size` random bytes; returns its SHA-256."""
    source = random.Random(seed)
    with path.open("wb") as stream:
        writer = dpkt.pcap.Writer(stream)
        for number in range(size // 1400):
            writer.writepkt(source.randbytes(1400), ts=1_700_000_000 + number / 1000)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_each_chunk_lands_once_whoever_is_killed_in_mid_transfer(fleet: Fleet) -> None:
    hashes = {write_capture(fleet.root / "pcaps" / f"{n}.pcap", 12_000_000, n) for n in range(4)}
    fleet.start("landing")
    fleet.start("sensor")
    killed_midway = 0
    for name in ("landing", "sensor", "landing", "sensor"):
        wait_until(lambda: fleet.parts() > 0 or len(fleet.landed()) == 4, 30, fleet)
        killed_midway += fleet.parts() > 0
        fleet.kill(name)
        fleet.start(name)
    wait_until(lambda: len(fleet.landed()) >= 4, 60, fleet)
    wait_until(lambda: fleet.states() == {"indexed"}, 30, fleet)
    assert killed_midway >= 2
    rows = fleet.landed()
    assert sorted(row["sha256"] for row in rows) == sorted(hashes)
    assert {stored(row) for row in rows} == hashes
    assert len(list(fleet.data.glob("archive/**/*.pcap*"))) == 4
    assert fleet.parts() == 0
    assert fleet.kill("sensor", signal.SIGTERM) == 0


def test_sensor_with_an_unknown_key_is_refused_and_counted_until_it_is_allowed(fleet: Fleet) -> None:
    allowed = fleet.data / "keys" / "sensors" / "s1.public"
    key = allowed.read_bytes()
    allowed.unlink()
    write_capture(fleet.root / "pcaps" / "a.pcap", 10_000, 1)
    fleet.start("landing")
    fleet.start("sensor")
    wait_until(lambda: fleet.counters().get("refused_key", 0) > 0, 20, fleet)
    assert fleet.landed() == []
    allowed.write_bytes(key)
    wait_until(lambda: len(fleet.landed()) == 1, 30, fleet)
