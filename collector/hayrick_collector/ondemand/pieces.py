"""Parts of a capture as a file: each byte at its own offset, and nothing in between.

Format (docs/FORMAT.md): a magic, then pieces, each offset (u64), length (u32), CRC-32 of both and the bytes (u32), and
the bytes. Appended only; a piece that was cut or damaged ends what is there.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path

from hayrick_collector.archive.seekable import Seekable
from hayrick_collector.ondemand.ranges import Range

MAGIC = b"HRPIECE1"
_HEAD = struct.Struct("<QII")
MOST_BYTES = 1 << 20


class Pieces(Seekable):
    """The pieces in the file at `path`, which need not be there; `verify` reads all of them. For one thread."""

    def __init__(self, path: Path, *, verify: bool = False) -> None:
        super().__init__()
        self._starts: list[int] = []
        self._found: list[tuple[int, int, int]] = []
        self.end = 0
        try:
            self._file: io.BufferedReader | None = path.open("rb")
        except FileNotFoundError:
            self._file = None
            return
        self._found = sorted(self._scan(self._file, verify))
        self._starts = [offset for offset, _, _ in self._found]

    def _scan(self, file: io.BufferedReader, verify: bool) -> list[tuple[int, int, int]]:
        found: list[tuple[int, int, int]] = []
        if file.read(len(MAGIC)) != MAGIC:
            return found
        size = os.fstat(file.fileno()).st_size
        self.end = len(MAGIC)
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            offset, length, checksum = _HEAD.unpack(head)
            place = self.end + _HEAD.size
            if length > MOST_BYTES or place + length > size:
                break
            if verify and checksum != _checksum(offset, file.read(length)):
                break
            found.append((offset, length, place))
            self.end = place + length
            file.seek(self.end)
        return found

    def holds(self, offset: int, length: int) -> bool:
        """Whether one piece has all of these bytes."""
        at = bisect_right(self._starts, offset) - 1
        return at >= 0 and offset + length <= self._found[at][0] + self._found[at][1]

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_END:
            raise io.UnsupportedOperation("parts of a file have no end")
        self._place = max(0, offset + (self._place if whence == os.SEEK_CUR else 0))
        return self._place

    def read(self, size: int | None = -1, /) -> bytes:
        """At most to the end of the piece; nothing where there is none."""
        at = bisect_right(self._starts, self._place) - 1
        if at < 0 or self._file is None:
            return b""
        offset, length, place = self._found[at]
        left = offset + length - self._place
        if left <= 0:
            return b""
        self._file.seek(place + self._place - offset)
        data = self._file.read(left if size is None or size < 0 else min(size, left))
        self._place += len(data)
        return data

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()


def append(path: Path, end: int, pieces: Iterable[tuple[Range, bytes]]) -> int:
    """Write pieces at `end`, where the whole ones end (0: a new file); returns the new end."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o640), "r+b") as file:
        file.truncate(end)
        file.seek(end)
        if end == 0:
            file.write(MAGIC)
        for (offset, length), data in pieces:
            file.write(_HEAD.pack(offset, length, _checksum(offset, data)) + data)
        return file.tell()


def _checksum(offset: int, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(struct.pack("<QI", offset, len(data))))
