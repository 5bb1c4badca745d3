"""The inbox: a capture that anyone drops into the folder is taken once it is closed, and never while it grows.

A folder in it stands for a case: what is dropped there gets the folder's name as a tag.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from hayrick_collector.landing.closings import FolderClosings
from hayrick_collector.tags import TAG
from hayrick_common.closed_files import SETTLED_SECONDS, ClosedFiles, stamp_of
from hayrick_common.dropped import REFUSED
from hayrick_common.errors import HayrickError
from hayrick_common.files import make_folder, move, remove, write_file

log = logging.getLogger(__name__)
FOLDERS_SECONDS = 2.0
AGAIN_SECONDS = 30.0
AGAIN_MOST_SECONDS = 300.0
CASES_MAX = 1000


class Inbox:
    """`run()` hands each closed file to `take` with its tags, which returns only once the bytes are durable elsewhere.

    `take` says whether they were new; then the file is deleted. If it raises ValueError or HayrickError (not a
    capture), the file is moved to `refused/` with the reason beside it; on OSError (the disk is full, it may not be
    read) it stays and is tried again, at growing intervals. `counters["stuck"]` tells how many stay now.
    """

    def __init__(
        self,
        folder: Path,
        take: Callable[[Path, tuple[str, ...]], Awaitable[bool]],
        settled: float = SETTLED_SECONDS,
    ) -> None:
        self.folder = folder
        self.counters: Counter[str] = Counter()
        self._take = take
        self._settled = settled
        self._watches: dict[Path, asyncio.Task[None]] = {}
        self._stuck: dict[Path, Stuck] = {}
        make_folder(folder)

    async def run(self) -> None:
        """Serve until cancelled; raises what made watching the inbox itself impossible."""
        try:
            while True:
                self._watch_folders()
                await asyncio.sleep(FOLDERS_SECONDS)
        finally:
            for task in self._watches.values():
                task.cancel()

    def _watch_folders(self) -> None:
        for folder in [folder for folder, task in self._watches.items() if task.done()]:
            self._watches.pop(folder).result()
        for path in [path for path in self._stuck if not path.exists()]:
            self._forget(path)
        cases = [path for path in self.folder.iterdir() if _is_case(path)]
        for folder in [self.folder, *cases[:CASES_MAX]]:
            if folder not in self._watches:
                self._watches[folder] = asyncio.create_task(self._watch(folder))

    async def _watch(self, folder: Path) -> None:
        try:
            async for path in ClosedFiles(folder, "*", FolderClosings, self._settled).closed():
                if path.exists() and self._due(path):
                    await self._one(path, () if folder == self.folder else (folder.name,))
        except OSError as error:
            if folder == self.folder:
                raise
            self.counters["unwatched"] += 1  # its folder was removed, or may not be read
            log.warning("inbox: %s cannot be watched: %s", folder.name, error)
            await asyncio.sleep(AGAIN_SECONDS)

    # --- files ----------------------------------------------------------------------------------------------------

    async def _one(self, path: Path, tags: tuple[str, ...]) -> None:
        try:
            stuck = self._stuck.get(path)
            if stuck is None or not stuck.taken:
                new = await self._take(path, tags)
                self.counters["taken" if new else "duplicates"] += 1
        except (ValueError, HayrickError) as error:
            reason = str(error)
            self._finish(path, lambda: self._refuse(path, reason), taken=False)
        except OSError as error:
            self.counters["put_off"] += 1
            self._put_off(path, error, taken=False)
        else:
            self._finish(path, lambda: remove(path), taken=True)

    def _finish(self, path: Path, act: Callable[[], None], *, taken: bool) -> None:
        """Take the file out of the inbox; where that is not permitted it stays, and is not read again meanwhile."""
        try:
            act()
        except OSError as error:
            self._put_off(path, error, taken=taken)
        else:
            self._forget(path)

    def _refuse(self, path: Path, reason: str) -> None:
        refused = self.folder / REFUSED
        make_folder(refused)
        move(path, refused / path.name)
        write_file(refused / f"{path.name}.reason.txt", f"{reason}\n".encode(errors="backslashreplace"))
        self.counters["refused"] += 1
        log.warning("inbox: %s refused: %s", path.name, reason)

    # --- files that stay ------------------------------------------------------------------------------------------

    def _due(self, path: Path) -> bool:
        stuck = self._stuck.get(path)
        if stuck is not None and stuck.stamp != _stamp(path):
            self._forget(path)
            stuck = None
        return stuck is None or time.monotonic() >= stuck.again

    def _put_off(self, path: Path, error: OSError, *, taken: bool) -> None:
        before = self._stuck.get(path)
        wait = min(2 * before.wait, AGAIN_MOST_SECONDS) if before else AGAIN_SECONDS
        if before is None or before.reason != str(error):
            what = "is taken, but cannot be removed" if taken else "stays for now"
            log.warning("inbox: %s %s: %s", path.name, what, error)
        self._stuck[path] = Stuck(_stamp(path), str(error), taken, wait, time.monotonic() + wait)
        self.counters["stuck"] = len(self._stuck)

    def _forget(self, path: Path) -> None:
        if self._stuck.pop(path, None):
            self.counters["stuck"] = len(self._stuck)


class Stuck:
    """A file that stays: why, whether its bytes are taken already, and when it is tried again."""

    def __init__(self, stamp: str, reason: str, taken: bool, wait: float, again: float) -> None:
        self.stamp, self.reason, self.taken, self.wait, self.again = stamp, reason, taken, wait, again


def _is_case(path: Path) -> bool:
    named = TAG.fullmatch(path.name) and path.name != REFUSED and not path.name.startswith(".")
    return bool(named) and path.is_dir() and not path.is_symlink()


def _stamp(path: Path) -> str:
    try:
        return stamp_of(path.lstat())
    except FileNotFoundError:
        return ""
