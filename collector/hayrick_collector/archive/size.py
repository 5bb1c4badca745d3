"""How many bytes the archive has, told again and again: a folder is read anew only if it changed.

Files come into the archive whole and never change there, and each day of a stream has a folder of its own: so
almost all folders stay as they are, and cost one look at their time stamps.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

_SETTLED_NS = 2_000_000_000  # a folder changed later may change once more at the same time stamp


@dataclass(frozen=True, slots=True)
class _Read:
    changed_ns: int
    bytes: int
    folders: tuple[str, ...]


class Size:
    """`measure()` may be called from any one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._known: dict[str, _Read] = {}

    def measure(self) -> int:
        """Bytes of all files under the folder; those that go meanwhile count for nothing."""
        known: dict[str, _Read] = {}
        waiting = [self._folder]
        while waiting:
            path = waiting.pop()
            try:
                known[path] = self._look(path)
            except FileNotFoundError:
                continue
            waiting.extend(known[path].folders)
        self._known = known
        return sum(each.bytes for each in known.values())

    def _look(self, path: str) -> _Read:
        changed_ns = Path(path).stat().st_mtime_ns
        before = self._known.get(path)
        if before is not None and before.changed_ns == changed_ns:
            return before
        found = _read(path, changed_ns)
        return found if changed_ns < time.time_ns() - _SETTLED_NS else _Read(0, found.bytes, found.folders)


def _read(path: str, changed_ns: int) -> _Read:
    total, folders = 0, []
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                total += entry.stat(follow_symlinks=False).st_size
    return _Read(changed_ns, total, tuple(folders))
