"""Whether an error says that there is no room on the disk: that passes, and nothing but the disk is at fault."""

from __future__ import annotations

import errno
import sqlite3

_SQLITE = ("database or disk is full", "disk I/O error")


def lacking(error: BaseException) -> bool:
    """As the system says it, and as SQLite does, in any of its ways."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, sqlite3.OperationalError) and any(each in str(error) for each in _SQLITE)
