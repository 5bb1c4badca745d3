"""One tcpdump's life: started, watched, restarted with back-off, made to close its file on a quiet link, and ended.

Its stderr goes to a file, not a pipe: so it outlives a killed sensor, goes on capturing, and ends cleanly when found.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import os
import pwd
import signal
import time
from collections.abc import Callable
from pathlib import Path

from hayrick_common.errors import CaptureError
from hayrick_common.files import write_file
from hayrick_sensor import tcpdump
from hayrick_sensor.config import StreamSettings

log = logging.getLogger(__name__)
PCAP_HEADER_BYTES = 24
BACKOFF_SECONDS = (0.5, 30.0)
STEADY_SECONDS = 30.0
STOP_SECONDS = 5.0
COUNTS_SECONDS = 10.0
STDERR_MAX_BYTES = 64 << 10


class Capture:
    """Runs tcpdump for one stream in `folder`; `closed()` is called when files there may have been closed."""

    def __init__(self, stream: StreamSettings, folder: Path, run: Path, closed: Callable[[], None]) -> None:
        self.stream = stream
        self.folder = folder
        self.problem = ""
        self.restarts = 0
        self.quiet_restarts = 0
        self.gaps: dict[str, int] = {}
        self._closed = closed
        self._stderr = run / f"{stream.name}.stderr"
        self._pid_file = run / f"{stream.name}.pid"
        self._process: asyncio.subprocess.Process | None = None
        self._ended_counts = tcpdump.Counts()
        self._stop = asyncio.Event()
        self._down_since: float | None = None
        self._file = ("", 0.0)
        self._quiet = False

    @property
    def pid(self) -> int:
        """tcpdump's process number, 0 while there is none."""
        return self._process.pid if self._process and self._process.returncode is None else 0

    def counts(self) -> tcpdump.Counts:
        """Counts of all runs since the sensor started."""
        return self._ended_counts + (tcpdump.parse_counts(self._said()) if self.pid else tcpdump.Counts())

    async def run(self) -> None:
        """Keep tcpdump running until `stop`."""
        delay = BACKOFF_SECONDS[0]
        while not self._stop.is_set():
            started = time.monotonic()
            quiet = await self._run_once()
            self._closed()
            if quiet or self._stop.is_set():
                continue
            self.restarts += 1
            delay = BACKOFF_SECONDS[0] if time.monotonic() - started > STEADY_SECONDS else delay
            log.warning("tcpdump of stream %s ended: %s; again in %.1f s", self.stream.name, self.problem, delay)
            await self._pause(delay)
            delay = min(delay * 2, BACKOFF_SECONDS[1])

    async def stop(self) -> None:
        """End tcpdump cleanly, so that its last file is whole."""
        self._stop.set()
        await self._terminate()

    # --- one run --------------------------------------------------------------------------------------------------

    async def _run_once(self) -> bool:
        """Start tcpdump and stay until it ends; True if we ended it because of a quiet link."""
        launch = f"{time.time_ns() // 1_000_000:012x}"
        self._quiet = False
        try:
            await self._start(launch)
        except (OSError, CaptureError) as error:
            self.problem = str(error)
            return False
        watching = asyncio.ensure_future(self._watch(launch))
        try:
            await self._wait_exit()
        finally:
            watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        quiet = self._quiet
        self._ended_counts += tcpdump.parse_counts(self._said())
        self._down_since = self._down_since or time.monotonic()
        self.problem = "" if quiet or self._stop.is_set() else tcpdump.last_line(self._said()) or "no reason given"
        return quiet

    async def _start(self, launch: str) -> None:
        self._own_folder()
        with self._stderr.open("wb") as truncated, contextlib.suppress(OSError):
            truncated.truncate(0)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        stderr = os.open(self._stderr, flags, 0o640)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *tcpdump.arguments(self.stream, launch),
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=stderr,
                cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(stderr)
        pid = self._process.pid
        write_file(self._pid_file, json.dumps({"pid": pid, "start": start_ticks(pid)}).encode())

    def _own_folder(self) -> None:
        """The user tcpdump becomes must be able to write here."""
        user = tcpdump.drop_user(self.stream)
        if user:
            record = pwd.getpwnam(user)
            os.chown(self.folder, record.pw_uid, record.pw_gid)

    async def _wait_exit(self) -> None:
        if self._process:
            await self._process.wait()

    async def _watch(self, launch: str) -> None:
        """Look after a running tcpdump, until it is to be ended because of a quiet link."""
        next_counts = time.monotonic() + COUNTS_SECONDS
        listening = False
        for pause in itertools.chain(itertools.repeat(0.02, 100), itertools.repeat(0.5)):
            await asyncio.sleep(pause)
            listening = listening or self._listens(launch)
            if time.monotonic() >= next_counts:
                next_counts = time.monotonic() + COUNTS_SECONDS
                self._ask_counts()
            if await self._overdue():
                self.quiet_restarts += 1
                self._quiet, self._down_since = True, time.monotonic()
                self._signal(signal.SIGTERM)
                await asyncio.sleep(STOP_SECONDS)
                self._signal(signal.SIGKILL)
                return

    def _listens(self, launch: str) -> bool:
        """True once tcpdump listens; then notes for how long nothing did."""
        if tcpdump.READY not in self._said():
            return False
        if self._down_since is not None:
            self.gaps[launch] = max(1, int((time.monotonic() - self._down_since) * 1000))
            self._down_since = None
        return True

    async def _overdue(self) -> bool:
        """True when the current file has packets and tcpdump should long have closed it: no packet came to make it."""
        newest = self._newest()
        if newest != self._file[0]:
            self._file = (newest, time.monotonic())
        age = time.monotonic() - self._file[1]
        if not newest or age < self.stream.rotate_seconds + self.stream.quiet_grace:
            return False
        self._signal(signal.SIGUSR2)
        await asyncio.sleep(0.2)
        with contextlib.suppress(FileNotFoundError):
            if (self.folder / newest).stat().st_size > PCAP_HEADER_BYTES:
                return True
            self._file = (newest, time.monotonic())
        return False

    def _newest(self) -> str:
        found = {}
        for each in self.folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                found[each.name] = each.stat().st_mtime_ns
        return max((name for name in found if tcpdump.launch_of(name)), key=lambda name: found[name], default="")

    def _ask_counts(self) -> None:
        if self._stderr.stat().st_size > STDERR_MAX_BYTES:
            os.truncate(self._stderr, 0)
        self._signal(signal.SIGUSR1)

    # --- endings --------------------------------------------------------------------------------------------------

    async def _terminate(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(asyncio.shield(process.wait()), STOP_SECONDS)
        except asyncio.TimeoutError:
            self._signal(signal.SIGKILL)

    async def end_orphan(self) -> None:
        """End the tcpdump that a killed sensor left running; its file is then closed like any other."""
        try:
            found = json.loads(self._pid_file.read_text())
            pid, start = int(found["pid"]), int(found["start"])
        except (OSError, ValueError, KeyError, TypeError):
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + STOP_SECONDS
            while start and start_ticks(pid) == start and time.monotonic() < deadline:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
                await asyncio.sleep(0.05)
        self._ended_counts += tcpdump.parse_counts(self._said())

    def _signal(self, number: signal.Signals) -> None:
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    def _said(self) -> str:
        try:
            return self._stderr.read_text("utf-8", "replace")
        except FileNotFoundError:
            return ""


def start_ticks(pid: int) -> int:
    """When the process started, in clock ticks since boot: with it a pid names one process. 0 if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if fields[0] in ("Z", "X") else int(fields[19])
