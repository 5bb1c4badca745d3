"""Where other people's programs are: whoever runs one and whoever asks whether it is there look in the same places."""

from __future__ import annotations

import os
import shutil

SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def find(name: str) -> str | None:
    """A program's path: by PATH, then in the system's own folders, which a user's PATH often lacks in part."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SYSTEM}")
