"""Compressed captures undone as their bytes come: gzip and zstd by content, anything else passed through.

A damaged or cut file gives what could be unpacked, and a named anomaly. Input is fed in small slices, so that a bomb
swells in bounded steps that the caller can stop.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

import zstandard

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
ZSTD_SKIPPABLE = b"\x2a\x4d\x18"  # follows one byte, 0x50 to 0x5f
HEAD = 4
_SLICE = 2048  # zstd can swell 30 thousand times: 60 MiB a slice at the very worst

DAMAGED = "compressed-file-damaged"
TRUNCATED = "compressed-file-truncated"


class _Step(Protocol):
    """A decompressor of one member: as `zlib.decompressobj`."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


class Unpacker:
    """Feed it a file's bytes in order, take the plain bytes. At the end `anomaly` names what was wrong, or None."""

    def __init__(self) -> None:
        self.anomaly: str | None = None
        self._head = b""
        self._new: type[_Gzip | _Zstd] | None = None
        self._member: _Step | None = None
        self._sniffed = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The plain bytes that `data` completes."""
        if not self._sniffed:
            self._head += data
            if len(self._head) < HEAD:
                return
            data = self._sniff()
        yield from self._unpack(data)

    def finish(self) -> Iterator[bytes]:
        """What is left when the file has ended."""
        if not self._sniffed and self._head:
            yield from self._unpack(self._sniff())
        if self._member is not None and not self._member.eof and self.anomaly is None:
            self.anomaly = TRUNCATED

    def _sniff(self) -> bytes:
        head, self._head, self._sniffed = self._head, b"", True
        if head.startswith(GZIP_MAGIC):
            self._new = _Gzip
        elif head.startswith(ZSTD_MAGIC) or (head[1:4] == ZSTD_SKIPPABLE and 0x50 <= head[0] <= 0x5F):
            self._new = _Zstd
        return head

    def _unpack(self, data: bytes) -> Iterator[bytes]:
        if self._new is None:
            yield data
            return
        for start in range(0, len(data), _SLICE):
            yield from self._slice(data[start : start + _SLICE])

    def _slice(self, data: bytes) -> Iterator[bytes]:
        while data and self.anomaly is None and self._new is not None:
            if self._member is None or self._member.eof:
                if self._member is not None and not data.strip(b"\0"):
                    return  # padding after the last member, as tapes leave it
                self._member = self._new()
            try:
                plain = self._member.decompress(data)
            except (zlib.error, zstandard.ZstdError):
                self.anomaly = DAMAGED
                return
            if plain:
                yield plain
            data = self._member.unused_data if self._member.eof else b""


class _Gzip:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, /) -> bytes:
        return self._inner.decompress(data)


class _Zstd:
    def __init__(self) -> None:
        self._inner = zstandard.ZstdDecompressor().decompressobj()

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, /) -> bytes:
        return self._inner.decompress(data)
