"""Packets come back in time order from any stored form, at the cost of the frames that they lie in."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pytest
from tests.collector.captures import dns_query, write_pcap

import hayrick_decode
from hayrick_collector.archive import read
from hayrick_collector.archive.container import Form, truncated
from hayrick_collector.archive.read import Source, decoder_reader, merged
from hayrick_collector.archive.reader import FrameFile, open_file
from hayrick_collector.archive.write import Format, Packet, Pcap, Pcapng

COUNT = 6000


def frames(number: int) -> bytes:
    return dns_query(f"{number}.{'x' * 60}.example.top", client=f"10.1.{number % 50}.7")


def store(path: Path, plain: bytes) -> Path:
    """`plain` as seekable zstd in frames of 50 kB."""
    with truncated(path) as file:
        writer = Form().writer(file)
        for start in range(0, len(plain), 50_000):
            writer.append(plain[start : start + 50_000])
        writer.finish()
    return path


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_one_session_costs_the_frames_that_it_lies_in(kind: str, tmp_path: Path) -> None:
    form: Format = Pcap(1, nanoseconds=True) if kind == "pcap" else Pcapng()
    packets = [Packet(number * 1000, 1, 200, frames(number)) for number in range(COUNT)]
    plain = form.head() + b"".join(map(form.packet, packets))
    path = store(tmp_path / "a.zst", plain)
    with open_file(path) as file:
        decoding = hayrick_decode.decode(file)
        documents = [json.loads(line) for batch in decoding for line in batch.ndjson().splitlines()]
    assert decoding.summary["seekable"] is True
    positions = sorted(documents[7]["packetPos"])[3:5]
    with open_file(path) as file:
        assert isinstance(file, FrameFile)
        found = decoder_reader(file, positions, True)
        assert len({bytes(data) for *_, data in found}) == 2
        assert file.undone <= 5 < len(plain) // 50_000  # the head's, and those of two packets
    with open_file(path) as file:
        assert found == decoder_reader(file, positions, False)


def test_many_chunks_are_merged_with_few_of_them_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "OPEN_FILES", 3)
    monkeypatch.setattr(read, "BATCH", 4)
    count, opened, most = 12, set(), 0
    sources = []
    for number in range(count):
        plain = write_pcap(tmp_path / "x.pcap", map(frames, range(20)), start=1000 + number * 0.01, step=1).read_bytes()
        path = store(tmp_path / f"{number}.zst", plain)
        with open_file(path) as file:
            places = [
                place
                for batch in hayrick_decode.decode(file)
                for line in batch.ndjson().splitlines()
                for place in json.loads(line)["packetPos"]
            ]
        sources.append(Source(partial(open_file, path), array("q", sorted(places)), 0))

    def reading(file: BinaryIO, positions: Sequence[int], seekable: bool) -> list[tuple[int, int, int, bytes]]:
        nonlocal most
        opened.add(file)
        most = max(most, sum(not each.closed for each in opened))
        return list(decoder_reader(file, positions, seekable))

    times = [packet.time_ns for packet in merged(sources, reading)]
    assert times == sorted(times)
    assert len(times) == 20 * count
    assert most <= 3
    assert all(file.closed for file in opened)
