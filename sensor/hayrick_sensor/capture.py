"""One tcpdump's life: started or taken over, watched, restarted with back-off, and ended without loss.

Its stderr goes to a file, not a pipe: so it outlives a killed sensor and goes on capturing. The next sensor takes it
over as it is, or, if its settings have changed since, ends it and starts another.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import pwd
import signal
import time
from collections.abc import Callable
from pathlib import Path

from hayrick_common.clock import epoch_ms
from hayrick_common.errors import CaptureError
from hayrick_common.files import remove, write_file
from hayrick_sensor import pieces, tcpdump
from hayrick_sensor.config import StreamSettings
from hayrick_sensor.launches import Launch
from hayrick_sensor.process import Process, command_line, running_in

log = logging.getLogger(__name__)
PCAP_HEADER_BYTES = 24
BACKOFF_SECONDS = (0.5, 30.0)
STEADY_SECONDS = 30.0
SOON_SECONDS = 1.0
COUNTS_SECONDS = 5.0
FLUSH_SECONDS = 0.2
STDERR_MAX_BYTES = 64 << 10


class Capture:
    """Runs tcpdump for one stream in `folder`.

    `closed()` is called when files there may have been closed, `note(launch)` when more is known of a launch. `last`
    is the last launch that is known of, `cuts` up to where pieces were taken of files (see `pieces.py`).
    """

    def __init__(
        self,
        stream: StreamSettings,
        folder: Path,
        run: Path,
        closed: Callable[[], None],
        note: Callable[[Launch], None] = lambda launch: None,
        last: Launch | None = None,
        cuts: dict[str, int] | None = None,
    ) -> None:
        self.stream = stream
        self.folder = folder
        self.problem = ""
        self.restarts = 0
        self.quiet_cuts = 0
        self.taken_over = False
        self.launch = last
        self._closed = closed
        self._note = note
        self._stderr = run / f"{stream.name}.stderr"
        self._pid_file = run / f"{stream.name}.pid"
        self._process: Process | None = None
        self._before = tcpdump.Counts()
        self._starting = ""
        self._stop = asyncio.Event()
        self._file = ("", 0.0)
        self._flushed_ms = 0
        self._cutting = asyncio.Lock()
        self._cuts = {**(cuts or {}), **pieces.ends(each.name for each in folder.iterdir())}
        self._given: set[str] = set()

    @property
    def pid(self) -> int:
        """tcpdump's process number, 0 while there is none."""
        return self._process.pid if self._process and self._process.alive else 0

    def counts(self) -> tcpdump.Counts:
        """Counts of the launch that runs and of all that this sensor saw end."""
        running = self.launch is not None and not self.launch.stopped_ms
        return self._before + self.launch.counts if self.launch and running else self._before

    async def run(self) -> None:
        """Keep tcpdump running until `stop`."""
        await self._take_over()
        delay = BACKOFF_SECONDS[0]
        while not self._stop.is_set():
            started = time.monotonic()
            await self._run_once()
            self._closed()
            if self._stop.is_set():
                return
            self.restarts += 1
            delay = BACKOFF_SECONDS[0] if time.monotonic() - started > STEADY_SECONDS else delay
            log.warning("tcpdump of stream %s ended: %s; again in %.1f s", self.stream.name, self.problem, delay)
            await self._pause(delay)
            delay = min(delay * 2, BACKOFF_SECONDS[1])

    async def stop(self) -> None:
        """End tcpdump so that all it was given is written."""
        self._stop.set()
        if self._process:
            drained = await self._process.end()
            self._over("the sensor was stopped", drained)

    # --- one run --------------------------------------------------------------------------------------------------

    async def _run_once(self) -> None:
        """Start tcpdump, unless one was taken over, and stay until it ends."""
        if self._process is None:
            try:
                await self._start(f"{epoch_ms():012x}")
            except (OSError, CaptureError) as error:
                self.problem = str(error)
                return
        await self._watch()
        process, self._process = self._process, None
        if not self._stop.is_set() and process:
            self.problem = process.how or tcpdump.last_line(self._said()) or "no reason given"
            self._over(self.problem, drained=False)

    async def _start(self, launch: str) -> None:
        self._own_folder()
        self._stderr.write_bytes(b"")
        stderr = os.open(self._stderr, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            child = await asyncio.create_subprocess_exec(
                *tcpdump.arguments(self.stream, launch),
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=stderr,
                cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(stderr)
        self._process = Process(child.pid, child)
        with contextlib.suppress(OSError):  # without it, it is found by the folder that it works in
            said = {"pid": child.pid, "start": self._process.start, "launch": launch}
            write_file(self._pid_file, json.dumps(said).encode())
        self._starting = launch

    def _own_folder(self) -> None:
        """The user tcpdump becomes must be able to write here."""
        user = tcpdump.drop_user(self.stream)
        if user:
            record = pwd.getpwnam(user)
            os.chown(self.folder, record.pw_uid, record.pw_gid)

    async def _watch(self) -> None:
        """Look after a running tcpdump until it ends."""
        process = self._process
        counts_due = time.monotonic() + SOON_SECONDS
        hurry = 100
        while process and not await process.ended(0.02 if hurry > 0 else 0.5):
            hurry -= 1
            if self._listens() and time.monotonic() >= counts_due:
                counts_due = time.monotonic() + COUNTS_SECONDS
                await self._ask_counts()
            with contextlib.suppress(OSError):  # of a full disk, for one: next time
                await self._close_quiet()

    def _listens(self) -> bool:
        """True once tcpdump listens; then notes the launch, and for how long nothing did."""
        if not self._starting:
            return True
        if tcpdump.READY not in self._said() and not self._written_ms(self._starting):
            return False  # (on a full disk it cannot even say so, but its file is there)
        now, last = epoch_ms(), self.launch
        gap = max(1, now - last.gap_from()) if last else 0
        self.launch = Launch(self.stream.name, self._starting, now, seen_ms=now, gap_ms=gap)
        self._starting, self.problem, self._flushed_ms = "", "", now
        self._note(self.launch)
        return True

    def _over(self, why: str, drained: bool) -> None:
        """tcpdump has ended: note what is known of it, once."""
        launch = self.launch
        if launch is None or launch.stopped_ms or self._starting:
            return
        launch = launch.seen(launch.seen_ms, tcpdump.parse_counts(self._said()))
        self.launch = launch.ended(
            epoch_ms(), why, self._written_ms(), drained=drained, told=tcpdump.told_all(self._said()),
            loopback=self.stream.interface == "lo",
        )  # fmt: skip
        self._before += self.launch.counts
        self._note(self.launch)

    def _written_ms(self, launch: str = "") -> int:
        """When the launch's newest file was last written to, or the one that runs last told to; 0 if it has no file."""
        times = [0 if launch else self._flushed_ms]
        launch = launch or (self.launch.launch if self.launch else "")
        for each in self.folder.iterdir():
            if launch and tcpdump.launch_of(each.name) == launch:
                with contextlib.suppress(FileNotFoundError):
                    times.append(each.stat().st_mtime_ns // 1_000_000)
        return max(times)

    async def _ask_counts(self) -> None:
        """Have tcpdump say its counts, and note them."""
        if self._stderr.exists() and self._stderr.stat().st_size > STDERR_MAX_BYTES:
            os.truncate(self._stderr, 0)
        self._signal(signal.SIGUSR1)
        await asyncio.sleep(FLUSH_SECONDS)
        if self.launch and self.pid:
            self.launch = self.launch.seen(epoch_ms(), tcpdump.parse_counts(self._said()))
            self._note(self.launch)

    # --- quiet links ----------------------------------------------------------------------------------------------

    async def _close_quiet(self) -> None:
        """Close the current file's chunk where tcpdump should long have done so: no packet came to make it."""
        newest = self._newest()
        if newest != self._file[0]:
            self._file = (newest, time.monotonic())
        age = time.monotonic() - self._file[1]
        if not newest or age < self.stream.rotate_seconds + self.stream.quiet_grace:
            return
        self._signal(signal.SIGUSR2)  # write what it holds
        flushed = epoch_ms()
        await asyncio.sleep(FLUSH_SECONDS)
        self._flushed_ms = flushed if self.pid else self._flushed_ms
        self._file = (newest, time.monotonic())
        async with self._cutting:
            if newest not in self._given:
                await self._cut(newest)

    async def _cut(self, name: str) -> int:
        """Take what is new in a file as a piece; up to where it was taken."""
        before = self._cuts.get(name, PCAP_HEADER_BYTES)
        with contextlib.suppress(FileNotFoundError):
            end = await asyncio.to_thread(pieces.cut, self.folder / name, before)
            if end > before:
                self._cuts[name] = end
                self.quiet_cuts += 1
        return self._cuts.get(name, 0)

    async def claims(self, path: Path) -> bool:
        """Whether a closed file was taken by pieces; then its rest is now taken, and it is gone."""
        name = path.name
        if tcpdump.is_piece(name):
            return False
        async with self._cutting:
            if name not in self._cuts:
                self._given.add(name)
                return False
            await self._cut(name)
            remove(path)
            del self._cuts[name]
            return True

    def _newest(self) -> str:
        found = {}
        for each in self.folder.iterdir():
            if tcpdump.launch_of(each.name) and not tcpdump.is_piece(each.name):
                with contextlib.suppress(FileNotFoundError):
                    found[each.name] = each.stat().st_mtime_ns
        self._given &= found.keys()
        return max(found, key=lambda name: found[name], default="")

    # --- what an earlier sensor left ------------------------------------------------------------------------------

    async def _take_over(self) -> None:
        """Go on with the tcpdump that a killed sensor left running, or end it if it is not what is wanted now."""
        for pid in self._orphans():
            process, said = Process(pid), command_line(pid)
            launch = tcpdump.launch_in(said)
            same = launch and self._process is None and said == self._wanted(launch)
            if same and process.alive:
                self._process, self.taken_over, self._starting = process, True, launch
                self._known(launch)
            else:
                drained = await process.end()
                self._known(launch)
                self._over("its settings have changed", drained)
        if self._process is None and self.launch and not self.launch.stopped_ms:
            self._found_dead()

    def _known(self, launch: str) -> None:
        """Whether the journal knows the launch: then it needs not be noted as new."""
        if self.launch and self.launch.launch == launch:
            self._starting = ""
            return
        started = int(launch, 16) if launch else epoch_ms()
        gap = max(1, started - self.launch.gap_from()) if self.launch and self.launch.stopped_ms else 0
        self.launch = Launch(self.stream.name, launch or f"{started:012x}", started, seen_ms=started, gap_ms=gap)
        self._starting = ""
        self._note(self.launch)

    def _found_dead(self) -> None:
        """The last tcpdump ended while no sensor ran: as late as its last file says."""
        last = self.launch
        if last is None:
            return
        last, written = last.seen(last.seen_ms, tcpdump.parse_counts(self._said())), self._written_ms()
        ended = max(last.seen_ms, written)
        self.launch = last.ended(
            ended, "killed or ended while no sensor ran", written, told=tcpdump.told_all(self._said()),
            loopback=self.stream.interface == "lo",
        )  # fmt: skip
        self._note(self.launch)

    def _wanted(self, launch: str) -> list[str]:
        try:
            return tcpdump.arguments(self.stream, launch)
        except CaptureError:
            return []

    def _orphans(self) -> list[int]:
        """tcpdumps that work in our folder, the one in the pid file first."""
        found = [each for each in running_in(self.folder.resolve()) if tcpdump.launch_in(command_line(each))]
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            said = json.loads(self._pid_file.read_text())
            pid = int(said["pid"])
            if Process(pid).start == int(said["start"]) and tcpdump.launch_in(command_line(pid)):
                found = [pid, *(each for each in found if each != pid)]
        return found

    # --- small things ---------------------------------------------------------------------------------------------

    def _signal(self, number: signal.Signals) -> None:
        if self._process:
            self._process.signal(number)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    def _said(self) -> str:
        try:
            return self._stderr.read_text("utf-8", "replace")
        except OSError:
            return ""
