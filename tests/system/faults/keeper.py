"""Keeps a program running as a service manager would: started anew whenever it ends, killed only by its number."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

AGAIN_SECONDS = 0.3
STOP_SECONDS = 20.0


class Keeper:
    """`start()`, then `kill()` as often as wanted, and `stop()`. `ends` has the exit codes that nobody asked for."""

    def __init__(self, name: str, command: Sequence[str], log: Path, environment: dict[str, str] | None = None) -> None:
        self.name, self.log = name, log
        self.ends: list[int] = []
        self.starts = 0
        self.started = 0.0
        self._command = list(command)
        self._environment = {**os.environ, **(environment or {})}
        self._process: asyncio.subprocess.Process | None = None
        self._killed = False
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Its process number; 0 while it does not run."""
        return self._process.pid if self._process and self._process.returncode is None else 0

    def start(self) -> None:
        """Begin to keep it."""
        self._task = asyncio.ensure_future(self._keep())

    async def _keep(self) -> None:
        while True:
            with self.log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment
                )
            self.starts, self.started, self._killed = self.starts + 1, time.monotonic(), False
            code = await self._process.wait()
            if not self._killed:
                self.ends.append(code)
            await asyncio.sleep(AGAIN_SECONDS)

    def kill(self) -> bool:
        """As a power cut would: no handler runs. False if it does not run."""
        if not self.pid:
            return False
        self._killed = True
        os.kill(self.pid, signal.SIGKILL)
        return True

    async def stop(self) -> None:
        """End it for good."""
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        except asyncio.TimeoutError:
            self._process.kill()
            await self._process.wait()


def children(pid: int) -> list[int]:
    """Process numbers of a process's children."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(each) for each in (task / "children").read_text().split()]
    return found


def kill_all(pids: Sequence[int]) -> int:
    """kill -9; how many were there."""
    killed = 0
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            killed += 1
    return killed


def command_line(pid: int) -> str:
    """What the process was started with; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""
