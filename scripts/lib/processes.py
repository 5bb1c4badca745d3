"""Starts real programs for quickstart, waits for them with a deadline, and ends them by their own process group."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class GoneError(RuntimeError):
    """A program ended that should have stayed."""


class LateError(RuntimeError):
    """A deadline passed; the message says what was waited for."""


class Process:
    """A running program with its output in a log file."""

    def __init__(self, name: str, command: Sequence[str], log: Path, cwd: Path | None = None) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as stream:
            self._child = subprocess.Popen(
                list(command), stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, cwd=cwd, start_new_session=True
            )

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._child.pid

    def check(self) -> None:
        """Raise GoneError, with the end of its log, if it ended."""
        if (code := self._child.poll()) is not None:
            raise GoneError(f"{self.name} ended with {code}; its log says:\n{tail(self.log)}")

    def stop(self, seconds: float = 15) -> None:
        """SIGTERM, and SIGKILL to its whole group when that is not enough."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(self._child.pid, signal.SIGKILL)
                self._child.wait()


@contextmanager
def running(name: str, command: Sequence[str], log: Path, cwd: Path | None = None) -> Iterator[Process]:
    """A program that runs as long as the block."""
    process = Process(name, command, log, cwd)
    try:
        yield process
    finally:
        process.stop()


def run(command: Sequence[str], seconds: float = 60, *, check: bool = True) -> str:
    """Standard output of a command that should end in `seconds`; raises RuntimeError with its own words."""
    try:
        done = subprocess.run(list(command), capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise LateError(f"no end after {seconds:g} s: {' '.join(command)}") from error
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}\nended with {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def wait_until(ready: Callable[[], bool], what: str, seconds: float, *watched: Process, every: float = 0.2) -> None:
    """Ask `ready` until it says yes; LateError after `seconds`, GoneError as soon as a watched program ends."""
    deadline = time.monotonic() + seconds
    while not ready():
        for process in watched:
            process.check()
        if time.monotonic() > deadline:
            logs = "".join(f"\n--- {each.name}:\n{tail(each.log)}" for each in watched)
            raise LateError(f"{seconds:g} s passed waiting for {what}{logs}")
        time.sleep(every)


def free_port(address: str = "127.0.0.1") -> int:
    """A TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def answers(address: str, port: int) -> bool:
    """Whether something accepts TCP connections there."""
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False


def tail(log: Path, lines: int = 12) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:])
