"""Compressing blocks on their way out, where that is worth its while: encrypted traffic does not shrink."""

from __future__ import annotations

import zstandard

from hayrick_common import wire

LEVEL = 1
WORTH = 0.95  # what is not below this share of its size goes as it is
PATIENCE = 8  # after a block that did not shrink, so many of the chunk go untried


class Packer:
    """`pack` blocks of chunks in the order in which they go. One call at a time, from any thread."""

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        self._chunk = ""
        self._untried = 0

    def pack(self, key: str, data: bytes) -> tuple[str, bytes]:
        """Encoding and body for a block of the chunk `key`."""
        if key != self._chunk:
            self._chunk, self._untried = key, 0
        if self._untried:
            self._untried -= 1
            return wire.RAW, data
        packed: bytes = self._compressor.compress(data)
        if len(packed) < len(data) * WORTH:
            return wire.ZSTD, packed
        self._untried = PATIENCE
        return wire.RAW, data
