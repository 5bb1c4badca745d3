"""Reading blocks of a chunk, sure that the bytes are those that were measured."""

from __future__ import annotations

import os
from pathlib import Path

from hayrick_common.closed_files import stamp_of
from hayrick_sensor.spool_events import Entry


def read_block(path: Path, entry: Entry, offset: int, length: int) -> bytes:
    """`length` bytes at `offset`; ValueError when the file is not the measured one, OSError when it is gone."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if status.st_size != entry.manifest.size or (
            entry.stamp and not entry.owned and stamp_of(status) != entry.stamp
        ):
            raise ValueError(f"{path.name} was overwritten before it was received")
        data = os.pread(descriptor, length, offset)
    finally:
        os.close(descriptor)
    if len(data) != length:
        raise ValueError(f"{path.name} is shorter than it was")
    return data
