"""Reading stored files, whatever their form: one seekable object, which undoes only the frames that are asked for."""

from __future__ import annotations

import hashlib
import io
import os
from abc import abstractmethod
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, cast

from hayrick_collector.archive import sealed, zstdframes
from hayrick_collector.archive.container import (
    SEALED_SUFFIX,
    SUFFIXES,
    ZSTD_SUFFIX,
    decompressed,
    unsealed,
    with_suffix,
)
from hayrick_collector.archive.keyring import KeyRing
from hayrick_collector.archive.seekable import Seekable
from hayrick_common.errors import ArchiveError, KeyFileError

CACHED_FRAMES = 2  # a packet may lie across two


def open_file(path: Path, keys: KeyRing | None = None) -> BinaryIO:
    """A stored file's uncompressed bytes: seekable, read-only, for one thread at a time.

    Raises OSError, ArchiveError when the file is damaged (then or while reading), KeyFileError when its key is missing.
    Who knew its path before it was brought into a later form finds it still; never one that is less protected.
    """
    try:
        return _opened(path, keys)
    except FileNotFoundError:
        form = path.suffix if path.suffix in SUFFIXES else ""
        later = [with_suffix(path, suffix) for suffix in SUFFIXES[SUFFIXES.index(form) + 1 :]]
        found = next((each for each in later if each.exists()), None)
        if found is None:
            raise
        return _opened(found, keys)


def digest_of(path: Path, keys: KeyRing | None = None) -> str:
    """SHA-256 of a stored file's uncompressed bytes, in hex. Raises as `open_file` and reading do."""
    with open_file(path, keys) as file:
        return hashlib.file_digest(cast(io.BufferedReader, file), "sha256").hexdigest()


def _opened(path: Path, keys: KeyRing | None) -> BinaryIO:
    if path.suffix == SEALED_SUFFIX:
        return cast(BinaryIO, SealedFile(path, keys))
    return cast(BinaryIO, ZstdFile(path)) if path.suffix == ZSTD_SUFFIX else path.open("rb")


class FrameFile(Seekable):
    """A file of frames. `undone` counts those that were decompressed or unsealed so far."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.undone = 0
        self._cache: OrderedDict[int, bytes] = OrderedDict()
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._stored_size = os.fstat(self._descriptor).st_size
            start, frames = self._index()
        except ValueError as error:
            self.close()
            raise ArchiveError(f"{path} {error}") from error
        except BaseException:
            self.close()
            raise
        self._stored = list(accumulate((stored for stored, _ in frames), initial=start))
        self._plain = list(accumulate((plain for _, plain in frames), initial=0))

    @property
    def key_name(self) -> str | None:
        """Name of the key it is sealed with."""
        return None

    @property
    def size(self) -> int:
        """Uncompressed bytes."""
        return self._plain[-1]

    def close(self) -> None:
        if not self.closed:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
        super().close()

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._place = max(0, offset + (0, self._place, self.size)[whence])
        return self._place

    def read(self, size: int | None = -1, /) -> bytes:
        """`size` bytes, fewer only at the end."""
        left = max(0, self.size - self._place)
        left = left if size is None or size < 0 else min(size, left)
        pieces = []
        while left:
            piece = self._piece(left)
            pieces.append(piece)
            left -= len(piece)
            self._place += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def readall(self) -> bytes:
        return self.read()

    def frames(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Each frame's bytes, and the zstd frame that it is stored as, if it is one; checked like a read."""
        for number in range(len(self._plain) - 1):
            yield self._undone(number)

    def _piece(self, most: int) -> bytes:
        number = bisect_right(self._plain, self._place) - 1
        frame = self._cache.get(number)
        if frame is None:
            frame = self._frame(number)
        self._cache.move_to_end(number)
        start = self._place - self._plain[number]
        return frame if start == 0 and most >= len(frame) else frame[start : start + most]

    def _frame(self, number: int) -> bytes:
        data = self._cache[number] = self._undone(number)[0]
        self.undone += 1
        if len(self._cache) > CACHED_FRAMES:
            self._cache.popitem(last=False)
        return data

    def _undone(self, number: int) -> tuple[bytes, bytes | None]:
        at, end = self._stored[number], self._stored[number + 1]
        offset, length = self._plain[number], self._plain[number + 1] - self._plain[number]
        try:
            data, frame = self._undo(self._bytes(at, end - at), number, offset)
            if len(data) != length:
                raise ValueError("has another length than was told at the end of the file")
        except ValueError as error:
            raise ArchiveError(f"{self.path}: frame {number} (bytes {at} to {end - 1}) {error}") from error
        return data, frame

    def _bytes(self, at: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, at)

    @abstractmethod
    def _index(self) -> tuple[int, Sequence[tuple[int, int]]]:
        """Where the first frame begins, and each frame's stored and uncompressed length. Raises ValueError."""

    @abstractmethod
    def _undo(self, stored: bytes, number: int, offset: int) -> tuple[bytes, bytes | None]:
        """The frame's bytes, and the zstd frame they were in. Raises ValueError when it is damaged."""


class ZstdFile(FrameFile):
    """Seekable zstd."""

    def _index(self) -> tuple[int, Sequence[tuple[int, int]]]:
        footer = self._bytes(max(0, self._stored_size - zstdframes.FOOTER_BYTES), zstdframes.FOOTER_BYTES)
        length = zstdframes.table_length(footer, self._stored_size)
        return 0, zstdframes.read_table(self._bytes(self._stored_size - length, length), self._stored_size)

    def _undo(self, stored: bytes, number: int, offset: int) -> tuple[bytes, bytes | None]:
        if zstdframes.frame_length(stored) != len(stored):
            raise ValueError("is damaged: it has another length than the seek table tells")
        return decompressed(stored, zstdframes.plain_length(stored)), stored


class SealedFile(FrameFile):
    """The sealed container."""

    def __init__(self, path: Path, keys: KeyRing | None) -> None:
        self._keys = keys
        super().__init__(path)

    @property
    def key_name(self) -> str | None:
        return self._seal.key_name

    def _index(self) -> tuple[int, Sequence[tuple[int, int]]]:
        try:
            self._seal = sealed.Seal.of(self._bytes(0, sealed.HEADER_BYTES), self._keys)
        except KeyFileError as error:
            raise KeyFileError(f"{self.path} {error}") from error
        if self._stored_size < sealed.HEADER_BYTES + sealed.FOOTER_BYTES:
            raise ValueError("is cut short")
        footer = self._bytes(self._stored_size - sealed.FOOTER_BYTES, sealed.FOOTER_BYTES)
        at = sealed.index_place(footer, self._stored_size)
        index = self._bytes(at, self._stored_size - sealed.FOOTER_BYTES - at)
        try:
            return sealed.HEADER_BYTES, self._seal.open_index(index, footer)
        except ValueError as error:
            raise ValueError(f"has a damaged header (bytes 0 to 55) or index (from byte {at}): {error}") from error

    def _undo(self, stored: bytes, number: int, offset: int) -> tuple[bytes, bytes | None]:
        return unsealed(self._seal, sealed.read_head(stored), stored[sealed.HEAD_BYTES :], number, offset)
