"""Knows when a file is closed, without guessing by its age: the kernel tells of each close, and answers when asked.

A folder is watched through `Closings` (inotify, which each end brings), and looked through at the start, on demand and
now and then, since events can be lost.
"""

from __future__ import annotations

import asyncio
import fcntl
import fnmatch
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol

from hayrick_common.files import is_part

RESCAN_SECONDS = 30.0
SETTLED_SECONDS = 60.0
CLOSING_SECONDS = 2.0


class Closings(Protocol):
    """Tells of files in one folder that were closed after writing, or moved there."""

    async def get(self) -> Path | None:
        """The next one; None when some were missed and the folder must be looked through."""

    def pending(self) -> list[Path | None]:
        """Those that came since, without waiting; not while `get` waits."""

    def close(self) -> None:
        """Stop watching."""


def being_written(path: Path) -> bool | None:
    """Whether any process has the file open for writing; None when the kernel will not say (not ours, not local).

    The kernel grants a read lease only on a file that nobody writes to. It is given back at once; SIGURG, which is
    ignored by default, stands for the signal that would come if somebody opened the file in between.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return False


def stamp_of(status: os.stat_result) -> str:
    """Changes whenever a file's bytes do: inode, size and time of change."""
    return f"{status.st_ino}.{status.st_size}.{status.st_mtime_ns}"


def stamp_at(path: Path) -> str:
    """The stamp of what lies there; empty if nothing can be seen."""
    try:
        return stamp_of(path.lstat())
    except OSError:
        return ""


class ClosedFiles:
    """Yields closed files of `folder` whose name fits `pattern`; the same one may come twice.

    Hidden and `.part` names never come. Where the kernel will not say whether a file is open, it comes on its event,
    or once it has not changed for `settled` seconds. `whole` may know better of a file that is open somewhere.
    `missed` is told how many closed files are written again, or gone, before the next that is told of.
    """

    def __init__(
        self,
        folder: Path,
        pattern: str,
        watch: Callable[[Path], Closings],
        settled: float = SETTLED_SECONDS,
        whole: Callable[[Path], bool] = lambda path: False,
        missed: Callable[[int], object] = lambda count: None,
    ) -> None:
        self.folder = folder
        self.pattern = pattern
        self._watch = watch
        self._settled = settled
        self._whole = whole
        self._missed = missed
        self._seen: dict[Path, tuple[str, float]] = {}
        self._look = asyncio.Event()
        self._look.set()
        self._due = 0.0

    def look(self) -> None:
        """Look through the whole folder soon."""
        self._look.set()

    async def closed(self) -> AsyncIterator[Path]:
        """Closed files, for ever; those that are there already come first, oldest first."""
        closings = self._watch(self.folder)
        event = asyncio.ensure_future(closings.get())
        try:
            while True:
                for path in await self._next(closings, event):
                    yield path
                if event.done():
                    event = asyncio.ensure_future(closings.get())
        finally:
            event.cancel()
            closings.close()

    async def _next(self, closings: Closings, event: asyncio.Future[Path | None]) -> list[Path]:
        """What the next events tell of, and all that is there when it is time to look: events must not put that off."""
        looking = asyncio.ensure_future(self._look.wait())
        wanted: set[asyncio.Future[Any]] = {event, looking}
        wait = max(0.0, self._due - time.monotonic())
        await asyncio.wait(wanted, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
        looking.cancel()
        await asyncio.sleep(0)  # after a standstill it is time to look, and events are there as well
        events = [event.result(), *closings.pending()] if event.done() else []
        told = await self._told(events)
        if events and None not in events and time.monotonic() < self._due:
            return told
        self._look.clear()
        return told + [each for each in self.scan() if each not in told]

    async def _told(self, events: list[Path | None]) -> list[Path]:
        """The files that closed, once each, where what was closed is there still."""
        closed = [path for path in events if path is None or self._named(path)]
        last = {path: number for number, path in enumerate(closed)}
        told = [path for path in sorted(last, key=last.__getitem__) if path is not None and await self._there(path)]
        if len(told) < len(closed):
            self._missed(len(closed) - len(told))
        return told

    async def _there(self, path: Path) -> bool:
        """Whether what was closed is there still: the kernel tells of a close, then writes what the file system holds
        back, and only then takes the writer off. Meanwhile the file looks open, but no byte of it changes."""
        stamp, deadline = stamp_at(path), time.monotonic() + CLOSING_SECONDS
        begun_anew = stamp.split(".")[1:2] == ["0"]
        while self._wanted(path):
            if self._open(path) is not True:
                return True
            if begun_anew or stamp_at(path) != stamp or time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.005)
        return False

    def scan(self) -> list[Path]:
        """Files that nobody writes to at this moment, oldest first."""
        self._due = time.monotonic() + RESCAN_SECONDS
        found = sorted(self._stat(path) for path in self.folder.iterdir() if self._wanted(path))
        self._seen = {path: self._seen[path] for _, path, _ in found if path in self._seen}
        return [path for _, path, stamp in found if stamp and self._ready(path, stamp)]

    def _stat(self, path: Path) -> tuple[int, Path, str]:
        try:
            status = path.lstat()
        except FileNotFoundError:
            return 0, path, ""
        return status.st_mtime_ns, path, stamp_of(status)

    def _ready(self, path: Path, stamp: str) -> bool:
        open_now = self._open(path)
        if open_now is not None:
            return not open_now
        before = self._seen.get(path, ("", 0.0))
        if before[0] != stamp:
            self._seen[path] = before = (stamp, time.monotonic())
        return time.monotonic() - before[1] >= self._settled

    def _open(self, path: Path) -> bool | None:
        try:
            return being_written(path) and not self._whole(path)
        except FileNotFoundError:
            return True
        except OSError:
            return None

    def _named(self, path: Path) -> bool:
        return fnmatch.fnmatch(path.name, self.pattern) and not path.name.startswith(".") and not is_part(path)

    def _wanted(self, path: Path) -> bool:
        return self._named(path) and path.is_file() and not path.is_symlink()
