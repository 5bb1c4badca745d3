"""Reading parts of a file, sure that it still is the file that was measured."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from hayrick_common.closed_files import stamp_of

_own = threading.local()


def read_exactly(path: Path, size: int, offset: int, length: int, stamp: str = "") -> memoryview:
    """`length` bytes at `offset`; ValueError when the file has not that size or `stamp`, OSError when it is gone.

    They are good until the same thread reads again: new memory for each block would cost as much as reading it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if status.st_size != size or (stamp and stamp_of(status) != stamp):
            raise ValueError(f"{path.name} was overwritten before it was received")
        data = _buffer(length)
        there = os.preadv(descriptor, [data], offset)
    finally:
        os.close(descriptor)
    if there != length:
        raise ValueError(f"{path.name} is shorter than it was")
    return data


def _buffer(length: int) -> memoryview:
    """The thread's own, of so many bytes."""
    known: memoryview | None = getattr(_own, "buffer", None)
    if known is None or len(known) < length:
        known = _own.buffer = memoryview(bytearray(length))
    return known[:length]
