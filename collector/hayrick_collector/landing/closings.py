"""inotify as `ClosedFiles` wants it."""

from __future__ import annotations

from pathlib import Path

from asyncinotify import Inotify, Mask


class FolderClosings:
    """Tells of each file of `folder` that was closed after writing, or moved there."""

    def __init__(self, folder: Path) -> None:
        self._inotify = Inotify(sync_timeout=0)
        self._inotify.add_watch(folder, Mask.CLOSE_WRITE | Mask.MOVED_TO | Mask.ONLYDIR)

    async def get(self) -> Path | None:
        """The next one; None when some were missed."""
        return (await self._inotify.get()).path

    def pending(self) -> list[Path | None]:
        """Those that came since, without waiting; not while `get` waits."""
        return [event.path for event in iter(self._inotify.sync_get, None)]

    def close(self) -> None:
        """Stop watching."""
        self._inotify.close()
