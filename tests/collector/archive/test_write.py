"""Written captures say what the packets were: tshark reads back times, lengths and link types."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hayrick_collector.archive.write import Format, Packet, Pcap, Pcapng

TIME = 1_700_000_000_123_456_789
FRAME = b"\xff" * 12 + b"\x08\x00" + b"x" * 47
RAW = b"\x45\0\0\x14" + bytes(16)


def tshark(path: Path, *fields: str) -> list[list[str]]:
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", *(word for name in fields for word in ("-e", name))]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return [line.split("\t") for line in told.splitlines()]


@pytest.mark.parametrize(
    ("writer", "fraction"),
    [(Pcap(1, nanoseconds=True), "123456789"), (Pcap(1, nanoseconds=False), "123456000"), (Pcapng(), "123456789")],
)
def test_time_and_both_lengths_are_kept(tmp_path: Path, writer: Format, fraction: str) -> None:
    path = tmp_path / "written"
    packet = Packet(TIME, 1, 1500, FRAME)
    path.write_bytes(writer.head() + writer.packet(packet) + writer.packet(packet._replace(time_ns=TIME + 10**9)))
    assert tshark(path, "frame.time_epoch", "frame.len", "frame.cap_len") == [
        [f"1700000000.{fraction}", "1500", "61"],
        [f"1700000001.{fraction}", "1500", "61"],
    ]


def test_each_link_type_of_each_place_is_an_interface_with_its_name(tmp_path: Path) -> None:
    path, writer = tmp_path / "mixed.pcapng", Pcapng()
    packets = [
        Packet(TIME, 101, 20, RAW, "edge-1/tun0"),
        Packet(TIME, 1, len(FRAME), FRAME, "edge-1/eth0"),
        Packet(TIME, 1, len(FRAME), FRAME, "büro/eth0"),
        Packet(TIME, 1, len(FRAME), FRAME, "edge-1/eth0"),
    ]
    path.write_bytes(writer.head() + b"".join(map(writer.packet, packets)))
    rows = tshark(path, "frame.encap_type", "frame.interface_name", "frame.interface_id")
    assert rows == [
        ["7", "edge-1/tun0", "0"],
        ["1", "edge-1/eth0", "1"],
        ["1", "büro/eth0", "2"],
        ["1", "edge-1/eth0", "1"],
    ]
    told = subprocess.run(["capinfos", str(path)], capture_output=True, text=True, check=True, timeout=60).stdout
    assert "Number of packets:   4" in told
    assert "Number of interfaces in file: 3" in told
