"""Records files: the sessions they give are those that decoding gives, and who wrote one cannot make it say more."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zstandard
from tests.collector.captures import dns_query, http_exchange, mixed_frames, write_pcap

import hayrick_decode

KEY = "s1.lan.0000000007.0123456789abcdef"
ORIGIN: dict[str, Any] = {"chunk": KEY, "node": "s1", "file": "x.pcap", "tags": ("case",), "indexed_ms": 5}


def _all(batches: Any) -> tuple[bytes, dict[str, Any]]:
    text = b"".join(batch.ndjson() for batch in batches)
    return text, dict(batches.summary)


def _items(data: bytes) -> list[Any]:
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return [msgpack.unpackb(item, strict_map_key=False) for item in msgpack.Unpacker(io.BytesIO(plain))]


def _file(items: list[Any]) -> bytes:
    stream = b"".join(b"\xc6" + len(body).to_bytes(4, "big") + body for body in map(msgpack.packb, items))
    return zstandard.ZstdCompressor().compress(stream)


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    return write_pcap(tmp_path / "x.pcap", mixed_frames())


@pytest.fixture
def records(capture: Path, tmp_path: Path) -> bytes:
    hayrick_decode.write_records(capture, tmp_path / "x.records")
    return (tmp_path / "x.records").read_bytes()


def _read(data: bytes, size: int, **other: Any) -> tuple[bytes, dict[str, Any]]:
    return _all(hayrick_decode.read_records(io.BytesIO(data), size=size, **{**ORIGIN, **other}))


def test_records_give_the_sessions_that_decoding_gives(tmp_path: Path) -> None:
    one_long = [dns_query("long.example", port=40009)] * 25_000  # three segments of one session
    capture = write_pcap(tmp_path / "x.pcap", [*mixed_frames(), *one_long, *http_exchange("/z")], step=0.001)
    with capture.open("ab") as file:
        file.write(b"cut")
    told = hayrick_decode.write_records(capture, tmp_path / "x.records", level=3)
    wanted = _all(hayrick_decode.decode(capture, **ORIGIN))
    found = _read((tmp_path / "x.records").read_bytes(), capture.stat().st_size)
    assert found == wanted
    assert told == wanted[1]
    assert wanted[1]["anomalies"]["truncated-file"] == 1
    assert wanted[1]["sessions"] == 7


def test_tables_of_records_are_those_of_decoding(capture: Path, records: bytes) -> None:
    (decoded,) = hayrick_decode.decode(capture, **ORIGIN)
    (read,) = hayrick_decode.read_records(io.BytesIO(records), size=capture.stat().st_size, **ORIGIN)
    assert {name: table.columns for name, table in read.tables().items()} == {
        name: table.columns for name, table in decoded.tables().items()
    }


def test_the_same_capture_gives_the_same_bytes(capture: Path, records: bytes, tmp_path: Path) -> None:
    hayrick_decode.write_records(capture, tmp_path / "again.records")
    assert (tmp_path / "again.records").read_bytes() == records


def test_fields_of_another_version_are_left_out_and_nothing_else(capture: Path, records: bytes) -> None:
    size = capture.stat().st_size
    head, *rest = _items(records)
    number = len(head["fields"])
    head["fields"].append(["of.tomorrow", "text"])
    for item in rest[:-1]:
        item[2][number] = [{"deep": [1, 2, {"a": b"x"}]}]
    assert _read(_file([head, *rest]), size) == _read(records, size)


def _twice(items: list[Any]) -> None:
    items.insert(1, items[1])


def _outside(items: list[Any]) -> None:
    items[1][3][0] += 1 << 40


def _before(items: list[Any]) -> None:
    items[1][3][0] = -5


def _huge_packet(items: list[Any]) -> None:
    items[1][4][0] = 1 << 31


def _many_packets(items: list[Any]) -> None:
    items[1][3] = [0] * 100_000
    items[1][4] = [16] * 100_000


def _another_first(items: list[Any]) -> None:
    items[1][0] += 1


def _other_format(items: list[Any]) -> None:
    items[0]["hayrick-records"] = 2


def _claims(items: list[Any]) -> None:
    """Says its own id, chunk and node: fields that a file has no say in."""
    names = [name for name, _ in items[0]["fields"]]
    for name in ("id", "chunk", "node", "file", "rootId"):
        items[1][2][names.index(name)] = "someone-else"


def _no_time(items: list[Any]) -> None:
    names = [name for name, _ in items[0]["fields"]]
    del items[1][2][names.index("firstPacket")]


def _late(items: list[Any]) -> None:
    names = [name for name, _ in items[0]["fields"]]
    items[1][2][names.index("lastPacket")] = 1 << 62


def _unnamed(items: list[Any]) -> None:
    items[1][2][60_000] = 1


def _no_end(items: list[Any]) -> None:
    items.pop()


def _more_after_the_end(items: list[Any]) -> None:
    items.append(items[1])


@pytest.mark.parametrize(
    "spoil",
    [
        _twice, _outside, _before, _huge_packet, _many_packets, _another_first, _other_format, _no_time, _late,
        _unnamed, _no_end, _more_after_the_end,
    ],
)  # fmt: skip
def test_a_spoilt_file_is_an_error(capture: Path, records: bytes, spoil: Callable[[list[Any]], None]) -> None:
    items = _items(records)
    spoil(items)
    with pytest.raises(ValueError, match="records"):
        _read(_file(items), capture.stat().st_size)


def test_a_file_has_no_say_in_whose_sessions_they_are(capture: Path, records: bytes) -> None:
    items = _items(records)
    _claims(items)
    assert _read(_file(items), capture.stat().st_size) == _read(records, capture.stat().st_size)
    other, _ = _read(records, capture.stat().st_size, chunk="s2.lan.0000000001.ffffffffffffffff", node="s2")
    assert KEY.encode() not in other


def test_no_damage_does_more_than_fail(capture: Path, records: bytes) -> None:
    draw = random.Random(4)
    size = capture.stat().st_size
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(records)
    for _ in range(1500):
        damaged = bytearray(plain)
        for _ in range(draw.randint(1, 4)):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        try:
            _read(zstandard.ZstdCompressor(level=1).compress(bytes(damaged[: draw.randint(1, len(damaged))])), size)
        except ValueError:
            continue


def test_a_file_that_swells_is_given_up(capture: Path, records: bytes) -> None:
    """Ten items of fifteen MiB of nothing each, in a few kilobytes."""
    items = _items(records)
    bomb = b"\xc6" + (15 << 20).to_bytes(4, "big") + b"\x00" * (15 << 20)
    head = msgpack.packb(items[0])
    stream = b"\xc6" + len(head).to_bytes(4, "big") + head + bomb * 10
    data = zstandard.ZstdCompressor().compress(stream)
    assert len(data) < 100_000
    with pytest.raises(ValueError, match="records"):
        _read(data, capture.stat().st_size)


def test_what_is_no_capture_makes_no_records(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"no capture at all, just words")
    with pytest.raises(ValueError, match="not a capture"):
        hayrick_decode.write_records(tmp_path / "x", tmp_path / "y")
