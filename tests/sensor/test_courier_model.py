"""Shipper and courier against a folder that loses power, space, receipts and itself between any two steps.

The folder stands for an SFTP server's, `Collector` for the drop: what is checked is that whatever happens each chunk
is archived once, whole, that no receipt is told without it, and that all is well once the faults are over.
"""

from __future__ import annotations

import contextlib
import hashlib
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hayrick_common import wire
from hayrick_common.chunk import ChunkId, Manifest
from hayrick_common.dropped import Receipt
from hayrick_sensor import courier as co
from hayrick_sensor import shipper_events as ev
from hayrick_sensor.shipper import Limits, Shipper

BLOCK = 4
AT_ONCE = 2
LIMITS = Limits(refused_ms=20_000)
CHUNKS_MOST = 9
SERVER_AHEAD_MS = 7
SIZES = [0, 2 * BLOCK + 1, 5 * BLOCK, 6 * BLOCK - 1]
TAKEN = ["well", "before its receipt", "before it is removed"]
MEANWHILE = ["nothing", "nothing", "given up", "beat", "offered again"]


def new_courier() -> co.Courier:
    return co.Courier(window_blocks=2, block_bytes=BLOCK, receipts_at_once=AT_ONCE)


def frame(body: bytes) -> bytes:
    return bytes([len(body)]) + body


def unframed(stored: bytes) -> bytes:
    out = b""
    while stored:
        out, stored = out + stored[1 : 1 + stored[0]], stored[1 + stored[0] :]
    return out


class Folder:
    """Like `sftp_session.Session`: hidden files, whole files, receipts; `full` and `there` are the faults."""

    def __init__(self) -> None:
        self.hidden: dict[str, bytes] = {}
        self.chunks: dict[str, bytes] = {}
        self.receipts: dict[str, Receipt] = {}
        self.full = False
        self.there = True
        self.opened = ""
        self.at = self.before = 0

    def begin(self, key: str) -> None:
        if self.full and key not in self.hidden:
            raise OSError("no space")
        self.opened = key
        self.at, self.before = 0, len(self.hidden.setdefault(key, b""))

    def place(self, key: str, body: bytes) -> None:
        assert self.opened == key
        if key not in self.hidden:
            raise OSError("no such file")
        held = self.hidden[key]
        offset, self.at = self.at, self.at + len(body)
        common = min(len(body), max(0, self.before - offset))
        if held[offset : offset + common] != body[:common]:
            held, self.before, common = held[:offset], offset, 0
        elif common:
            body, offset = body[common:], offset + common
        if body:
            room = body[: len(body) // 2] if self.full else body
            self.hidden[key] = held[:offset] + room + held[offset + len(room) :]
            if self.full:
                raise OSError("no space")

    def commit(self, key: str) -> None:
        if self.full:
            raise OSError("no space")
        assert self.opened == key
        if key not in self.hidden:
            raise OSError("no such file")
        self.chunks[key] = self.hidden.pop(key)[: self.at]


class Watcher:
    """Holds each step of one courier against those before it. `gone` has what the sensor gave up while it was asked."""

    def __init__(self) -> None:
        self.gone: set[str] = set()
        self.told: dict[str, str] = {}
        self.turn = ""
        self.rounds: dict[str, int] = {}
        self.connection()

    def connection(self) -> None:
        self.read: tuple[int, set[str]] = 0, set()
        self.round: list[str] = []
        self.last: co.Step | None = None

    def taken(self, step: co.Step, courier: co.Courier, now_ms: int) -> None:
        """A step is to be done."""
        key = step.key if isinstance(step, co.Place) else getattr(getattr(step, "manifest", None), "key", "")
        if isinstance(step, (co.Look, co.Begin, co.Place, co.Commit)):
            assert key not in self.gone, "nothing is done any more for what is given up"
        if courier.refused:
            assert isinstance(step, co.Forget), "a refusal does not wait"
        if isinstance(step, (co.Discard, co.Forget)):
            assert self.last != step
            assert isinstance(step, co.Forget) or key in self.gone
        elif isinstance(step, co.Rest):
            assert not courier.awaited or now_ms - courier.looked_ms < courier.receipts_ms[1]
        elif isinstance(step, co.Look):
            self._turns(step, courier)
        elif isinstance(step, co.ReadReceipt):
            self._reads(step.key, courier, now_ms)
        self.last = step

    def _turns(self, step: co.Look, courier: co.Courier) -> None:
        """Of those that wait, the first has its turn and the newest has, one after the other."""
        oldest, newest = next(iter(courier.offers)), max(courier.offers, key=lambda key: key_order(courier, key))
        assert step.manifest.key in (oldest, newest)
        turn = "" if oldest == newest else "newest" if step.manifest.key == newest else "oldest"
        assert not turn or turn != self.turn
        self.turn = turn or {"oldest": "newest", "newest": "oldest"}.get(self.turn, "")

    def _reads(self, key: str, courier: co.Courier, now_ms: int) -> None:
        """No receipt twice at one time, few at once, and none of a chunk that has not landed kept waiting by others."""
        assert len(courier.asking) <= AT_ONCE
        read = self.read[1] if self.read[0] == now_ms else set()
        assert key not in read
        self.read = now_ms, {*read, key}
        if key not in self.round:  # a heartbeat or a refusal may come between two of one round
            before, self.rounds = self.rounds, {}
            for each, state in courier.awaited.items():
                self.rounds[each] = 0 if state or each in courier.asking else before.get(each, 0) + 1
                assert self.rounds[each] < CHUNKS_MOST / AT_ONCE
        self.round = courier.asking[1:]

    def done(self, step: co.Step, answer: Any, messages: list[wire.Message], courier: co.Courier) -> None:
        """A step is done, and this is said of it."""
        if isinstance(step, co.Report):
            assert messages == [wire.Pulse(answer, step.beat.sent_ms)]
            assert courier.beat is None or courier.beat is not step.beat
        elif isinstance(step, co.Commit):
            self.told.pop(step.manifest.key, None)
            assert step.manifest.key in courier.awaited
        elif isinstance(step, co.Look) and answer is True:
            assert step.manifest.key in courier.awaited
        elif isinstance(step, co.Forget):
            assert messages == [wire.Refused(step.receipt.code, step.receipt.reason, step.receipt.key)]
        for message in messages:
            if isinstance(message, wire.Receipt):
                assert isinstance(step, co.Look) or self.told.get(message.key) != message.state, "told twice"
                self.told[message.key] = message.state
                assert (message.key in courier.awaited) == (message.state == wire.LANDED)


def key_order(courier: co.Courier, key: str) -> tuple[int, int]:
    manifest = courier.offers[key]
    return manifest.closed_ms, manifest.chunk.sequence


class Shipping(RuleBasedStateMachine):
    """One sensor; what a chunk holds follows from its number and size. `Watcher` looks at each step that is taken."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000
        self.shipper = Shipper("s1", "test", "boot", limits=LIMITS)
        self.courier = new_courier()
        self.folder = Folder()
        self.watcher = Watcher()
        self.bodies: dict[str, bytes] = {}
        self.blocks: dict[tuple[str, int], bytes] = {}
        self.archive: dict[str, int] = {}
        self.indexed: set[str] = set()
        self.withdrawn: set[str] = set()
        self.connected = False
        self.beats = 0

    # --- what the sensor does -------------------------------------------------------------------------------------

    def step(self, event: ev.Event) -> None:
        for command in self.shipper.step(event, self.now):
            if isinstance(command, ev.Note) and command.state != "offered":
                assert command.key in self.archive, "a receipt was told of a chunk that is nowhere"
            if self.connected:
                self.obey(command)

    def obey(self, command: ev.Command) -> None:
        if isinstance(command, ev.SendBlock):
            body = self.bodies[command.key][command.offset : command.offset + command.length]
            self.blocks[command.key, command.offset] = body
        elif isinstance(command, ev.Beat):
            self.courier.beat = wire.Heartbeat(self.now, {})
        elif isinstance(command, ev.Send):
            self.send(command.message)
        elif isinstance(command, ev.Reconnect):
            self.cut()

    def send(self, message: wire.Message) -> None:
        if isinstance(message, wire.Hello):
            self.step(ev.Got(wire.Welcome(wire.WIRE_MAX, "test", "sftp", self.now, 0)))
        elif isinstance(message, wire.Offer):
            self.courier.offered(message.manifest("s1"))
        elif isinstance(message, wire.Gone):
            self.watcher.gone.add(message.key)
            self.courier.gone(message.key)

    def carry_out(self, step: co.Step) -> Any:
        folder = self.folder
        if not folder.there and not isinstance(step, co.Rest):
            raise OSError("no such folder")
        if isinstance(step, co.Report):
            return self.now + SERVER_AHEAD_MS
        if isinstance(step, co.ReadReceipt):
            return folder.receipts.get(step.key)
        if isinstance(step, co.Forget):
            folder.receipts.pop(step.receipt.key, None)
        elif isinstance(step, co.Look):
            return folder.receipts.get(step.manifest.key) or step.manifest.key in folder.chunks
        elif isinstance(step, co.Begin):
            folder.begin(step.manifest.key)
        elif isinstance(step, co.Place):
            assert step.offset + step.length <= len(self.bodies[step.key])
            folder.place(step.key, frame(self.blocks.pop((step.key, step.offset))))
            return True
        elif isinstance(step, co.Commit):
            folder.commit(step.manifest.key)
        elif isinstance(step, co.Discard):
            folder.hidden.pop(step.manifest.key, None)
        return None

    @rule(times=st.integers(1, 5), meanwhile=st.sampled_from(MEANWHILE))
    @precondition(lambda self: self.connected)
    def go_on(self, times: int, meanwhile: str = "nothing") -> None:
        """Some steps; the last is under way while something else happens."""
        self.now += 300
        for left in reversed(range(times)):
            step, beat = self.courier.next(self.now), self.beats
            assert self.courier.next(self.now) == step, "asked twice, it is the same step"
            self.watcher.taken(step, self.courier, self.now)
            try:
                answer = self.carry_out(step)
            except OSError:
                return self.cut()
            if not left:
                answer = self.happens(meanwhile, step, answer)
            if not self.connected:
                return None
            messages = self.courier.done(step, answer, self.now)
            self.watcher.done(step, answer, messages, self.courier)
            assert beat == self.beats or self.courier.beat, "a report that came while another went is not lost"
            for message in messages:
                if isinstance(message, wire.Refused):
                    assert message.key not in self.folder.receipts, "a refusal is told once it is off the server"
                self.step(ev.Got(message))
        return None

    @rule(times=st.integers(6, 20))
    @precondition(lambda self: self.connected)
    def go_far(self, times: int) -> None:
        self.go_on(times)

    def happens(self, meanwhile: str, step: co.Step, answer: Any) -> Any:
        """While the step was under way."""
        if meanwhile == "beat":
            self.beats += 1
            self.courier.beat = wire.Heartbeat(self.now, {"number": self.beats})
        key = getattr(step, "key", "") or (step.manifest.key if isinstance(step, (co.Look, co.Begin)) else "")
        if meanwhile == "offered again" and key in self.shipper.flying:
            self.courier.offered(self.shipper.manifests[key])
        if meanwhile == "given up" and key in self.shipper.flying:
            self.give_up(key)
            return False if isinstance(step, co.Place) else answer
        return answer

    @rule()
    @precondition(lambda self: self.connected)
    def step_is_done_but_the_answer_is_lost(self) -> None:
        with contextlib.suppress(OSError):
            self.carry_out(self.courier.next(self.now))
        self.cut()

    @rule(sizes=st.lists(st.sampled_from(SIZES), min_size=1, max_size=3))
    @precondition(lambda self: len(self.bodies) <= CHUNKS_MOST - 3)
    def chunks_close(self, sizes: list[int]) -> None:
        for size in sizes:
            number = len(self.bodies) + 1
            body = bytes((number * 31 + each) % 251 for each in range(size - 1)) + bytes([number] if size else [])
            chunk = ChunkId("s1", "a", number, hashlib.sha256(body).hexdigest())
            self.bodies[chunk.key] = body
            self.step(ev.Added(Manifest(chunk, len(body), closed_ms=self.now)))

    def give_up(self, key: str) -> None:
        self.withdrawn.add(key)
        self.step(ev.Withdrawn(key))

    @rule(data=st.data())
    @precondition(lambda self: self.shipper.manifests)
    def chunk_is_given_up(self, data: st.DataObject) -> None:
        self.give_up(data.draw(st.sampled_from(sorted(self.shipper.manifests))))

    @rule()
    @precondition(lambda self: self.courier.transfer)
    def chunk_on_its_way_is_given_up(self) -> None:
        assert self.courier.transfer
        if self.courier.transfer.manifest.key in self.shipper.manifests:
            self.give_up(self.courier.transfer.manifest.key)

    @rule()
    @precondition(lambda self: not self.connected)
    def connect(self) -> None:
        self.connected = True
        courier, awaited = self.courier, dict(self.courier.awaited)
        courier.lost()
        left = [courier.offers, courier.asking, courier.refused, courier.beat, courier.transfer]
        assert not any(left)
        assert courier.awaited == awaited, "what lies on the server awaits its receipts still"
        self.watcher.connection()
        self.blocks.clear()
        self.folder.opened = ""
        self.step(ev.Connected())

    @rule()
    @precondition(lambda self: self.connected)
    def cut(self) -> None:
        self.connected = False
        self.step(ev.Disconnected())

    @rule(seconds=st.sampled_from([1, 3, 31, 61]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * 1000
        self.step(ev.Tick())

    @rule()
    def sensor_restarts(self) -> None:
        chunks = dict(self.shipper.manifests)
        landed = set(self.shipper.landed)
        self.connected = False
        self.shipper = Shipper("s1", "test", "boot2", limits=LIMITS)
        self.courier, self.watcher = new_courier(), Watcher()
        for key, manifest in chunks.items():
            self.step(ev.Added(manifest, key in landed))

    # --- what the collector does ----------------------------------------------------------------------------------

    @rule(does=st.sampled_from([*TAKEN, "refuses", "indexes"]))
    def collector(self, does: str) -> None:
        key = next(iter(self.folder.chunks), "")
        if does == "indexes":
            self.collector_indexes_a_chunk()
        elif key and does == "refuses" and key not in self.archive:
            del self.folder.chunks[key]
            self.folder.receipts[key] = Receipt(key, "refused", code="conflict", reason="by test")
        elif key:
            self.collector_takes_a_chunk(does)

    def collector_takes_a_chunk(self, ends: str) -> None:
        key = next(iter(self.folder.chunks))
        self.archive[key] = 1
        if ends == "before its receipt":
            return
        self.folder.receipts[key] = Receipt(key, "indexed" if key in self.indexed else "landed")
        if ends != "before it is removed":
            del self.folder.chunks[key]

    def collector_indexes_a_chunk(self) -> None:
        key = min(set(self.archive) - self.indexed, default="")
        if key:
            self.indexed.add(key)
            if self.folder.there:
                self.folder.receipts[key] = Receipt(key, "indexed")

    # --- faults ---------------------------------------------------------------------------------------------------

    @rule(kind=st.sampled_from(["disk full", "room again", "receipt lost", "folder removed", "folder made", "spoiled"]))
    def fault(self, kind: str) -> None:
        folder = self.folder
        if kind in ("disk full", "room again"):
            folder.full = kind == "disk full"
        elif kind == "receipt lost" and folder.receipts:
            folder.receipts.pop(next(iter(folder.receipts)))
        elif kind == "folder removed":
            self.folder = Folder()
            self.folder.there, self.folder.opened = False, folder.opened  # what is open stays so, without a name
        elif kind == "folder made":
            folder.there = True
        elif kind == "spoiled" and not self.connected:
            for number, key in enumerate(folder.hidden):
                folder.hidden[key] = bytes(range(number, 40, 1 + number))

    # --- what must hold -------------------------------------------------------------------------------------------

    @invariant()
    def no_more_is_under_way_than_the_window(self) -> None:
        transfer = self.courier.transfer
        if transfer is not None:
            assert transfer.asked - transfer.placed <= 2 * BLOCK
            assert transfer.placed <= transfer.asked <= transfer.manifest.payload_size
            assert (
                not transfer.begun
                or transfer.gone
                or transfer.asked == min(transfer.placed + 2 * BLOCK, transfer.manifest.payload_size)
            )
            assert transfer.manifest.key not in self.courier.offers

    @invariant()
    def what_is_committed_is_whole(self) -> None:
        for key, stored in self.folder.chunks.items():
            assert unframed(stored) == self.bodies[key]

    def teardown(self) -> None:
        """The faults are over: everything that was not given up is archived, told as indexed, and off the sensor."""
        self.folder.full, self.folder.there = False, True
        for _ in range(400):
            if not self.shipper.manifests:
                break
            if not self.connected:
                self.connect()
            self.go_on(8)
            if self.folder.chunks:
                self.collector_takes_a_chunk("well")
            if set(self.archive) - self.indexed:
                self.collector_indexes_a_chunk()
            self.time_passes(3)
        assert self.shipper.manifests == {}
        assert set(self.bodies) - self.withdrawn <= set(self.archive)


Shipping.TestCase.settings = settings(
    max_examples=100, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
TestShipping = Shipping.TestCase


def test_receipts_are_looked_for_less_and_less_until_there_is_news_and_each_has_its_turn() -> None:
    courier = co.Courier(receipts_at_once=AT_ONCE)
    manifests = [Manifest(ChunkId("s1", "a", number, "0" * 64), 1) for number in range(1, 6)]
    for manifest in manifests:
        courier.offered(manifest)
        courier.done(co.Look(manifest), answer=True, now_ms=0)
    now, asked, pauses = 0, list[str](), list[int]()
    while len(pauses) < 6:
        step = courier.next(now)
        if isinstance(step, co.ReadReceipt):
            asked.append(step.key)
            courier.done(step, None, now)
        else:
            assert isinstance(step, co.Rest)
            pauses.append(step.milliseconds)
            now += step.milliseconds
    assert pauses == [250, 500, 1000, 2000, 2000, 2000]
    assert set(asked[:6]) == {manifest.key for manifest in manifests}
    step = courier.next(now)
    assert isinstance(step, co.ReadReceipt)
    courier.done(step, Receipt(step.key, wire.LANDED), now)
    courier.done(courier.next(now), None, now)
    assert courier.next(now) == co.Rest(250)
