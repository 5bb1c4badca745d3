"""Compressing blocks on their way out, where that is worth its while: encrypted traffic does not shrink."""

from __future__ import annotations

import threading

import zstandard

from hayrick_common import wire

# Level 1's fast search, with matches from 4 bytes on: on mixed traffic it saves what level 3 saves, at half its cost.
MATCH_BYTES = 4
HASH_LOG = 15
WORTH = 0.95  # what is not below this share of its size goes as it is
PATIENCE = 8  # after a block that did not shrink, so many of the chunk go untried
CHUNKS = 64  # of how many chunks that is remembered

_own = threading.local()


def frame_of(data: bytes | memoryview) -> bytes:
    """The bytes as one zstd frame that tells its size: equal bytes give equal frames."""
    known: zstandard.ZstdCompressor | None = getattr(_own, "compressor", None)
    if known is None:
        parameters = zstandard.ZstdCompressionParameters.from_level(
            1, source_size=1 << 20, min_match=MATCH_BYTES, hash_log=HASH_LOG, write_checksum=True
        )
        known = _own.compressor = zstandard.ZstdCompressor(compression_params=parameters)
    frame: bytes = known.compress(data)
    return frame


def packed(data: bytes | memoryview) -> tuple[str, bytes]:
    """Encoding and body: a zstd frame where that saves enough, else the bytes as they are."""
    frame = frame_of(data)
    return (wire.ZSTD, frame) if len(frame) < len(data) * WORTH else (wire.RAW, bytes(data))


class Packer:
    """`pack` blocks of chunks, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._untried: dict[str, int] = {}

    def pack(self, key: str, data: bytes | memoryview) -> tuple[str, bytes]:
        """Encoding and body for a block of the chunk `key`."""
        if self._hopeless(key):
            return wire.RAW, bytes(data)
        encoding, body = packed(data)
        if encoding == wire.ZSTD:
            return encoding, body
        with self._lock:
            self._untried[key] = PATIENCE
            while len(self._untried) > CHUNKS:
                del self._untried[next(iter(self._untried))]
        return encoding, body

    def _hopeless(self, key: str) -> bool:
        with self._lock:
            left = self._untried.pop(key, 0)
            if left > 1:
                self._untried[key] = left - 1
            return left > 0
