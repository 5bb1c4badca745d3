"""A tcpdump that runs: our child, or one that an earlier sensor started and that outlived it; and how to end one
without losing what the kernel still holds for it.

tcpdump writes nothing of its ring once it is told to end: up to a second of packets. So its socket is first made deaf
(a filter that takes nothing, set through a copy of its descriptor), the kernel given the time to hand over, and only
then is it ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import struct
from pathlib import Path

STOP_SECONDS = 5.0
DRAIN_SECONDS = 1.2  # libpcap has the kernel hand over a block at the latest a second after its first packet
POLL_SECONDS = 0.2
PIDFD_GETFD = 438
SO_ATTACH_FILTER = 26


class Process:
    """Process number `pid`, which began at `start` (clock ticks since boot)."""

    def __init__(self, pid: int, child: asyncio.subprocess.Process | None = None) -> None:
        self.pid = pid
        self.start = start_ticks(pid)
        self._child = child

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        if self._child:
            return self._child.returncode is None
        return self.start != 0 and start_ticks(self.pid) == self.start

    @property
    def how(self) -> str:
        """How our child ended: "" if well (or not known)."""
        code = self._child.returncode if self._child else 0
        return f"killed by signal {-code}" if code and code < 0 else ""

    async def ended(self, seconds: float) -> bool:
        """Wait that long at most; whether it has ended."""
        if self._child:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._child.wait()), seconds)
            return not self.alive
        deadline = asyncio.get_running_loop().time() + seconds
        while self.alive:
            if (left := deadline - asyncio.get_running_loop().time()) <= 0:
                return False
            await asyncio.sleep(min(POLL_SECONDS, left))
        return True

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it lives."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def end(self) -> bool:
        """End it; whether all that came before was written (else up to a second of packets was not)."""
        drained = self.alive and deafen(self.pid)
        if drained:
            await self.ended(DRAIN_SECONDS)
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.signal(number)
            if await self.ended(STOP_SECONDS):
                return drained and number is signal.SIGTERM
        return False


def deafen(pid: int) -> bool:
    """Let no further packet reach the process's packet socket; False where the kernel does not let us (before 5.6)."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        return any(_silence(handle, int(each.name)) for each in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False
    finally:
        os.close(handle)


def _silence(handle: int, number: int) -> bool:
    """True if descriptor `number` is a packet socket, and now deaf."""
    copy = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, handle, number, 0)
    if copy < 0:
        return False
    try:
        found = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        return False
    with found:
        if found.family != socket.AF_PACKET:
            return False
        nothing = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))  # BPF: return 0
        found.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(nothing)))
        return True


def start_ticks(pid: int) -> int:
    """When the process started, in clock ticks since boot: with it a pid names one process. 0 if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if fields[0] in ("Z", "X") else int(fields[19])


def command_line(pid: int) -> list[str]:
    """What the process was started with; nothing if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")[:-1]
    except OSError:
        return []


def running_in(folder: Path) -> list[int]:
    """Numbers of the processes that work in `folder`, as far as we may see."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal() and (entry / "cwd").readlink() == folder:
                found.append(int(entry.name))
    return sorted(found)
