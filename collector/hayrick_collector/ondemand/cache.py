"""Where pulled packets are kept: a file of pieces a chunk, those used longest ago going first."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from hayrick_collector.ondemand.boxes import MAGIC_BYTES, Clear
from hayrick_common.files import make_folder, remove

_PART = re.compile(r"[A-Za-z0-9_-]+")
IN_USE_SECONDS = 600.0  # what was touched later may be in an export that is still being taken


class Cache:
    """Files under `folder`, which may be deleted at any time."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self.folder = folder
        self.most_bytes = most_bytes

    def path(self, key: str) -> Path:
        """The chunk's file, which need not be there; an imported capture's key has no stream. ValueError: no key."""
        parts = key.split(".")
        if len(parts) not in (2, 4) or not all(_PART.fullmatch(each) for each in parts):
            raise ValueError(f"{key!r} is no chunk's key")
        folder = self.folder / parts[0] / parts[1 if len(parts) == 4 else 0]
        return folder / f"{'-'.join(parts[len(parts) // 2 :])}.pieces"

    def prepare(self, path: Path) -> None:
        """Make the chunk's folder."""
        make_folder(path.parent)

    def touch(self, path: Path) -> None:
        """It is in use."""
        if path.exists():
            os.utime(path)

    def drop_clear(self) -> None:
        """Remove what lies in the clear: the archive is sealed now."""
        for path in self.folder.glob("*/*/*.pieces"):
            with path.open("rb") as file:
                clear = file.read(MAGIC_BYTES) == Clear.beginning
            if clear:
                remove(path)

    def make_room(self, wanted: int) -> bool:
        """Remove what was used longest ago until so many bytes may be added; False when too much is in use."""
        found = sorted(self._files())
        total = sum(size for _, size, _ in found)
        for used, size, path in found:
            if total + wanted <= self.most_bytes:
                break
            if time.time() - used >= IN_USE_SECONDS:
                remove(path)
                total -= size
        return total + wanted <= self.most_bytes

    def _files(self) -> list[tuple[float, int, Path]]:
        found = []
        for path in self.folder.glob("*/*/*.pieces"):
            status = path.stat()
            found.append((status.st_mtime, status.st_size, path))
        return found
