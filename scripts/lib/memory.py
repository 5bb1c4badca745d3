"""Memory of processes, as the kernel counts it, and its peak while something goes on."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

EVERY_SECONDS = 0.05


def memory(pid: int, kind: str) -> float:
    """Megabytes of a process: `Rss` or `Pss`; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) for line in lines if line.startswith(kind + ":")), 0) / 1024


def group_memory(group: int) -> float:
    """Megabytes of a process group, what is shared counted once (PSS)."""
    return sum(memory(int(each.name), "Pss") for each in Path("/proc").iterdir() if _is_of(each.name, group))


def _is_of(name: str, group: int) -> bool:
    try:
        return name.isdecimal() and os.getpgid(int(name)) == group
    except OSError:
        return False


class Peak(threading.Thread):
    """Calls `look`, which tells megabytes, twenty times a second until `finish`."""

    def __init__(self, look: Callable[[], float]) -> None:
        super().__init__(daemon=True)
        self._look, self._peak, self._done = look, 0.0, threading.Event()
        self.start()

    def run(self) -> None:
        while not self._done.wait(EVERY_SECONDS):
            self._peak = max(self._peak, self._look())

    def finish(self) -> float:
        """Stop; the most there was."""
        self._done.set()
        self.join()
        return self._peak
