"""A sensor, a collector and a network between them, with real spool, shipper and lander, and pretended I/O.

Fault points: `fuel` counts commands down, and the machine whose fuel runs out is killed before it carries out the next.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from dataclasses import dataclass, field, replace

import zstandard

from hayrick_collector.landing import events as land
from hayrick_collector.landing.blocks import unpacked
from hayrick_collector.landing.lander import Lander
from hayrick_collector.landing.lander import Limits as LanderLimits
from hayrick_collector.landing.pulls import Pulls
from hayrick_collector.landing.sink import Known
from hayrick_common import wire
from hayrick_common.chunk import ChunkId, Manifest
from hayrick_sensor import shipper_events as ship
from hayrick_sensor import spool_events as spool
from hayrick_sensor.measure import Measure
from hayrick_sensor.packing import Packer
from hayrick_sensor.shipper import Shipper
from hayrick_sensor.spool import Spool

STREAM = "eth0"
BLOCK = 10


class KilledError(Exception):
    """The process is gone, between two commands."""


@dataclass
class Fuel:
    left: int | None = None

    def burn(self) -> None:
        if self.left is None:
            return
        if self.left == 0:
            self.left = None
            raise KilledError
        self.left -= 1


@dataclass
class Wire:
    """One connection; both directions in order, all lost when it is cut."""

    route: bytes
    up: deque = field(default_factory=deque)
    down: deque = field(default_factory=deque)
    alive: bool = True


def measured(data: bytes) -> Measure:
    """Of a file in which each byte is a packet."""
    return Measure(len(data), hashlib.sha256(data).hexdigest(), len(data))


class SensorSide:
    """Durable: `open`, `chunks`, `journal`, `next`, `counters`. The rest dies with the process.

    `whole` has for the key of a chunk whose file was cut short the key that it had before.
    """

    def __init__(self, world: World, ring_bytes: int) -> None:
        self.world = world
        self.ring_bytes = ring_bytes
        self.fuel = Fuel()
        self.open: dict[str, bytes] = {}
        self.chunks: dict[str, bytes] = {}
        self.journal: dict[str, spool.Entry] = {}
        self.next = 1
        self.counters: Counter[str] = Counter()
        self.whole: dict[str, str] = {}
        self.journals = 1
        self.boots = 0
        self.boot()

    def lose_journal(self) -> None:
        """The sensor starts with what its chunks' names and bytes tell."""
        self.journals += 1
        self.journal, self.next = {}, 1
        self.counters.clear()
        for path, data in sorted(self.chunks.items()):
            name, sha256 = path.rpartition("/")[2], hashlib.sha256(data).hexdigest()
            chunk = ChunkId("s", STREAM, int(name[:10]), sha256)
            assert path == f"{STREAM}/{chunk.file_name}"
            entry = spool.Entry(Manifest(chunk, len(data), len(data)), name, "", path, True)
            self.journal[entry.key] = entry
            self.next = chunk.sequence + 1
        self.kill()

    def boot(self) -> None:
        self.boots += 1
        budgets = {STREAM: spool.Budget(self.ring_bytes)}
        self.spool = Spool("s", budgets, next_sequence={STREAM: self.next})
        self.shipper = Shipper("s", "test", f"boot{self.boots}")
        self.shipper.open = self.world.open
        self.packer = Packer()
        self.held: dict[tuple[str, int, int], ship.SendBlock] = {}
        self.events: deque = deque()
        self.working = False
        live = [each for each in self.journal.values() if each.state not in (spool.PRUNED, spool.LOST)]
        try:
            for command in self.spool.restore(live):
                self.carry_out(command)
            keep = {each.path for each in live}
            self.chunks = {path: data for path, data in self.chunks.items() if path in keep}
            for name in sorted(self.open):
                self.closed(name)
        except KilledError:
            self.kill()

    def kill(self) -> None:
        self.fuel.left = None
        self.world.cut(tell_sensor=False)
        self.boot()

    def closed(self, name: str) -> None:
        self.take(spool.FileClosed(STREAM, name))

    def take(self, event: spool.Event) -> None:
        self.events.append(event)
        if self.working:
            return
        self.working = True
        while self.events:
            for command in self.spool.step(self.events.popleft()):
                self.carry_out(command)
        self.working = False

    def carry_out(self, command: spool.Command) -> None:
        self.fuel.burn()
        if isinstance(command, spool.Examine):
            source = command.event.source
            data = self.open.get(source)
            found = measured(data) if data is not None else None
            self.events.append(spool.Measured(STREAM, source, "", found, self.world.now))
        elif isinstance(command, spool.Settle):
            self.settle(command.entry)
        elif isinstance(command, spool.Ship):
            self.step(ship.Added(command.entry.manifest, command.entry.state == spool.LANDED))
        elif isinstance(command, spool.Withdraw):
            self.step(ship.Withdrawn(command.key))
        elif isinstance(command, spool.Remove):
            self.chunks.pop(command.path, None)
        elif isinstance(command, spool.Discard):
            self.open.pop(command.source, None)
        else:
            self.note(command)

    def note(self, command: spool.Command) -> None:
        if isinstance(command, spool.Record):
            assert command.entry.key not in self.journal
            assert command.entry.manifest.chunk.sequence == self.next
            self.journal[command.entry.key] = command.entry
            self.next += 1
        elif isinstance(command, spool.Mark):
            entry = self.journal[command.key]
            self.journal[command.key] = replace(entry, state=command.state)
            if command.state == spool.LOST:
                self.world.lost.add(self.world.contents.get(self.chunks.get(entry.path, b""), entry.source))
        elif isinstance(command, spool.Raise):
            self.next = max(self.next, command.next)
        elif isinstance(command, spool.Renumber):
            assert command.entry.key not in self.journal
            self.journal.pop(command.key)
            self.journal[command.entry.key] = command.entry
            self.next = command.entry.manifest.chunk.sequence + 1
        elif isinstance(command, spool.Shorten):
            was, left = self.journal.pop(command.key), command.entry
            assert command.lost.packets == was.manifest.packets - left.manifest.packets > 0
            self.journal[left.key] = left
            self.whole[left.key] = command.key
        elif isinstance(command, spool.Count):
            self.counters[command.name] += command.amount

    def names(self, entry: spool.Entry) -> list[str]:
        """Under which keys the chunk may have landed: its own, and those from before its file was cut short."""
        found = [entry.key]
        while found[-1] in self.whole:
            found.append(self.whole[found[-1]])
        return found

    def settle(self, entry: spool.Entry) -> None:
        if entry.path in self.chunks:
            return
        number = entry.manifest.chunk
        other = [path for path in self.chunks if path.endswith(f"-{number.sha256[:16]}.pcap")]
        if entry.source in self.open:
            self.chunks[entry.path] = self.open.pop(entry.source)
        elif other:
            self.chunks[entry.path] = self.chunks.pop(other[0])
        else:
            self.take(spool.Missing(entry.key, "vanished"))

    def step(self, event: ship.Event) -> None:
        if isinstance(event, (ship.Connected, ship.Disconnected)) or event == ship.Window(False):
            self.held.clear()
        for command in self.shipper.step(event, self.world.now):
            self.fuel.burn()
            self.obey(command)

    def obey(self, command: ship.Command) -> None:
        if isinstance(command, ship.Send):
            self.say(self.as_old(command.message))
        elif isinstance(command, ship.SendBlock):
            self.held[command.key, command.offset, command.length] = command
            if not self.world.slow:
                self.release()
        elif isinstance(command, ship.Answer):
            self.say(self.answer(command.pull))
        elif isinstance(command, ship.Beat):
            self.say(wire.Heartbeat(self.world.now, {}))
        elif isinstance(command, ship.Note):
            offered = command.state == spool.OFFERED
            self.take(spool.Offered(command.key) if offered else spool.Received(command.key, command.state))
        elif isinstance(command, ship.Lose):
            self.take(spool.Missing(command.key, command.reason))
        elif isinstance(command, ship.Reconnect):
            self.world.cut()
        elif isinstance(command, ship.Complain):
            self.refused(command)

    def say(self, message: wire.Message) -> None:
        """Only what the version spoken has may be said, and outside the windows only what is small."""
        assert self.shipper.open or not isinstance(message, (wire.Offer, wire.Block)), "shipped outside the windows"
        frames = wire.encode(message, self.shipper.spoken)
        if self.world.wire.alive:
            self.world.wire.up.append(wire.decode(frames))

    def as_old(self, message: wire.Message) -> wire.Message:
        return replace(message, wire_max=self.world.newest) if isinstance(message, wire.Hello) else message

    def release(self, most: int = 10**9) -> None:
        """Let blocks go that the rate held back."""
        for place in list(self.held)[:most]:
            command = self.held.pop(place, None)
            if command is None:
                continue
            entry = self.spool.entries.get(command.key)
            data = self.chunks.get(entry.path, b"") if entry else b""
            if entry and len(data) == entry.manifest.size:
                body = data[command.offset : command.offset + command.length]
                packed = self.packer.pack(command.key, body) if self.shipper.spoken > 1 else (wire.RAW, body)
                self.say(wire.Block(command.key, command.offset, *packed))
            elif data:
                self.take(spool.Shortened(command.key, measured(data)))
            elif entry:
                self.step(ship.Unreadable(command.key, "gone"))

    def answer(self, pull: wire.Pull) -> wire.Pulled:
        entry = self.spool.entries.get(pull.key)
        if entry is None or len(self.chunks.get(entry.path, b"")) != entry.manifest.size:
            return wire.Pulled(pull.request, pull.key, wire.RAW, "moved on", b"")
        data = self.chunks[entry.path]
        body = b"".join(data[offset : offset + length] for offset, length in pull.ranges)
        return wire.Pulled(pull.request, pull.key, wire.ZSTD, "", zstandard.compress(body))

    def refused(self, command: ship.Complain) -> None:
        assert command.code in ("later", "content", "conflict"), command
        if command.code == "conflict":
            assert self.journals > 1 or command.key in self.whole
            self.take(spool.Conflict(command.key))


class CollectorSide:
    """Durable: `parts`, `named`, `sink`, `index`. `spoil` makes the next finished chunk differ from its promise."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.fuel = Fuel()
        self.parts: dict[str, bytes] = {}
        self.named: dict[str, bytes] = {}
        self.sink: dict[int, tuple[str, str]] = {}
        self.index: set[str] = set()
        self.recorded: Counter[str] = Counter()
        self.full = False
        self.boots = 0
        self.boot()

    def boot(self) -> None:
        self.boots += 1
        limits = LanderLimits(BLOCK, BLOCK // 3, 5 * BLOCK, window_bytes=3 * BLOCK, credit_bytes=6 * BLOCK)
        self.lander = Lander(f"boot{self.boots}", "test", limits=limits, pulls=Pulls(least_bytes=BLOCK // 3))
        self.pending: deque[land.Event] = deque()
        self.tokens = 0
        self.wanted: dict[int, bytes] = {}

    def kill(self) -> None:
        self.fuel.left = None
        self.world.cut()
        self.boot()

    def take(self, event: land.Event) -> None:
        self.pending.append(event)
        while self.pending:
            for command in self.lander.step(self.pending.popleft(), self.world.now):
                self.fuel.burn()
                self.carry_out(command)

    def carry_out(self, command: land.Command) -> None:
        if isinstance(command, land.Send):
            connection = self.world.wire
            if connection.alive and connection.route == command.route:
                frames = wire.encode(command.message, self.lander.version(command.route))
                connection.down.append(wire.decode(frames))
            else:
                self.pending.append(land.Lost(command.route))
        elif isinstance(command, land.Answered):
            self.answered(command)
        elif isinstance(command, land.LookUp):
            found = self.sink.get(command.manifest.chunk.sequence)
            known = Known(found[0], found[1] in self.index) if found else None
            self.pending.append(land.Looked(command.route, command.manifest, known))
        elif isinstance(command, land.Open):
            self.open(command.manifest)
        elif isinstance(command, land.Write):
            self.write(command)
        elif isinstance(command, land.Finish):
            self.finish(command.manifest)
        elif isinstance(command, land.Discard):
            self.parts.pop(command.manifest.key, None)

    def want(self, key: str, ranges: tuple[tuple[int, int], ...]) -> None:
        """Ask for bytes of a landed chunk, as they would be asked for had only its records come."""
        self.tokens += 1
        self.wanted[self.tokens] = b"".join(self.named[key][offset : offset + length] for offset, length in ranges)
        self.take(land.Wanted(self.tokens, "s", key, ranges))

    def answered(self, command: land.Answered) -> None:
        expected = self.wanted.pop(command.token)  # each once
        if command.data is None:
            assert command.reason
        else:
            assert command.data == expected, "other packets than those asked for"

    def open(self, manifest: Manifest) -> None:
        if self.full:
            self.pending.append(land.Failed(manifest.key, "full"))
        elif manifest.key in self.named:
            self.record(manifest)
        else:
            self.parts.setdefault(manifest.key, b"")
            if len(self.parts[manifest.key]) > manifest.size:
                self.parts[manifest.key] = b""
            self.pending.append(land.Opened(manifest.key, len(self.parts[manifest.key])))

    def write(self, command: land.Write) -> None:
        if self.full:
            self.pending.append(land.Failed(command.key, "full"))
            return
        if command.key not in self.parts or len(self.parts[command.key]) != command.offset:
            assert any(isinstance(each, land.Failed) for each in self.pending)
            return
        self.parts[command.key] += command.data
        if command.frame:
            assert zstandard.ZstdDecompressor().decompress(command.frame) == command.data

    def finish(self, manifest: Manifest) -> None:
        data = self.parts.pop(manifest.key)
        if hashlib.sha256(data).hexdigest() != manifest.chunk.sha256:
            self.pending.append(land.Spoiled(manifest.key))
            return
        self.fuel.burn()
        self.named[manifest.key] = data
        self.fuel.burn()
        self.record(manifest)

    def record(self, manifest: Manifest) -> None:
        self.sink[manifest.chunk.sequence] = (manifest.chunk.sha256, manifest.key)
        self.recorded[manifest.key] += 1
        self.fuel.burn()
        self.pending.append(land.Stored(manifest.key))


class World:
    def __init__(self, ring_bytes: int = 10**9) -> None:
        self.now = 1000
        self.routes = 0
        self.wire = Wire(b"", alive=False)
        self.made: dict[str, bytes] = {}
        self.contents: dict[bytes, str] = {}
        self.emptied: set[str] = set()
        self.lost: set[str] = set()
        self.newest, self.slow, self.open = wire.WIRE_MAX, False, True
        self.sensor = SensorSide(self, ring_bytes)
        self.collector = CollectorSide(self)

    # --- what happens ---------------------------------------------------------------------------------------------

    def capture(self, data: bytes) -> None:
        name = f"f{len(self.made):04d}"
        self.made[name] = self.sensor.open[name] = data
        self.contents[data] = name
        self.on_sensor(lambda: self.sensor.closed(name))

    def cut_short(self, path: str, left: int) -> None:
        """A chunk's file loses its end, under whatever is being done with it."""
        name, data = self.contents[self.sensor.chunks[path]], self.sensor.chunks[path][:left]
        self.sensor.chunks[path] = data
        if data:
            self.contents[data] = name
        else:
            self.emptied.add(name)

    def connect(self) -> None:
        if not self.wire.alive:
            self.routes += 1
            self.wire = Wire(str(self.routes).encode())
            self.on_sensor(lambda: self.sensor.step(ship.Connected()))

    def cut(self, tell_sensor: bool = True) -> None:
        if self.wire.alive:
            self.wire.alive = False
            if tell_sensor:
                self.sensor.step(ship.Disconnected())

    def deliver_up(self) -> None:
        if self.wire.alive and self.wire.up:
            message = self.wire.up.popleft()
            self.on_collector(lambda: self.collector.take(land.Arrived(self.wire.route, "s", *unpacked(message))))

    def deliver_down(self) -> None:
        if self.wire.alive and self.wire.down:
            message = self.wire.down.popleft()
            self.on_sensor(lambda: self.sensor.step(ship.Got(message)))
            if isinstance(message, wire.Welcome):
                self.on_sensor(lambda: self.sensor.take(spool.Floor(STREAM, max(self.collector.sink, default=0) + 1)))

    def index_one(self) -> None:
        waiting = sorted(key for _, key in self.collector.sink.values() if key not in self.collector.index)
        if waiting:
            self.collector.index.add(waiting[0])
            self.on_collector(lambda: self.collector.take(land.Indexed(waiting[0])))

    def tick(self, milliseconds: int) -> None:
        self.now += milliseconds
        self.on_sensor(lambda: self.sensor.step(ship.Tick()))
        self.on_collector(lambda: self.collector.take(land.Tick()))

    def on_sensor(self, action) -> None:
        try:
            action()
        except KilledError:
            self.sensor.kill()

    def on_collector(self, action) -> None:
        try:
            action()
        except KilledError:
            self.collector.kill()

    def window(self, is_open: bool) -> None:
        self.open = is_open
        self.on_sensor(lambda: self.sensor.step(ship.Window(is_open)))

    def settle_down(self) -> None:
        """Heal everything and let it run until nothing moves."""
        self.slow = False
        self.window(True)
        self.on_sensor(self.sensor.release)
        self.sensor.fuel.left = self.collector.fuel.left = None
        self.collector.full = False
        for _ in range(400):
            self.connect()
            for _ in range(50):
                self.deliver_up()
                self.deliver_down()
            self.index_one()
            self.tick(5_000)
            if self.done() and not self.collector.wanted:
                return
        raise AssertionError("did not come to rest")

    def run_smoothly(self, rounds: int) -> None:
        """For a while nothing goes wrong but what was set up to."""
        self.connect()
        for _ in range(rounds):
            self.deliver_up()
            self.deliver_down()

    def pull_back(self) -> int:
        """Ask for every landed chunk that its sensor still has; the number of those that came back."""
        files, entries = self.sensor.chunks, self.sensor.spool.entries.values()
        mine = {each.key for each in entries if len(files.get(each.path, b"")) == each.manifest.size}
        keys = [key for key in sorted(self.collector.named) if key in mine and self.sensor.shipper.spoken > 1]
        for key in keys:
            size = len(self.collector.named[key])
            ranges = ((0, 1), (1, size - 1)) if size > 1 else ((0, 1),)
            self.on_collector(lambda key=key, ranges=ranges: self.collector.want(key, ranges))
            self.run_smoothly(60)
        assert not self.collector.wanted, "asked for, and never answered"
        return len(keys)

    def done(self) -> bool:
        live = [each for each in self.sensor.journal.values() if each.state not in (spool.PRUNED, spool.LOST)]
        return not self.sensor.open and all(self.dealt_with(each) for each in live)

    def dealt_with(self, entry: spool.Entry) -> bool:
        """Indexed; or landed whole before its file was cut short: of that there is no second receipt to ask for."""
        return entry.state == spool.INDEXED or (entry.state == spool.LANDED and entry.key in self.sensor.whole)

    # --- what must hold -------------------------------------------------------------------------------------------

    def check(self) -> None:
        entries = list(self.sensor.journal.values())
        for entry in entries:
            sequence = entry.manifest.chunk.sequence
            landed = self.collector.sink.get(sequence)
            if entry.state in (spool.LANDED, spool.INDEXED, spool.PRUNED):
                assert landed, "a receipt without a landed chunk"
                assert landed[1] in self.sensor.names(entry), "a receipt for another chunk"
                assert hashlib.sha256(self.collector.named[landed[1]]).hexdigest() == landed[0], "other bytes"
                assert landed[1] != entry.key or landed[0] == entry.manifest.chunk.sha256, "other bytes"
            else:
                sha16 = entry.manifest.chunk.sha256[:16]
                kept = (
                    any(sha16 in path for path in self.sensor.chunks)
                    or entry.path in self.sensor.chunks
                    or entry.source in self.sensor.open
                )
                assert kept or entry.state == spool.LOST, "unlanded, and not on the sensor"
        numbers = [each.manifest.chunk.sequence for each in entries]
        assert max(self.collector.recorded.values(), default=0) <= 1, "landed twice"
        assert len(set(numbers)) == len(numbers), "a number used twice"
        assert self.sensor.journals > 1 or sorted(numbers) == list(range(1, len(numbers) + 1)), "a number left out"
        bytes_landed = [sha256 for sha256, _ in self.collector.sink.values()]
        assert len(set(bytes_landed)) == len(bytes_landed), "landed under two numbers"
