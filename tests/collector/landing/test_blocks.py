"""A block from a hostile sensor costs a refusal, and never more memory than a block may have."""

from __future__ import annotations

import os
import resource

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from hayrick_collector.landing.blocks import unpacked
from hayrick_common import wire
from hayrick_common.errors import WireError


def block(body: bytes, encoding: str = wire.ZSTD) -> wire.Block:
    return wire.Block("k", 0, encoding, body)


def bomb(size: int) -> bytes:
    return zstandard.ZstdCompressor(level=19).compress(bytes(size))


def test_a_frame_comes_out_as_it_went_in_and_goes_on_as_it_came() -> None:
    data = os.urandom(1000) * 20
    frame = zstandard.ZstdCompressor(level=1).compress(data)
    assert unpacked(block(frame)) == (block(data, wire.RAW), frame)


def test_a_raw_block_is_left_alone() -> None:
    assert unpacked(block(b"abc", wire.RAW)) == (block(b"abc", wire.RAW), None)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (bomb(wire.BODY_MAX_BYTES + 1), wire.ZSTD),
        (bomb(1 << 30), wire.ZSTD),
        (zstandard.ZstdCompressor(write_content_size=False).compress(b"abc"), wire.ZSTD),
        (zstandard.ZstdCompressor().compress(b"abc") * 2, wire.ZSTD),
        (zstandard.ZstdCompressor().compress(b"abc") + b"more", wire.ZSTD),
        (zstandard.ZstdCompressor().compress(b""), wire.ZSTD),
        (b"", wire.ZSTD),
        (b"no frame at all", wire.ZSTD),
    ],
    ids=["too-large", "bomb", "size-unknown", "two-frames", "trailing", "empty", "nothing", "text"],
)
def test_anything_but_one_frame_of_a_blocks_size_is_refused(body: bytes, encoding: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(WireError, match="block: "):
        unpacked(block(body, encoding))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 << 10


@given(st.binary(min_size=1, max_size=3000), st.data())
def test_a_damaged_frame_is_refused_or_is_a_frame_of_another_body(data: bytes, choose: st.DataObject) -> None:
    frame = bytearray(zstandard.ZstdCompressor(level=1, write_checksum=True).compress(data))
    frame[choose.draw(st.integers(0, len(frame) - 1))] ^= choose.draw(st.integers(1, 255))
    try:
        plain, _ = unpacked(block(bytes(frame)))
    except WireError:
        return
    assert isinstance(plain, wire.Block)
    assert 0 < len(plain.body) <= wire.BODY_MAX_BYTES
