"""Writes that must not fail for a full disk: room that was set aside is given up first, then chunks are."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from hayrick_common import room
from hayrick_common.files import remove

RESERVE_BYTES = 2 << 20
ATTEMPTS = 64
T = TypeVar("T")


class Room:
    """`reserve` is the file that holds the room; `give_up()` frees more, and says whether it could."""

    def __init__(self, reserve: Path, give_up: Callable[[], bool]) -> None:
        self._reserve = reserve
        self.give_up = give_up
        self.restore()

    def write(self, action: Callable[[], T]) -> T:
        """Do it, again when the disk was full and something could be freed; raises what else goes wrong."""
        for _ in range(ATTEMPTS):
            try:
                return action()
            except (OSError, sqlite3.Error) as error:
                if not room.lacking(error) or not self._free():
                    raise
        return action()

    def restore(self) -> None:
        """Set room aside again, if there is three times as much."""
        free = os.statvfs(self._reserve.parent)
        if self._reserve.exists() or free.f_bavail * free.f_frsize < 3 * RESERVE_BYTES:
            return
        with contextlib.suppress(OSError), self._reserve.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)

    def _free(self) -> bool:
        if self._reserve.exists():
            remove(self._reserve)
            return True
        return self.give_up()
