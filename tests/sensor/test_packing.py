"""Blocks go compressed where that saves something, and cost nothing where it does not."""

from __future__ import annotations

import os

import zstandard

from hayrick_common import wire
from hayrick_sensor.packing import PATIENCE, Packer


def test_text_travels_as_one_frame_that_tells_its_size() -> None:
    data = b"GET / HTTP/1.1\r\n" * 1000
    encoding, body = Packer().pack("a", data)
    assert encoding == wire.ZSTD
    assert zstandard.frame_content_size(body) == len(data)
    assert zstandard.ZstdDecompressor().decompress(body, allow_extra_data=False) == data


def test_what_does_not_shrink_goes_as_it_is_and_is_rarely_tried_again() -> None:
    packer, text = Packer(), b"text " * 1000
    noise = os.urandom(5000)
    assert packer.pack("a", noise) == (wire.RAW, noise)
    assert [packer.pack("a", text)[0] for _ in range(PATIENCE + 1)] == [wire.RAW] * PATIENCE + [wire.ZSTD]


def test_one_chunk_says_nothing_of_the_next() -> None:
    packer = Packer()
    packer.pack("a", os.urandom(5000))
    assert packer.pack("b", b"text " * 1000)[0] == wire.ZSTD


def test_a_frame_tells_when_it_was_damaged() -> None:
    """It is stored as it is: what rots on the collector's disk must be told from what was captured."""
    _, packed = Packer().pack("k", b"packets " * 1000)
    assert zstandard.get_frame_parameters(packed).has_checksum
