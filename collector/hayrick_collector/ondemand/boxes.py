"""How pulled packets lie in a file: in the clear with checksums, or sealed under the archive's keys.

Format (docs/FORMAT.md): the box's beginning, then pieces, each with its own head. Both are pure: bytes in, bytes out.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple, Protocol

from hayrick_collector.archive import sealed
from hayrick_collector.archive.keyring import KeyRing
from hayrick_common.errors import KeyFileError

MAGIC_BYTES = 8
BEGINNING_BYTES = MAGIC_BYTES + sealed.HEADER_BYTES  # of the longer of the two
MOST_BYTES = 1 << 20  # of one piece


class Head(NamedTuple):
    """A piece: offset and length in the capture, and the bytes that follow its head in the file."""

    offset: int
    length: int
    stored: int


class Box(Protocol):
    """One file's way of keeping pieces; `beginning` is what the file begins with, `head_bytes` a head's size."""

    beginning: bytes
    head_bytes: int

    def head(self, raw: bytes) -> Head:
        """Raises ValueError when it cannot be one."""

    def close(self, number: int, offset: int, data: bytes) -> bytes:
        """The piece `number` of the file as it is written."""

    def open(self, raw: bytes, stored: bytes, number: int) -> bytes:
        """The bytes of a piece by its head and what follows it. Raises ValueError when they are not what was closed."""


class Clear:
    """Magic `HRPIECE1`; a head is offset (u64), length (u32), CRC-32 of both and the bytes (u32)."""

    _HEAD = struct.Struct("<QII")
    beginning = b"HRPIECE1"
    head_bytes = _HEAD.size

    def head(self, raw: bytes) -> Head:
        offset, length, _ = self._HEAD.unpack(raw)
        return Head(offset, length, length)

    def close(self, number: int, offset: int, data: bytes) -> bytes:
        return self._HEAD.pack(offset, len(data), self._checksum(offset, data)) + data

    def open(self, raw: bytes, stored: bytes, number: int) -> bytes:
        offset, length, checksum = self._HEAD.unpack(raw)
        if len(stored) != length or checksum != self._checksum(offset, stored):
            raise ValueError("a piece is cut or damaged")
        return stored

    @staticmethod
    def _checksum(offset: int, data: bytes) -> int:
        return zlib.crc32(data, zlib.crc32(struct.pack("<QI", offset, len(data))))


class Sealed:
    """Magic `HRPIECE2` and a sealed file's header; a head is offset (u64) and a sealed frame's head."""

    MAGIC = b"HRPIECE2"
    _OFFSET = struct.Struct("<Q")
    head_bytes = _OFFSET.size + sealed.HEAD_BYTES

    def __init__(self, seal: sealed.Seal) -> None:
        self.beginning = self.MAGIC + seal.header
        self._seal = seal

    def head(self, raw: bytes) -> Head:
        head = sealed.read_head(raw[self._OFFSET.size :])
        return Head(self._OFFSET.unpack_from(raw)[0], head.plain, head.length)

    def close(self, number: int, offset: int, data: bytes) -> bytes:
        return self._OFFSET.pack(offset) + self._seal.frame(number, offset, len(data), sealed.PLAIN, data)

    def open(self, raw: bytes, stored: bytes, number: int) -> bytes:
        offset = self._OFFSET.unpack_from(raw)[0]
        return self._seal.open(sealed.read_head(raw[self._OFFSET.size :]), stored, number, offset)


def new_box(keys: KeyRing | None) -> Box:
    """For a new file: sealed where the archive is. Raises KeyFileError when its keys cannot be had."""
    return Sealed(sealed.Seal.new(keys)) if keys else Clear()


def box_of(beginning: bytes, keys: KeyRing | None) -> Box | None:
    """By a file's first bytes. None when it is of no use: damaged, its key is gone, or in the clear where the archive
    is sealed."""
    if beginning.startswith(Clear.beginning):
        return None if keys else Clear()
    if not beginning.startswith(Sealed.MAGIC) or keys is None:
        return None
    try:
        return Sealed(sealed.Seal.of(beginning[MAGIC_BYTES:], keys))
    except (KeyFileError, ValueError):
        return None
