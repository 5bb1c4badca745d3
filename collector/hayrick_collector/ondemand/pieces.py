"""Parts of a capture as a file: each byte at its own offset, and nothing in between.

Appended only; a piece that was cut or damaged ends what is there. How a piece lies in the file is its box's.
"""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from hayrick_collector.archive.keyring import KeyRing
from hayrick_collector.archive.seekable import Seekable
from hayrick_collector.ondemand.boxes import BEGINNING_BYTES, MOST_BYTES, Box, box_of, new_box
from hayrick_collector.ondemand.ranges import Range


class _Place(NamedTuple):
    offset: int
    length: int
    at: int  # of its head in the file
    stored: int
    number: int


class Pieces(Seekable):
    """The pieces in the file at `path`, which need not be there; `verify` reads all of them. For one thread."""

    def __init__(self, path: Path, keys: KeyRing | None = None, *, verify: bool = False) -> None:
        super().__init__()
        self.box: Box | None = None
        self.end = self.count = 0
        self._found: list[_Place] = []
        self._starts: list[int] = []
        self._last: tuple[int, bytes] = (-1, b"")
        try:
            self._file: io.BufferedReader | None = path.open("rb")
        except FileNotFoundError:
            self._file = None
            return
        beginning = self._file.read(BEGINNING_BYTES)
        self.box = box_of(beginning, keys)
        if self.box is not None:
            self._found = sorted(self._scan(self._file, self.box, verify))
        self._starts = [each.offset for each in self._found]

    def _scan(self, file: io.BufferedReader, box: Box, verify: bool) -> list[_Place]:
        found: list[_Place] = []
        size = os.fstat(file.fileno()).st_size
        self.end = file.seek(len(box.beginning))
        while len(raw := file.read(box.head_bytes)) == box.head_bytes:
            try:
                head = box.head(raw)
                end = self.end + box.head_bytes + head.stored
                if head.length > MOST_BYTES or end > size:
                    break
                if verify:
                    box.open(raw, file.read(head.stored), self.count)
            except ValueError:
                break
            found.append(_Place(head.offset, head.length, self.end, head.stored, self.count))
            self.count += 1
            self.end = file.seek(end)
        return found

    def holds(self, offset: int, length: int) -> bool:
        """Whether one piece has all of these bytes."""
        place = self._at(offset)
        return place is not None and offset + length <= place.offset + place.length

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_END:
            raise io.UnsupportedOperation("parts of a file have no end")
        self._place = max(0, offset + (self._place if whence == os.SEEK_CUR else 0))
        return self._place

    def read(self, size: int | None = -1, /) -> bytes:
        """At most to the end of the piece; nothing where there is none. Raises OSError when the piece is damaged."""
        place = self._at(self._place)
        left = place.offset + place.length - self._place if place else 0
        if place is None or left <= 0:
            return b""
        left = left if size is None or size < 0 else min(size, left)
        start = self._place - place.offset
        data = self._opened(place)[start : start + left]
        self._place += len(data)
        return data

    def bytes_at(self, offset: int, length: int) -> bytes:
        """Those bytes, or nothing when not one piece has them all."""
        if not self.holds(offset, length):
            return b""
        self.seek(offset)
        return self.read(length)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()

    def _at(self, offset: int) -> _Place | None:
        at = bisect_right(self._starts, offset) - 1 if self._found else -1
        return self._found[at] if at >= 0 else None

    def _opened(self, place: _Place) -> bytes:
        if self._last[0] == place.number:
            return self._last[1]
        assert self._file is not None
        assert self.box is not None
        self._file.seek(place.at)
        raw, stored = self._file.read(self.box.head_bytes), self._file.read(place.stored)
        try:
            data = self.box.open(raw, stored, place.number)
        except ValueError as error:
            raise OSError(f"{self._file.name}: {error}") from error
        self._last = (place.number, data)
        return data


def append(path: Path, after: Pieces, pieces: Iterable[tuple[Range, bytes]], keys: KeyRing | None) -> None:
    """Write pieces behind those of `after`, the file at `path` as it was read; what is of no use there goes. `after`
    counts them, but does not show them. Raises KeyFileError when they are to be sealed and there is no key.
    """
    box = after.box = after.box or new_box(keys)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o640), "r+b") as file:
        file.truncate(after.end)
        file.seek(after.end)
        if after.end == 0:
            file.write(box.beginning)
        for (offset, _), data in pieces:
            file.write(box.close(after.count, offset, data))
            after.count += 1
        after.end = file.tell()
