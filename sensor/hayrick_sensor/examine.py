"""Looks at a closed file; a foreign one, whose owner may write it again at any moment, is copied or read so that no
mixture of two contents is ever taken for a chunk: its stamp is the same before and after, and nobody writes to it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import IO

from hayrick_common.closed_files import being_written, stamp_of
from hayrick_common.files import hidden_writer, remove, sync_file
from hayrick_sensor import spool_events as spool
from hayrick_sensor.headers import Tally, walker_for
from hayrick_sensor.layout import Layout
from hayrick_sensor.measure import Measure, measure

BLOCK_BYTES = 1 << 20
FICLONE = 0x40049409


class OverrunError(Exception):
    """The file is not what it was. `first_ms`: of its first packet, 0 where it was not seen."""

    def __init__(self, first_ms: int = 0) -> None:
        super().__init__(first_ms)
        self.first_ms = first_ms


def examine(layout: Layout, event: spool.FileClosed, owned: bool) -> spool.Measured | spool.Overrun:
    """Measure the file, and first copy it if it is foreign and to be `owned`; OSError when it cannot be read."""
    path = layout.source(event.stream, event.source)
    if not event.stamp:
        return _measured(event, *_read(path))
    last_ms = int(event.stamp.rpartition(".")[2]) // 1_000_000
    try:
        if not owned:
            return _measured(event, _in_place(path, event.stamp), last_ms)
        copy = layout.copy(event.stream, event.stamp)
        if path != copy:
            copy_closed(path, event.stamp, copy)
        found = measure(copy)
        if found.empty or found.problem:
            remove(copy)
        return _measured(event, found, last_ms)
    except FileNotFoundError:
        return _measured(event, None, 0)
    except OverrunError as error:
        return spool.Overrun(event.stream, event.source, event.stamp, error.first_ms, last_ms)


def ring_turned(folder: Path, taken: set[str]) -> bool:
    """Whether none of the files that were taken is still there: the ring's owner may have been faster than we were."""
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if stamp_of(path.lstat()) in taken:
                return False
    return True


def _measured(event: spool.FileClosed, found: Measure | None, closed_ms: int) -> spool.Measured:
    return spool.Measured(event.stream, event.source, event.stamp, found, closed_ms)


def _read(path: Path) -> tuple[Measure | None, int]:
    try:
        closed_ms = path.stat().st_mtime_ns // 1_000_000
        found = measure(path)
        with contextlib.suppress(OSError):  # in this thread, so that nobody waits for it when the file gets its name
            sync_file(path)
        return found, closed_ms
    except FileNotFoundError:
        return None, 0


def _in_place(path: Path, stamp: str) -> Measure:
    with _open(path, stamp) as stream:
        first_ms = _first_ms(stream)
        found = measure(path)
        _same(path, stream, stamp, first_ms)
    return found


def copy_closed(path: Path, stamp: str, copy: Path) -> None:
    """Commit a copy of exactly the content that has the stamp; OverrunError when that is not to be had any more."""
    with _open(path, stamp) as stream, _only_if_same(path, stream, stamp), hidden_writer(copy) as out:
        if not _clone(stream, out):
            while block := stream.read(BLOCK_BYTES):
                out.write(block)
        out.flush()
        _same(path, stream, stamp, _first_ms(stream))


class _only_if_same(contextlib.AbstractContextManager[None]):  # noqa: N801
    """A file that shrank or vanished under the copying is an overrun, not an error of reading."""

    def __init__(self, path: Path, stream: IO[bytes], stamp: str) -> None:
        self._of = (path, stream, stamp)

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is not None and issubclass(kind, OSError):
            _same(*self._of, 0)


def _open(path: Path, stamp: str) -> IO[bytes]:
    """The file, if it still has the stamp. One with another inode has been replaced: the old may have another name."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    stream = os.fdopen(descriptor, "rb", buffering=0)
    found = stamp_of(os.fstat(descriptor))
    if found == stamp and being_written(path) is not True:
        return stream
    stream.close()
    if found.partition(".")[0] != stamp.partition(".")[0]:
        raise FileNotFoundError(path)
    raise OverrunError


def _same(path: Path, stream: IO[bytes], stamp: str, first_ms: int) -> None:
    """OverrunError unless the open file has the stamp still, and nobody writes to it."""
    if stamp_of(os.fstat(stream.fileno())) != stamp:
        raise OverrunError(first_ms)
    with contextlib.suppress(FileNotFoundError):  # deleted meanwhile: what we have open is whole
        if being_written(path) is True and stamp_of(path.lstat()).partition(".")[0] == stamp.partition(".")[0]:
            raise OverrunError(first_ms)


def _first_ms(stream: IO[bytes]) -> int:
    """When the first packet was captured, as far as the file's start tells."""
    stream.seek(0)
    head, tally = stream.read(BLOCK_BYTES) or b"", Tally()
    stream.seek(0)
    walk, _ = walker_for(head, tally)
    if walk:
        walk.feed(head)
    return tally.first_ms


def _clone(stream: IO[bytes], out: IO[bytes]) -> bool:
    """Let the file system share the bytes: at once, and no room taken. False where it cannot."""
    try:
        fcntl.ioctl(out.fileno(), FICLONE, stream.fileno())
    except OSError:
        return False
    return True
