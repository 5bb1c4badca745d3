"""The sensor at work: tcpdumps, folder watches, journal, spool, shipper and link, wired together on one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import secrets
from collections import Counter, deque
from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from hayrick_common import __version__, notify, wire
from hayrick_common.chunk import RECORDS
from hayrick_common.clock import epoch_ms, steady_ms
from hayrick_common.closed_files import ClosedFiles, stamp_at, stamp_of
from hayrick_common.files import remove
from hayrick_sensor import pieces
from hayrick_sensor import shipper_events as ship
from hayrick_sensor import spool_events as spool
from hayrick_sensor.capture import Capture
from hayrick_sensor.closings import FolderClosings
from hayrick_sensor.config import MEGABYTE, SensorSettings, StreamSettings
from hayrick_sensor.examine import examine, ring_turned
from hayrick_sensor.gaps import Gaps
from hayrick_sensor.launches import Launch
from hayrick_sensor.layout import Layout
from hayrick_sensor.links import open_link
from hayrick_sensor.measure import Measure
from hayrick_sensor.outgoing import Outgoing
from hayrick_sensor.payloads import Payloads
from hayrick_sensor.pulls import Pulls
from hayrick_sensor.rate import Rate
from hayrick_sensor.records import Records
from hayrick_sensor.recover import open_journal
from hayrick_sensor.report import build_report, free_bytes, write_status
from hayrick_sensor.room import Room
from hayrick_sensor.shipper import Limits, Shipper
from hayrick_sensor.spool import Spool
from hayrick_sensor.windows import open_at

log = logging.getLogger(__name__)
SPACE_SECONDS = 5
HOUR_MS = 3_600_000
FORGET_SECONDS = 3_600
ROWS_KEPT_MS = 30 * 24 * HOUR_MS


class Agent:
    """`run()` until `stop()`; raises what it cannot go on after, such as a journal that does not take a write."""

    def __init__(self, settings: SensorSettings) -> None:
        self.settings = settings
        self.layout = Layout(settings.spool)
        self.layout.make([each.name for each in settings.streams])
        self._room = Room(self.layout.reserve, self.layout.drop_oldest)
        names = [each.name for each in settings.streams]
        self.journal = self._room.write(lambda: open_journal(self.layout, settings.name, names))
        self.counters: Counter[str] = Counter()
        self.complaints: dict[str, str] = {}
        self.clock: ship.Clock | None = None
        self.spool = self._make_spool()
        self.records = self._make_records()
        sftp = settings.collector.transport == "sftp"  # there a receipt is found by looking for it, now and then
        limits = Limits(heartbeat_ms=settings.heartbeat_seconds * 1000, in_flight=8 if sftp else 4)
        self.shipper = Shipper(settings.name, __version__, secrets.token_hex(8), limits=limits)
        self.link = open_link(settings)
        self.payloads = Payloads(self.spool, self.shipper, self.records, self.layout, self._unreadable_soon)
        self.pulls = Pulls(self.payloads.kept, self.link.send, settings.pull_kilobytes * 1000, self.counters)
        self.captures: dict[str, Capture] = {}
        self._spool_events: deque[spool.Event] = deque()
        self._examine: asyncio.Queue[spool.FileClosed | str] = asyncio.Queue()  # a stream whose ring lapped us
        self._room.give_up = self._give_up
        rate = Rate(settings.shipping.kilobytes_per_second * 1000)
        self._outgoing = Outgoing(self.link.send, self._beat, self.payloads.block, rate)
        self._windows = settings.shipping.parsed()
        self._gaps = Gaps(self.journal)
        self._stopping = asyncio.Event()
        self._working = False

    def _make_spool(self) -> Spool:
        budgets = {
            each.name: spool.Budget(
                each.ring_megabytes * MEGABYTE, each.owned, each.owned or each.delete, each.ring_hours * HOUR_MS
            )
            for each in self.settings.streams
        }
        floor = self.settings.keep_free_megabytes * MEGABYTE
        return Spool(self.settings.name, budgets, floor, self.journal.next_sequences(), taken=self.journal.taken())

    def _make_records(self) -> Records:
        streams = [each.name for each in self.settings.streams if each.ship == RECORDS]
        return Records(
            self.layout.records, streams, self.layout.file,
            lambda manifest, landed: self._step(ship.Added(manifest, landed)), self.journal.count,
            memory_megabytes=self.settings.decode_megabytes,
        )  # fmt: skip

    # --- life -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until `stop()` is called; ends every tcpdump before it returns."""
        known = [each for each in self.journal.live() if each.manifest.chunk.stream in self.spool.budgets]
        for command in self.spool.restore(known):
            self._carry_out(command)
        self.layout.sweep(known)
        self.records.sweep(each for each in known if each.state in (spool.CLOSED, spool.OFFERED))
        self._loop = asyncio.get_running_loop()
        await self._look_at_windows()
        scheduler = self._schedule()
        work: list[Coroutine[Any, Any, None]] = [
            self._ship(),
            self._outgoing.run(),
            self._measure(),
            self.records.run(),
            self.pulls.run(),
        ]
        work += [self._stream(each) for each in self.settings.streams]
        tasks = [asyncio.ensure_future(each) for each in work]
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()
        finally:
            scheduler.shutdown(wait=False)
            await self._end([*tasks, stopping])

    def stop(self) -> None:
        """Make `run` return."""
        self._stopping.set()

    async def _end(self, tasks: list[asyncio.Task[Any]]) -> None:
        await asyncio.gather(*(each.stop() for each in self.captures.values()))
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=10)
        self.link.close()
        self.journal.close()

    def _schedule(self) -> AsyncIOScheduler:
        scheduler = AsyncIOScheduler()
        scheduler.add_job(self._forget, "interval", seconds=FORGET_SECONDS)
        scheduler.add_job(self._look_at_space, "interval", seconds=SPACE_SECONDS)
        scheduler.add_job(self._look_at_windows, "cron", second=0)
        scheduler.add_job(
            self._write_status, "interval", seconds=SPACE_SECONDS, next_run_time=datetime.now(timezone.utc)
        )
        scheduler.start()
        return scheduler

    async def _look_at_space(self) -> None:
        self._take(spool.Space(free_bytes(self.layout.root), epoch_ms()))
        self._room.restore()

    async def _forget(self) -> None:
        """Rows of chunks long gone go, except where the foreign file may yet be found again."""
        for stream, source, stamp in self.journal.foreign():
            if await asyncio.to_thread(stamp_at, Path(source)) != stamp:
                self._room.write(functools.partial(self.journal.forget_taken, stream, source, stamp))
        self._room.write(lambda: self.journal.forget(epoch_ms() - ROWS_KEPT_MS))

    async def _look_at_windows(self) -> None:
        is_open = open_at(self._windows, datetime.now().astimezone())  # the host's own clock and zone
        if not is_open:
            self._outgoing.forget_bulk()
        self._step(ship.Window(is_open))

    def _beat(self) -> wire.Heartbeat:
        return wire.Heartbeat(epoch_ms(), build_report(self))

    async def _write_status(self) -> None:
        write_status(self.layout.status, build_report(self))
        notify.tell("READY=1\nWATCHDOG=1")

    # --- streams --------------------------------------------------------------------------------------------------

    async def _stream(self, stream: StreamSettings) -> None:
        if stream.folder:
            for copy in self.layout.open_folder(stream.name).glob("*.copy"):  # made, but not yet in the journal
                self._take(spool.FileClosed(stream.name, str(copy), copy.stem))
            taken = {stamp for name, stamp in self.spool.taken if name == stream.name}
            if not stream.delete and await asyncio.to_thread(ring_turned, stream.folder, taken):
                self._gaps.turned(stream.name)
            lapped = functools.partial(self._lapped, stream.name)
            watch = ClosedFiles(stream.folder, stream.pattern, FolderClosings, missed=lapped)
            await self._watch(stream, watch)
            return
        folder = self.layout.open_folder(stream.name)
        watch = ClosedFiles(folder, "*.pcap*", FolderClosings)
        cuts = pieces.ends(self.journal.sources(stream.name))
        last = next(iter(self.journal.launches(stream.name, 1)), None)
        capture = Capture(stream, folder, self.layout.run, watch.look, self._note_launch, last, cuts)
        self.captures[stream.name] = capture
        await asyncio.gather(capture.run(), self._watch(stream, watch))

    def _lapped(self, stream: str, files: int) -> None:
        """The ring's owner wrote files again, or deleted them, before they were looked at."""
        self._room.write(lambda: self.journal.count("overrun_files", files))
        self._examine.put_nowait(stream)

    async def _watch(self, stream: StreamSettings, watch: ClosedFiles) -> None:
        async for path in watch.closed():
            capture = self.captures.get(stream.name)
            try:
                if capture and await capture.claims(path):
                    continue
            except OSError as error:  # a full disk: it comes again when the folder is next looked through
                log.warning("%s: %s", path, error)
                await self._look_at_space()
                continue
            with contextlib.suppress(FileNotFoundError):
                source = str(path) if stream.adopted else path.name
                stamp = stamp_of(path.lstat()) if stream.adopted else ""
                self._take(spool.FileClosed(stream.name, source, stamp))

    async def _measure(self) -> None:
        """One file at a time, so that measuring never takes more than one core."""
        while True:
            event = await self._examine.get()
            if isinstance(event, str):
                self._gaps.lapped(event)
                continue
            owned = self.spool.budgets[event.stream].owned
            found: spool.Event
            try:
                found = await asyncio.to_thread(examine, self.layout, event, owned)
            except OSError as error:  # it comes again when the folder is next looked through
                log.warning("%s: %s", event.source, error)
                self.counters["unreadable_files"] += 1
                found = spool.Measured(event.stream, event.source, event.stamp, None, 0)
            if isinstance(found, spool.Measured):
                found = replace(found, gap_ms=self._gaps.before(found))
                if lost := self._gaps.lost_before(found):
                    self._carry_out(lost)
            self._take(found)

    # --- spool's commands -----------------------------------------------------------------------------------------

    def _take(self, event: spool.Event) -> None:
        self._spool_events.append(event)
        if self._working:
            return
        self._working = True
        try:
            while self._spool_events:
                for command in self.spool.step(self._spool_events.popleft()):
                    self._carry_out(command)
        finally:
            self._working = False

    def _carry_out(self, command: spool.Command) -> None:
        if isinstance(command, spool.Examine):
            self._examine.put_nowait(command.event)
        elif isinstance(command, spool.Settle):
            self._settle(command.entry)
        elif isinstance(command, spool.Ship):
            self._ready_to_ship(command.entry)
        elif isinstance(command, spool.Withdraw):
            self._step(ship.Withdrawn(command.key))
            self.records.forget(command.key)
        elif isinstance(command, spool.Remove):
            remove(self.layout.chunk(command.path))
        elif isinstance(command, spool.Discard):
            remove(self.layout.source(command.stream, command.source))
        else:
            self._room.write(lambda: self._note(command))

    def _note(self, command: spool.Command) -> None:
        """Write to the journal."""
        if isinstance(command, spool.Record):
            self.journal.record(command.entry)
        elif isinstance(command, spool.Mark):
            self.journal.mark(command.key, command.state, epoch_ms(), command.note)
        elif isinstance(command, spool.Raise):
            self.journal.raise_next(command.stream, command.next)
        elif isinstance(command, spool.Renumber):
            self.journal.renumber(command.key, command.entry)
        elif isinstance(command, spool.Shorten):
            self.journal.shorten(command.key, command.entry, command.lost, epoch_ms())
        elif isinstance(command, spool.Lose):
            self.journal.lose(command, epoch_ms())
        elif isinstance(command, spool.Count):
            self.journal.count(command.name, command.amount)

    def _ready_to_ship(self, entry: spool.Entry) -> None:
        if self.records.serves(entry.manifest.chunk.stream):
            self.records.want(entry)
        else:
            self._step(ship.Added(entry.manifest, entry.state == spool.LANDED))

    def _note_launch(self, launch: Launch) -> None:
        self._room.write(lambda: self.journal.note_launch(launch))

    def _give_up(self) -> bool:
        """The disk is full and the journal cannot even be told: the file goes that retention would take first."""
        for entry in self.spool.expendable():
            path = self.layout.file(entry)
            if path.is_file():
                remove(path)
                self._spool_events.append(spool.Missing(entry.key, "the disk was full"))
                return True
        return False

    def _settle(self, entry: spool.Entry) -> None:
        if not self._room.write(lambda: self.layout.settle(entry)):
            self._take(spool.Missing(entry.key, "its file has vanished from the sensor"))

    # --- shipper's commands ---------------------------------------------------------------------------------------

    async def _ship(self) -> None:
        async for event in self.link.events():
            self._step(event)
            if isinstance(event, ship.Got) and isinstance(event.message, wire.Welcome):
                for stream, number in event.message.next.items():
                    self._take(spool.Floor(stream, number))

    def _step(self, event: ship.Event) -> None:
        now_ms = steady_ms()
        self.shipper.epoch_ms = epoch_ms() - now_ms
        if isinstance(event, (ship.Connected, ship.Disconnected)):
            self._outgoing.forget()
        for command in self.shipper.step(event, now_ms):
            if isinstance(command, (ship.Send, ship.SendBlock, ship.Beat)):
                if not self._outgoing.put(command):
                    self.counters["dropped_requests"] += 1
            else:
                self._obey(command)

    def _obey(self, command: ship.Command) -> None:
        if isinstance(command, ship.Note):
            offered = command.state == spool.OFFERED
            self.counters["landed_chunks"] += command.state == spool.LANDED
            self._count_records(command)
            self._take(spool.Offered(command.key) if offered else spool.Received(command.key, command.state))
        elif isinstance(command, ship.Lose):
            self._take(spool.Missing(command.key, command.reason))
        elif isinstance(command, ship.Complain):
            log.warning("collector refuses %s: %s", command.key or "this sensor", command.reason)
            self.complaints[command.code] = command.reason
            if command.code == "conflict":
                self._take(spool.Conflict(command.key))
        elif isinstance(command, ship.Clock):
            self.clock = command
            self.complaints.clear()
        elif isinstance(command, ship.Answer):
            self.pulls.take(command.pull)
        elif isinstance(command, ship.Reconnect):
            self.link.reconnect()
        elif isinstance(command, ship.Count):
            self.counters[command.name] += command.amount

    def _count_records(self, note: ship.Note) -> None:
        """What records saved on the wire; once a chunk is indexed its records have served."""
        entry = self.spool.entries.get(note.key)
        if entry is None or not self.records.serves(entry.manifest.chunk.stream):
            return
        if note.state == spool.INDEXED:
            self.records.forget(note.key)
        manifest = self.shipper.manifests.get(note.key)
        if note.state == spool.LANDED and manifest is not None and manifest.content == RECORDS:
            for name, amount in (("chunks", 1), ("bytes", manifest.content_size), ("packet_bytes", manifest.size)):
                self.journal.count(f"records_{name}:{manifest.chunk.stream}", amount)

    def _unreadable_soon(self, entry: spool.Entry, reason: str, left: Measure | None) -> None:
        """As told from a thread."""
        self._loop.call_soon_threadsafe(self._unreadable, entry, reason, left)

    def _unreadable(self, entry: spool.Entry, reason: str, left: Measure | None) -> None:
        """Records that are gone are made anew; of a capture is lost what is gone."""
        if self.payloads.manifest(entry).content != RECORDS:
            if left is None:
                self._step(ship.Unreadable(entry.key, reason))
            else:
                self._take(spool.Shortened(entry.key, left))
            return
        self._step(ship.Withdrawn(entry.key))
        self.records.forget(entry.key)
        self.records.want(replace(entry, state=spool.CLOSED))
