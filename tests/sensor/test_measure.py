"""What a closed file holds: what tcpdump left of it counts, to the packet."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from pathlib import Path

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st
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


def opinion(path: Path) -> tuple[int, int, int]:
    """Packets, first and last (ms) as dpkt has them."""
    with path.open("rb") as stream:
        reader = dpkt.pcapng.Reader(stream) if stream.read(4) == b"\x0a\x0d\x0d\x0a" and not stream.seek(0) else None
        stream.seek(0)
        times = [round(stamp * 1000, 3) for stamp, _ in reader or dpkt.pcap.Reader(stream)]
    return len(times), int(min(times)), int(max(times))


@pytest.mark.parametrize("block", [32, 33, 100, 1 << 20])
@pytest.mark.parametrize("kind", ["pcap", "nsecpcap", "pcapng"])
def test_headers_are_read_as_dpkt_reads_them_wherever_blocks_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, block: int
) -> None:
    made = write_pcap(tmp_path / "made", [dns_query("a" * n + ".example") for n in range(1, 60)], start=START)
    path = tmp_path / "x"
    subprocess.run(["editcap", "-F", kind, made, path], check=True, timeout=30)
    monkeypatch.setattr("hayrick_sensor.measure.BLOCK_BYTES", block)
    found = measure(path)
    assert (found.packets, found.first_ms, found.last_ms) == opinion(path)
    assert (found.size, found.sha256) == (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
    assert not found.truncated


@pytest.mark.parametrize("kind", ["pcap", "nsecpcap", "pcapng"])
def test_wherever_a_file_ends_only_whole_packets_count(tmp_path: Path, kind: str) -> None:
    made = write_pcap(tmp_path / "made", [dns_query("one.example"), dns_query("two.example")], start=START, step=1)
    path = tmp_path / "x"
    subprocess.run(["editcap", "-F", kind, made, path], check=True, timeout=30)
    data = path.read_bytes()
    counts = []
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        found = measure(path)
        counts.append(found.packets)
        assert found.packets < 2 or found.last_ms - found.first_ms == 1000
        assert not found.problem
    assert counts == sorted(counts)
    assert (counts[0], counts[-2], counts[-1], set(counts)) == (0, 1, 2, {0, 1, 2})


@given(st.binary(max_size=300), st.sampled_from([b"", b"\xd4\xc3\xb2\xa1", b"\x0a\x0d\x0d\x0a", b"\xa1\xb2\x3c\x4d"]))
def test_any_bytes_are_measured(rest: bytes, magic: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(magic + rest)
        file.flush()
        found = measure(Path(file.name))
    assert found.size == len(magic + rest)
    assert 0 <= found.first_ms <= found.last_ms
