"""Packets of pcapng captures from sensors, whatever precedes and surrounds them; and what is kept of them, sealed."""

from __future__ import annotations

import asyncio
import struct
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.collector.captures import mixed_frames
from tests.collector.ondemand.test_fetch import KEY, Hostile, Sensor, packets

import hayrick_decode
from hayrick_collector.archive.keyring import KeyRing, add_key
from hayrick_collector.ondemand import Fetcher, Wanted

FRAMES = [frame for number in range(60) for frame in mixed_frames(f"10.1.0.{number + 1}")]


class Writer:
    """A pcapng by hand: either byte order, options, comments of any length, any kind of packet."""

    def __init__(self, order: str = "<") -> None:
        self.order, self.data = order, bytearray()

    def block(self, kind: int, body: bytes) -> Writer:
        length = 12 + len(body)
        head, tail = struct.pack(self.order + "II", kind, length), struct.pack(self.order + "I", length)
        self.data += head + body + tail
        return self

    def section(self, comment: int = 0) -> Writer:
        body = struct.pack(self.order + "IHHq", 0x1A2B3C4D, 1, 0, -1)
        return self.block(0x0A0D0D0A, body + self.comment(comment))

    def interface(self, snaplen: int = 0) -> Writer:
        return self.block(1, struct.pack(self.order + "HHI", 1, 0, snaplen))

    def packet(self, frame: bytes, number: int, *, comment: int = 0, interface: int = 0) -> Writer:
        head = struct.pack(self.order + "IIIII", interface, 0, number, len(frame), len(frame))
        return self.block(6, head + frame + bytes(-len(frame) % 4) + self.comment(comment))

    def simple(self, frame: bytes) -> Writer:
        return self.block(3, struct.pack(self.order + "I", len(frame)) + frame + bytes(-len(frame) % 4))

    def comment(self, length: int) -> bytes:
        words = b"x" * length + bytes(-length % 4)
        return struct.pack(self.order + "HH", 1, length) + words + bytes(4) if length else b""


def plain(writer: Writer) -> None:
    for number, frame in enumerate(FRAMES):
        writer.packet(frame, number)


def commented(writer: Writer) -> None:
    for number, frame in enumerate(FRAMES):
        writer.packet(frame, number, comment=number % 3 * 700)


def interfaces(writer: Writer) -> None:
    writer.interface().interface()
    for number, frame in enumerate(FRAMES):
        writer.packet(frame, number, interface=number % 3)


def simple(writer: Writer) -> None:
    for frame in FRAMES:
        writer.simple(frame)


def statistics_between(writer: Writer) -> None:
    for number, frame in enumerate(FRAMES):
        writer.packet(frame, number).block(5, bytes(12))


def made(tmp_path: Path, fill: Callable[[Writer], None], *, order: str = "<", comment: int = 0) -> Path:
    writer = Writer(order).section(comment).interface()
    fill(writer)
    path = tmp_path / "x.pcapng"
    path.write_bytes(writer.data)
    return path


def wanted_of(capture: Path, every: int = 1) -> Wanted:
    """Every so many sessions' packets, as an export would want them."""
    decoding = hayrick_decode.decode(capture, chunk=KEY)
    documents = [line for batch in decoding for line in _sessions(batch)][::every]
    places = sorted({place for each in documents for place in zip(each[0], each[1], strict=True)})
    positions, lengths = (array("q", column) for column in zip(*places, strict=True))
    summary = decoding.summary
    return Wanted(
        "s1", KEY, positions, lengths, capture.stat().st_size, summary["format"] == "pcapng", summary["seekable"]
    )


def _sessions(batch: hayrick_decode.Batch) -> list[tuple[list[int], list[int]]]:
    import json

    documents = [json.loads(line) for line in batch.ndjson().splitlines()]
    return [(each["packetPos"], each["packetLen"]) for each in documents]


def fetched(folder: Path, sensor: Sensor, wanted: Wanted, keys: KeyRing | None = None) -> Fetcher:
    fetcher = Fetcher(folder, cache_bytes=10_000_000, seconds=20, pull=sensor.pull, keys=keys)
    asyncio.run(fetcher.fetch([wanted]))
    return fetcher


@pytest.mark.parametrize("fill", [plain, commented, interfaces, simple, statistics_between])
@pytest.mark.parametrize(("order", "comment"), [("<", 0), (">", 0), ("<", 20_000)])
def test_packets_of_any_pcapng_come(tmp_path: Path, fill: Callable[[Writer], None], order: str, comment: int) -> None:
    capture = made(tmp_path, fill, order=order, comment=comment)
    wanted = wanted_of(capture, every=5)
    here = fetched(tmp_path / "cache", sensor := Sensor(capture), wanted)
    assert (wanted.missing, wanted.reason) == (0, "")
    with here.opener(KEY)() as file:
        found = hayrick_decode.read_packets(file, list(wanted.here), seekable=True)
    assert found == hayrick_decode.read_packets(capture, list(wanted.positions))
    assert sensor.asked <= 6
    again = wanted_of(capture, every=5)
    asyncio.run(Fetcher(tmp_path / "cache", cache_bytes=1, seconds=20).fetch([again]))
    assert again.missing == 0


def test_only_what_is_wanted_of_a_pcapng_crosses_the_line(tmp_path: Path) -> None:
    def long(writer: Writer) -> None:
        for _ in range(40):
            plain(writer)

    capture = made(tmp_path, long)
    wanted = wanted_of(capture, every=100)
    fetched(tmp_path / "cache", sensor := Sensor(capture), wanted)
    assert wanted.missing == 0
    assert sensor.sent < capture.stat().st_size / 10
    assert sensor.asked == 1


def test_a_pcapng_that_describes_interfaces_between_packets_is_said(tmp_path: Path) -> None:
    capture = made(tmp_path, lambda writer: plain(writer.packet(FRAMES[0], 0).interface()))
    wanted = wanted_of(capture)
    fetched(tmp_path / "cache", sensor := Sensor(capture), wanted)
    assert "between packets" in wanted.reason
    assert sensor.asked == 0


def test_a_head_without_end_is_not_asked_for_for_ever(tmp_path: Path) -> None:
    capture = made(tmp_path, plain, comment=60_000)
    wanted = wanted_of(capture)
    writer = Writer()
    writer.section()
    while len(writer.data) < wanted.size:
        writer.block(0x0BAD, bytes(8192))
    capture.write_bytes(writer.data)
    fetched(tmp_path / "cache", Sensor(capture), wanted)
    assert wanted.missing == len(wanted.positions)
    assert wanted.reason.startswith("s1: ")


@pytest.mark.parametrize("how", ["short", "long", "empty", "zeros", "no header", "other packets"])
def test_wrong_answers_for_a_pcapng_are_said_and_never_kept(tmp_path: Path, how: str) -> None:
    capture = made(tmp_path, commented)
    wanted = wanted_of(capture)
    fetched(tmp_path / "cache", Hostile(capture, how), wanted)
    assert not wanted.here
    assert wanted.reason.startswith("s1: ")
    again = wanted_of(capture)
    fetched(tmp_path / "cache", Sensor(capture), again)
    assert again.missing == 0


@pytest.fixture
def keys(tmp_path: Path) -> KeyRing:
    add_key(tmp_path / "keys")
    return KeyRing(tmp_path / "keys")


def test_where_the_archive_is_sealed_so_is_what_was_fetched(tmp_path: Path, keys: KeyRing) -> None:
    capture = made(tmp_path, commented)
    wanted = wanted_of(capture)
    here = fetched(tmp_path / "cache", sensor := Sensor(capture), wanted, keys)
    assert wanted.missing == 0
    assert packets(here, wanted) == hayrick_decode.read_packets(capture, list(wanted.positions))
    (path,) = (tmp_path / "cache").rglob("*.pieces")
    assert not any(frame[-20:] in path.read_bytes() for frame in FRAMES)
    asked = sensor.asked
    add_key(tmp_path / "keys")  # what an older key sealed is still of use
    again = wanted_of(capture)
    fetched(tmp_path / "cache", sensor, again, keys)
    assert (again.missing, sensor.asked) == (0, asked)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    changed = wanted_of(capture)
    here = fetched(tmp_path / "cache", sensor, changed, keys)
    assert changed.missing == 0
    assert sensor.asked > asked
    assert packets(here, changed) == hayrick_decode.read_packets(capture, list(changed.positions))


def test_what_was_kept_in_the_clear_goes_once_the_archive_is_sealed(tmp_path: Path, keys: KeyRing) -> None:
    capture = made(tmp_path, plain)
    fetched(tmp_path / "cache", Sensor(capture), wanted_of(capture))
    sealing = Fetcher(tmp_path / "cache", cache_bytes=10_000_000, seconds=20, keys=keys)
    sealing.prepare()
    assert not list((tmp_path / "cache").rglob("*.pieces"))


def test_without_the_key_nothing_is_kept_and_the_reason_is_said(tmp_path: Path, keys: KeyRing) -> None:
    capture = made(tmp_path, plain)
    (tmp_path / "keys").unlink()
    wanted = wanted_of(capture)
    fetched(tmp_path / "cache", Sensor(capture), wanted, keys)
    assert not wanted.here
    assert "keys" in wanted.reason
