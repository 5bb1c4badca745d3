"""This machine's root folder with what a test changes above it, in memory: for what installs packages. Needs root."""

from __future__ import annotations

import subprocess
from pathlib import Path

SCRIPT = """
set -e
mount -t tmpfs -o mode=755 tmpfs {place}
mkdir {place}/upper {place}/work {root}
mount -t overlay overlay -o lowerdir=/,upperdir={place}/upper,workdir={place}/work {root}
mount -t proc proc {root}/proc
mount --rbind /dev {root}/dev
mkdir -p {root}/given
mount --bind {given} {root}/given
exec env -i PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 chroot {root} sh -c "$1"
"""


def inside(folder: Path, command: str, *, seconds: float = 100) -> str:
    """What a shell command prints that runs as root there, without network; `folder` is its /given. A failing one fails
    the test with its words."""
    place = folder / ".overlay"
    place.mkdir(exist_ok=True)
    script = SCRIPT.format(place=place, root=place / "root", given=folder)
    isolated = ["unshare", "--mount", "--pid", "--net", "--uts", "--fork", "--kill-child"]
    done = subprocess.run(
        [*isolated, "sh", "-c", script, "sh", command], capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
