"""Written captures say what the packets were: tshark reads back times, lengths and link types."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hayrick_collector.archive.write import Format, Packet, Pcap, Pcapng

TIME = 1_700_000_000_123_456_789
FRAME = b"\xff" * 12 + b"\x08\x00" + b"x" * 47
RAW = b"\x45\0\0\x14" + bytes(16)


def tshark(path: Path) -> list[list[str]]:
    fields = ["frame.time_epoch", "frame.len", "frame.cap_len", "frame.encap_type"]
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", *(word for name in fields for word in ("-e", name))]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return [line.split("\t") for line in told.splitlines()]


@pytest.mark.parametrize(
    ("writer", "fraction"),
    [(Pcap(1, nanoseconds=True), "123456789"), (Pcap(1, nanoseconds=False), "123456000"), (Pcapng([1]), "123456789")],
)
def test_time_and_both_lengths_are_kept(tmp_path: Path, writer: Format, fraction: str) -> None:
    path = tmp_path / "written"
    packet = Packet(TIME, 1, 1500, FRAME)
    path.write_bytes(writer.head() + writer.packet(packet) + writer.packet(packet._replace(time_ns=TIME + 10**9)))
    assert [row[:3] for row in tshark(path)] == [
        [f"1700000000.{fraction}", "1500", "61"],
        [f"1700000001.{fraction}", "1500", "61"],
    ]


def test_each_link_type_has_its_interface(tmp_path: Path) -> None:
    path, writer = tmp_path / "mixed.pcapng", Pcapng([101, 1])
    path.write_bytes(
        writer.head() + writer.packet(Packet(TIME, 101, 20, RAW)) + writer.packet(Packet(TIME, 1, len(FRAME), FRAME))
    )
    assert [row[3] for row in tshark(path)] == ["7", "1"]
