"""Which process holds something, told so that a reused process number cannot pass for it."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path


@cache
def token() -> str:
    """This process: its number and its start time in clock ticks since boot, and the boot itself."""
    return _describe(os.getpid())


def alive(owner: str | None) -> bool:
    """Whether the process that made this token still runs."""
    if not owner:
        return False
    number = owner.partition(".")[0]
    try:
        return _describe(int(number)) == owner
    except (OSError, ValueError):
        return False


def _describe(pid: int) -> str:
    stat = Path(f"/proc/{pid}/stat").read_text()
    fields = stat.rpartition(")")[2].split()
    if fields[0] in ("Z", "X"):  # killed, and only not yet waited for
        raise ProcessLookupError(pid)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    return f"{pid}.{fields[19]}.{boot}"
