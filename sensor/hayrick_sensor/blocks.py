"""Reading parts of a file, sure that it still is the file that was measured."""

from __future__ import annotations

import os
from pathlib import Path

from hayrick_common.closed_files import stamp_of


def read_exactly(path: Path, size: int, offset: int, length: int, stamp: str = "") -> bytes:
    """`length` bytes at `offset`; ValueError when the file has not that size or `stamp`, OSError when it is gone."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if status.st_size != size or (stamp and stamp_of(status) != stamp):
            raise ValueError(f"{path.name} was overwritten before it was received")
        data = os.pread(descriptor, length, offset)
    finally:
        os.close(descriptor)
    if len(data) != length:
        raise ValueError(f"{path.name} is shorter than it was")
    return data
