"""The inbox: a capture that anyone drops into the folder is taken once it is closed, and never while it grows."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from hayrick_collector.landing.closings import FolderClosings
from hayrick_common.closed_files import SETTLED_SECONDS, ClosedFiles
from hayrick_common.errors import HayrickError
from hayrick_common.files import make_folder, move, remove, write_file

log = logging.getLogger(__name__)


class Inbox:
    """`run()` hands each closed file to `take`, which returns only once the bytes are durable elsewhere.

    Then the file is deleted. If `take` raises ValueError or HayrickError (not a capture), the file is moved to
    `refused/` with the reason beside it; on OSError (the disk is full) it stays and is tried again later.
    """

    def __init__(
        self, folder: Path, take: Callable[[Path], Awaitable[object]], settled: float = SETTLED_SECONDS
    ) -> None:
        self.folder = folder
        self.counters: Counter[str] = Counter()
        self._take = take
        make_folder(folder)
        self._files = ClosedFiles(folder, "*", FolderClosings, settled)

    async def run(self) -> None:
        """Serve until cancelled."""
        async for path in self._files.closed():
            if path.exists():
                await self._one(path)

    async def _one(self, path: Path) -> None:
        try:
            await self._take(path)
        except (ValueError, HayrickError) as error:
            self.counters["refused"] += 1
            self._refuse(path, str(error))
        except OSError as error:
            self.counters["put_off"] += 1
            log.warning("inbox: %s stays for now: %s", path.name, error)
        else:
            self.counters["taken"] += 1
            remove(path)

    def _refuse(self, path: Path, reason: str) -> None:
        log.warning("inbox: %s refused: %s", path.name, reason)
        refused = self.folder / "refused"
        make_folder(refused)
        move(path, refused / path.name)
        write_file(refused / f"{path.name}.reason.txt", f"{reason}\n".encode())
