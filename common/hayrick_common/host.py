"""What `hayrick doctor` looks at on every machine: its clock, and the folder that everything is written to."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from hayrick_common.doctor import Finding, finding

MEGABYTE = 1_000_000
SPEED_BLOCK = 4 * MEGABYTE
SPEED_SECONDS = 1.0
SPEED_MOST = 64  # blocks
FULL_SHARE = 0.05
_STATUS_OFFSET = 40  # of `status` in struct timex, where long has 64 bits
_UNSYNCHRONISED = 0x40


def clock() -> Finding:
    """Whether something keeps this machine's clock right."""
    timex = ctypes.create_string_buffer(256)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.adjtimex(timex) < 0:
        return finding("clock", f"cannot be asked: {os.strerror(ctypes.get_errno())}")
    status = int.from_bytes(timex.raw[_STATUS_OFFSET : _STATUS_OFFSET + 4], "little")
    if status & _UNSYNCHRONISED:
        return finding(
            "clock",
            "nothing keeps it right: times of packets drift, and those of two sensors do not fit together",
            warn="run chrony or systemd-timesyncd",
        )
    return finding("clock", "synchronised")


def room(name: str, folder: Path, least: int) -> Finding:
    """Free room under `folder`; `least` is what must stay free, in bytes."""
    disk = os.statvfs(folder)
    free, size = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    said = f"{free / 1e9:.1f} GB free of {size / 1e9:.1f} GB under {folder}"
    if free < least:
        return finding(name, said, bad=f"make room: less than {least / 1e9:.1f} GB free, so nothing more is taken")
    if free < size * FULL_SHARE:
        return finding(name, said, warn="nearly full: keep less, or use a larger disk")
    return finding(name, said)


def disk_speed(folder: Path, need: float) -> Finding:
    """How fast `folder` takes bytes for good; `need` is what may come, in bytes a second, 0 if that is not known."""
    probe = folder / ".doctor.part"
    try:
        speed = _written(probe)
    except OSError as error:
        return finding("disk speed", f"cannot be measured in {folder}: {error.strerror}", warn="run this as root")
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
    said = f"{speed / MEGABYTE:,.0f} MB/s written and synced in {folder}"
    if need > speed:
        advice = f"the links bring up to {need / MEGABYTE:,.0f} MB/s: a faster disk, a filter or a smaller snaplen"
        return finding("disk speed", said, warn=advice)
    return finding("disk speed", said)


def _written(probe: Path) -> float:
    """Bytes a second of a short trial."""
    block, count, began = os.urandom(SPEED_BLOCK), 0, time.monotonic()
    with probe.open("wb", buffering=0) as stream:
        while count < SPEED_MOST and time.monotonic() - began < SPEED_SECONDS:
            stream.write(block)
            os.fdatasync(stream.fileno())
            count += 1
    return count * SPEED_BLOCK / (time.monotonic() - began)


def owned(folder: Path, inside: list[Path]) -> Iterator[Finding]:
    """Whether the folder is closed to others, and all `inside` belongs to the folder's owner."""
    told = folder.stat()
    user = _user(told.st_uid)
    if told.st_mode & stat.S_IRWXO:
        yield finding("permissions", f"{folder} is open to every user", bad=f"chmod o= {folder}")
    foreign = [each for each in inside if each.exists() and each.stat().st_uid != told.st_uid]
    if foreign:
        names = ", ".join(sorted(each.name for each in foreign))
        advice = f"chown -R {user}: {folder}; run commands on it as {user} (runuser -u {user} --)"
        yield finding("permissions", f"{names} in {folder} do not belong to {user}", bad=advice)
    elif not told.st_mode & stat.S_IRWXO:
        yield finding("permissions", f"{folder} belongs to {user} and is closed to others")


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
