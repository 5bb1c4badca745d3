"""Who holds a file open: the kernel's answer, for the moments (a start, a lost event) when inotify has none."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")


def held_by(pid: int) -> set[str] | None:
    """Paths that the process holds open; empty if it is gone, None if we may not know."""
    try:
        return set(_targets(PROC / str(pid) / "fd"))
    except PermissionError:
        return None
    except (FileNotFoundError, ProcessLookupError):
        return set()


def held_by_anyone() -> tuple[set[str], bool]:
    """Paths open for writing in any process that we may look at, and whether that was all of them."""
    held: set[str] = set()
    complete = True
    for process in PROC.iterdir():
        if not process.name.isdigit():
            continue
        try:
            held.update(_targets(process / "fd", writing=True))
        except PermissionError:
            complete = False
        except (FileNotFoundError, ProcessLookupError):
            pass
    return held, complete


def start_ticks(pid: int) -> int:
    """When the process started, in clock ticks since boot: with it a pid names one process. 0 if there is none."""
    try:
        fields = (PROC / str(pid) / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if fields[0] in ("Z", "X") else int(fields[19])


def _targets(folder: Path, writing: bool = False) -> Iterable[str]:
    for name in os.listdir(folder):  # noqa: PTH208 - plain names are all we need, thousands of times
        try:
            target = os.readlink(folder / name)  # noqa: PTH115 - a deleted file's name is no path
            if target.startswith("/") and (not writing or _writing(folder.parent / "fdinfo" / name)):
                yield target
        except FileNotFoundError:
            continue


def _writing(info: Path) -> bool:
    for line in info.read_text("ascii").splitlines():
        if line.startswith("flags:"):
            return bool(int(line.split()[1], 8) & (os.O_WRONLY | os.O_RDWR))
    return True
