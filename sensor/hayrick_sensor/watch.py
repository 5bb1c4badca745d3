"""Knows when a file is closed: inotify says so, and after a start or a lost event the folder and /proc do."""

from __future__ import annotations

import asyncio
import fnmatch
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from asyncinotify import Event, Inotify, Mask

from hayrick_common.files import is_part
from hayrick_sensor.open_files import held_by_anyone

RESCAN_SECONDS = 30.0
MASK = Mask.CLOSE_WRITE | Mask.MOVED_TO | Mask.ONLYDIR


class FolderWatch:
    """Yields closed files of `folder` that fit `pattern`; the same one may come twice.

    `held` returns the paths that must be left alone because they are being written, or None if nobody can tell:
    then the newest file is left alone. Without `held`, every process on the host is asked.
    """

    def __init__(self, folder: Path, pattern: str, held: Callable[[], set[str] | None] | None = None) -> None:
        self.folder = folder
        self.pattern = pattern
        self._held = held or _anyone
        self._rescan = asyncio.Event()
        self._rescan.set()

    def rescan(self) -> None:
        """Look at the whole folder soon."""
        self._rescan.set()

    async def closed(self) -> AsyncIterator[Path]:
        """Closed files, for ever; those that are there already come first."""
        with Inotify() as inotify:
            inotify.add_watch(self.folder, MASK)
            event = asyncio.ensure_future(inotify.get())
            try:
                while True:
                    for path in await self._ready(event):
                        yield path
                    if event.done():
                        event = asyncio.ensure_future(inotify.get())
            finally:
                event.cancel()

    async def _ready(self, event: asyncio.Future[Event]) -> list[Path]:
        rescan = asyncio.ensure_future(self._rescan.wait())
        wanted: set[asyncio.Future[Any]] = {event, rescan}
        done, _ = await asyncio.wait(wanted, timeout=RESCAN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        rescan.cancel()
        if event in done:
            return self._of_event(event)
        self._rescan.clear()
        return self.scan()

    def _of_event(self, event: asyncio.Future[Event]) -> list[Path]:
        found = event.result()
        if found.mask & Mask.Q_OVERFLOW:
            self._rescan.set()
            return []
        path = found.path
        return [path] if path and self._wanted(path) and path.is_file() else []

    def scan(self) -> list[Path]:
        """Files that nobody writes to at this moment, oldest first."""
        files = [path for path in self.folder.iterdir() if self._wanted(path) and path.is_file()]
        files.sort(key=lambda path: (path.stat().st_mtime_ns, path.name))
        held = self._held()
        if held is None:
            return files[:-1]
        return [path for path in files if str(path.resolve()) not in held]

    def _wanted(self, path: Path) -> bool:
        return fnmatch.fnmatch(path.name, self.pattern) and not path.name.startswith(".") and not is_part(path)


def _anyone() -> set[str] | None:
    held, complete = held_by_anyone()
    return held if complete else None
