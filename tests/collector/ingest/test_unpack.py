"""Compressed input: the same bytes come out whatever the slices, and damage gives what there was and a name."""

from __future__ import annotations

import gzip
import random

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from hayrick_collector.ingest.unpack import DAMAGED, TRUNCATED, Unpacker

PLAIN = b"\xd4\xc3\xb2\xa1" + random.Random(5).randbytes(60_000) + bytes(60_000)
PACKINGS = {
    "plain": PLAIN,
    "gzip": gzip.compress(PLAIN),
    "two gzip members": gzip.compress(PLAIN[:1000]) + gzip.compress(PLAIN[1000:]),
    "gzip with padding": gzip.compress(PLAIN) + bytes(512),
    "zstd": zstandard.compress(PLAIN),
    "two zstd frames": zstandard.compress(PLAIN[:1000]) + zstandard.compress(PLAIN[1000:]),
    "zstd after a skippable frame": b"\x50\x2a\x4d\x18\x04\0\0\0skip" + zstandard.compress(PLAIN),
}


def unpack(packed: bytes, size: int) -> tuple[bytes, str | None]:
    unpacker = Unpacker()
    pieces = [piece for start in range(0, len(packed), size) for piece in unpacker.feed(packed[start : start + size])]
    pieces += unpacker.finish()
    return b"".join(pieces), unpacker.anomaly


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("size", [1, 3, 4096, 1 << 20])
def test_same_bytes_come_out_however_they_were_packed_and_cut(packing: str, size: int) -> None:
    packed = PACKINGS[packing]
    plain, anomaly = unpack(packed if size > 3 else packed[:0] + packed, size)
    assert plain == PLAIN
    assert anomaly is None


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_cut_file_gives_what_there_was_and_says_so(packing: str) -> None:
    packed = PACKINGS[packing]
    plain, anomaly = unpack(packed[: len(packed) * 2 // 3], 4096)
    assert anomaly == TRUNCATED
    assert PLAIN.startswith(plain)


def test_damaged_gzip_gives_what_there_was_and_says_so() -> None:
    packed = bytearray(PACKINGS["gzip"])
    packed[40_000:40_064] = b"\xff" * 64
    plain, anomaly = unpack(bytes(packed), 4096)
    assert anomaly == DAMAGED
    assert PLAIN.startswith(plain[:30_000])
    assert len(plain) > 30_000


def test_file_shorter_than_a_magic_number_comes_out_as_it_is() -> None:
    assert unpack(b"\x1f\x8b", 1)[0] == b""
    assert unpack(b"ab", 1) == (b"ab", None)
    assert unpack(b"", 1) == (b"", None)


def test_bomb_swells_in_bounded_steps() -> None:
    unpacker = Unpacker()
    bomb = zstandard.compress(bytes(200 << 20))
    assert max(len(piece) for piece in unpacker.feed(bomb)) <= 64 << 20


@given(st.binary(max_size=300), st.sampled_from([b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd", b""]))
def test_no_bytes_make_it_raise(tail: bytes, head: bytes) -> None:
    unpack(head + tail, 7)
