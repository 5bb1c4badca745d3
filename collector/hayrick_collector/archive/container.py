"""Writing stored files: as they came, as seekable zstd, or sealed; frame by frame, and on from any cut.

A `Writer` owns what is in the file up to the last whole frame. What a crash left behind that is cut off when it goes
on, and a write that fails leaves the file as it was before it.
"""

from __future__ import annotations

import errno
import os
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from io import FileIO
from pathlib import Path

import zstandard

from hayrick_collector.archive import sealed, zstdframes
from hayrick_collector.archive.keyring import KeyRing
from hayrick_common.errors import KeyFileError

LEVEL = 1
FRAME_BYTES = 512 << 10  # of what comes as a stream; a delivery's blocks are frames as they are
ZSTD_SUFFIX = ".zst"
SEALED_SUFFIX = ".enc"
SUFFIXES = ("", ZSTD_SUFFIX, SEALED_SUFFIX)
WINDOW_MAX = 8 << 20  # what a frame of any origin may make a decompressor hold
_READ_BYTES = 1 << 20
_AHEAD = 3  # frames of a stream that may be compressed while those before them are written
_shared = threading.local()


@dataclass(frozen=True)
class Form:
    """How new files are stored: `level` of zstd's compression, 0 for none; sealed when there are keys."""

    level: int = LEVEL
    keys: KeyRing | None = None

    @property
    def suffix(self) -> str:
        """What the form adds to a file's name."""
        if self.keys:
            return SEALED_SUFFIX
        return ZSTD_SUFFIX if self.level else ""

    def writer(self, file: FileIO) -> Writer:
        """Writes to `file`, which is open for reading and writing, unbuffered; `resume` it before the first frame."""
        if self.keys:
            return _Sealed(file, self.level, self.keys)
        return _Zstd(file, self.level) if self.level else _AsItCame(file, 0)


class Writer(ABC):
    """Appends frames. `offset` counts uncompressed bytes. Not for two threads at once; all raise OSError."""

    def __init__(self, file: FileIO, level: int) -> None:
        self._file = file
        self._level = level
        self._end = 0  # stored bytes of whole frames
        self._frames: list[tuple[int, int]] = []
        self._gathered = bytearray()
        self._ahead: deque[tuple[bytes, Future[bytes] | None]] = deque()
        self.offset = 0

    def resume(self, take: Callable[[bytes], object], limit: int) -> None:
        """Go on after the last whole frame that is in the file, and within `limit` uncompressed bytes.

        `take` is given the uncompressed bytes that stay.
        """
        self._end = self._begin()
        while found := self._next_frame():
            stored, data = found
            if self.offset + len(data) > limit:
                break
            take(data)
            self._count(stored, len(data))
        self._file.truncate(self._end)
        self._file.seek(self._end)

    def append(self, data: bytes, frame: bytes | None = None) -> None:
        """Add one frame: `data`, of which `frame` may be the zstd frame already. Whole, or not at all."""
        if data:
            stored = self._stored(data, frame)
            self._write(stored)
            self._count(len(stored), len(data))

    def write(self, data: bytes) -> None:
        """Add to a stream that is cut into frames here, and compressed beside the caller; `finish` adds the rest."""
        self._gathered += data
        while len(self._gathered) >= FRAME_BYTES:
            self._send_ahead(bytes(memoryview(self._gathered)[:FRAME_BYTES]))
            del self._gathered[:FRAME_BYTES]
            if len(self._ahead) > _AHEAD:
                self._take_up()

    def finish(self) -> None:
        """Add the rest of the stream, and what closes the file."""
        self._send_ahead(bytes(self._gathered))
        self._gathered.clear()
        while self._ahead:
            self._take_up()
        self._write(self._closing())

    def _send_ahead(self, data: bytes) -> None:
        self._ahead.append((data, _pool().submit(compressed, data, self._level) if self._level else None))

    def _take_up(self) -> None:
        data, frame = self._ahead.popleft()
        self.append(data, frame.result() if frame else None)

    def _count(self, stored: int, plain: int) -> None:
        self._frames.append((stored, plain))
        self._end += stored
        self.offset += plain

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError:
            self._file.truncate(self._end)
            self._file.seek(self._end)
            raise

    @abstractmethod
    def _begin(self) -> int:
        """Place the file after what it begins with; returns how many bytes that is."""

    @abstractmethod
    def _next_frame(self) -> tuple[int, bytes] | None:
        """The next whole frame's stored length and uncompressed bytes; None at the end of what can be kept."""

    @abstractmethod
    def _stored(self, data: bytes, frame: bytes | None) -> bytes:
        """What stands for `data` in the file."""

    @abstractmethod
    def _closing(self) -> bytes:
        """What the file ends with."""


class _AsItCame(Writer):
    def _begin(self) -> int:
        return 0

    def _next_frame(self) -> tuple[int, bytes] | None:
        data = self._file.read(_READ_BYTES)
        return (len(data), data) if data else None

    def _stored(self, data: bytes, frame: bytes | None) -> bytes:
        return data

    def _closing(self) -> bytes:
        return b""

    def _count(self, stored: int, plain: int) -> None:
        self._end += stored
        self.offset += plain


class _Zstd(Writer):
    def __init__(self, file: FileIO, level: int) -> None:
        super().__init__(file, level)
        self._read = memoryview(b"")  # of the file, from the next frame on

    def resume(self, take: Callable[[bytes], object], limit: int) -> None:
        super().resume(take, limit)
        self._read = memoryview(b"")

    def _begin(self) -> int:
        return 0

    def _next_frame(self) -> tuple[int, bytes] | None:
        try:
            while (length := zstdframes.frame_length(self._read)) is None:
                more = self._file.read(_READ_BYTES)
                if not more or len(self._read) > zstdframes.LARGEST_STORED:
                    return None
                self._read = memoryview(bytes(self._read) + more)
            frame, self._read = bytes(self._read[:length]), self._read[length:]
            return length, decompressed(frame, zstdframes.plain_length(frame))
        except ValueError:
            return None

    def _stored(self, data: bytes, frame: bytes | None) -> bytes:
        if frame is not None and zstdframes.is_standalone(frame, len(data)):
            return frame
        return compressed(data, self._level)

    def _closing(self) -> bytes:
        return zstdframes.seek_table(self._frames)


class _Sealed(Writer):
    def __init__(self, file: FileIO, level: int, keys: KeyRing) -> None:
        super().__init__(file, level)
        self._keys = keys
        self._seal: sealed.Seal

    def _begin(self) -> int:
        try:
            self._seal = sealed.Seal.of(self._file.read(sealed.HEADER_BYTES), self._keys)
        except (ValueError, KeyFileError):  # nothing that can go on: it is fetched again
            self._file.truncate(0)
            self._file.seek(0)
            self._seal = _new_seal(self._keys)
            self._write(self._seal.header)
        return sealed.HEADER_BYTES

    def _next_frame(self) -> tuple[int, bytes] | None:
        try:
            head = sealed.read_head(self._file.read(sealed.HEAD_BYTES))
            if head.kind == sealed.INDEX:
                return None
            body = self._file.read(head.length)
            data, _ = unsealed(self._seal, head, body, len(self._frames), self.offset)
        except ValueError:
            return None
        return sealed.HEAD_BYTES + head.length, data

    def _stored(self, data: bytes, frame: bytes | None) -> bytes:
        kind, body = sealed.PLAIN, data
        if self._level:
            given = frame is not None and zstdframes.is_standalone(frame, len(data))
            packed = frame if given and frame else compressed(data, self._level)
            if len(packed) < len(data):
                kind, body = sealed.ZSTD, packed
        return self._seal.frame(len(self._frames), self.offset, len(data), kind, body)

    def _closing(self) -> bytes:
        return self._seal.index(self._frames, self._end)


@cache
def _pool() -> ThreadPoolExecutor:
    """What compresses streams: two threads for all, since ingest has little more to give them."""
    return ThreadPoolExecutor(2, thread_name_prefix="compress")


def _new_seal(keys: KeyRing) -> sealed.Seal:
    try:
        return sealed.Seal.new(keys)
    except KeyFileError as error:  # to whoever stores it is like a disk that cannot be written: tried again later
        raise OSError(errno.EKEYREJECTED, str(error)) from error


def compressed(data: bytes, level: int) -> bytes:
    """One zstd frame with its size and a checksum. Compressors are shared: each would hold some MB for itself."""
    known: dict[int, zstandard.ZstdCompressor] = _shared.__dict__.setdefault("compressors", {})
    if level not in known:
        known[level] = zstandard.ZstdCompressor(level, write_checksum=True, write_content_size=True)
    return known[level].compress(data)


def decompressed(frame: bytes, length: int) -> bytes:
    """The `length` bytes of one frame. Raises ValueError when it has others."""
    known = _shared.__dict__.setdefault("decompressor", None) or zstandard.ZstdDecompressor(max_window_size=WINDOW_MAX)
    _shared.decompressor = known
    try:
        data: bytes = known.decompress(frame, max_output_size=length)
    except zstandard.ZstdError as error:
        raise ValueError(f"is damaged ({error})") from error
    if len(data) != length:
        raise ValueError("is damaged: it has another length than its header says")
    return data


def unsealed(seal: sealed.Seal, head: sealed.Head, body: bytes, number: int, offset: int) -> tuple[bytes, bytes | None]:
    """The bytes that a sealed frame stands for, and the zstd frame they were in, if they were. Raises ValueError."""
    data = seal.open(head, body, number, offset)
    return (decompressed(data, head.plain), data) if head.kind == sealed.ZSTD else (data, None)


def with_suffix(path: Path, suffix: str) -> Path:
    """Where the file of this path lies in another form."""
    return Path(str(path).removesuffix(ZSTD_SUFFIX).removesuffix(SEALED_SUFFIX) + suffix)


def truncated(path: os.PathLike[str] | str) -> FileIO:
    """`path` as a new, empty file for a Writer."""
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    return FileIO(os.open(path, flags, 0o640), "r+b")
