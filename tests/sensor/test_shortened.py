"""A chunk's file that is cut short on the sensor loses what was cut off, and says so; what is left lands."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.collector.captures import START, dns_query, write_pcap
from tests.collector.landing.fleet import SENSOR, Fleet, adopting, stored, wait_until

from hayrick_sensor.measure import measure


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with adopting(tmp_path, "pcaps") as made:
        yield made


def test_only_what_was_cut_off_is_lost(fleet: Fleet) -> None:
    write_pcap(fleet.root / "pcaps" / "a.pcap", [dns_query("one.example")] * 10, start=START, step=1)
    fleet.start("sensor")
    wait_until(lambda: len(list((fleet.root / "spool" / "chunks").glob("*/*.pcap"))) == 1, 30, fleet)
    (chunk,) = (fleet.root / "spool" / "chunks").glob("*/*.pcap")
    os.truncate(chunk, chunk.stat().st_size - 100)  # the last packet, and some of the one before
    fleet.start("landing")
    wait_until(lambda: len(fleet.landed()) == 1, 30, fleet)
    wait_until(lambda: fleet.states() == {"indexed"}, 30, fleet)
    (row,) = fleet.landed()
    assert (row["sequence"], row["packets"], row["truncated"]) == (1, 8, True)
    assert stored(row) == measure(chunk).sha256
    wait_until(lambda: "2 packets" in status(fleet), 20, fleet)
    assert "the end of its file was lost on the sensor" in status(fleet)
    report = json.loads((fleet.root / "spool" / "status.json").read_text())
    assert [each["packets"] for each in report["lost"]] == [2]


def status(fleet: Fleet) -> str:
    """What the operator reads."""
    done = subprocess.run([*SENSOR, "status", "--config", fleet.config], capture_output=True, text=True, timeout=30)
    return done.stdout
