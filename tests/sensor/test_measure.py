"""What a closed file holds: what tcpdump left of it counts, to the packet."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.collector.captures import START, dns_query, write_pcap

from hayrick_sensor.measure import measure


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "x.pcap"
    write_pcap(path, [dns_query("needle.example")] * 3, start=START, step=0.5)
    return path


def test_packet_that_is_cut_does_not_count(capture: Path) -> None:
    whole = measure(capture)
    assert (whole.packets, whole.truncated, whole.last_ms - whole.first_ms) == (3, False, 1000)
    data = capture.read_bytes()
    capture.write_bytes(data[:-5])
    cut = measure(capture)
    assert (cut.packets, cut.truncated, cut.last_ms - cut.first_ms) == (2, True, 500)


@pytest.mark.parametrize("size", [0, 1, 23, 24, 30, 45])
def test_file_that_ends_before_its_first_packet_does_is_empty(capture: Path, size: int) -> None:
    capture.write_bytes(capture.read_bytes()[:size])
    assert measure(capture).empty


def test_other_bytes_are_no_capture(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"no capture at all, and longer than a header\n" * 9)
    found = measure(tmp_path / "x")
    assert found.problem
    assert not found.empty
