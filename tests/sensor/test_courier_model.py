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
LIMITS = Limits(refused_ms=20_000)


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


class Shipping(RuleBasedStateMachine):
    """One sensor; its chunks are random bytes of 0 to 23."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000
        self.shipper = Shipper("s1", "test", "boot", limits=LIMITS)
        self.courier = co.Courier(window_blocks=2, block_bytes=BLOCK)
        self.folder = Folder()
        self.bodies: dict[str, bytes] = {}
        self.blocks: dict[tuple[str, int], bytes] = {}
        self.archive: dict[str, int] = {}
        self.indexed: set[str] = set()
        self.withdrawn: set[str] = set()
        self.connected = False

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
            self.courier.gone(message.key)

    def carry_out(self, step: co.Step) -> Any:
        folder = self.folder
        if not folder.there and not isinstance(step, co.Rest):
            raise OSError("no such folder")
        if isinstance(step, co.Report):
            return self.now
        if isinstance(step, co.ReadReceipt):
            return folder.receipts.get(step.key)
        if isinstance(step, co.Forget):
            folder.receipts.pop(step.receipt.key, None)
        elif isinstance(step, co.Look):
            return folder.receipts.get(step.manifest.key) or step.manifest.key in folder.chunks
        elif isinstance(step, co.Begin):
            folder.begin(step.manifest.key)
        elif isinstance(step, co.Place):
            folder.place(step.key, frame(self.blocks.pop((step.key, step.offset))))
            return True
        elif isinstance(step, co.Commit):
            folder.commit(step.manifest.key)
        elif isinstance(step, co.Discard):
            folder.hidden.pop(step.manifest.key, None)
        return None

    @rule(times=st.integers(1, 12))
    @precondition(lambda self: self.connected)
    def go_on(self, times: int) -> None:
        for _ in range(times):
            step = self.courier.next(self.now)
            try:
                answer = self.carry_out(step)
            except OSError:
                return self.cut()
            for message in self.courier.done(step, answer, self.now):
                self.step(ev.Got(message))
        return None

    @rule()
    @precondition(lambda self: self.connected)
    def step_is_done_but_the_answer_is_lost(self) -> None:
        with contextlib.suppress(OSError):
            self.carry_out(self.courier.next(self.now))
        self.cut()

    @rule(body=st.binary(max_size=23))
    @precondition(lambda self: len(self.bodies) < 6)
    def chunk_closes(self, body: bytes) -> None:
        chunk = ChunkId("s1", "a", len(self.bodies) + 1, hashlib.sha256(body).hexdigest())
        self.bodies[chunk.key] = body
        self.step(ev.Added(Manifest(chunk, len(body), closed_ms=self.now)))

    @rule(data=st.data())
    @precondition(lambda self: self.shipper.manifests)
    def chunk_is_given_up(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.shipper.manifests)))
        self.withdrawn.add(key)
        self.step(ev.Withdrawn(key))

    @rule()
    @precondition(lambda self: not self.connected)
    def connect(self) -> None:
        self.connected = True
        self.courier.lost()
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
        self.courier = co.Courier(window_blocks=2, block_bytes=BLOCK)
        for key, manifest in chunks.items():
            self.step(ev.Added(manifest, key in landed))

    # --- what the collector does ----------------------------------------------------------------------------------

    @rule(ends=st.sampled_from(["well", "before its receipt", "before it is removed"]))
    @precondition(lambda self: self.folder.chunks)
    def collector_takes_a_chunk(self, ends: str) -> None:
        key = next(iter(self.folder.chunks))
        if unframed(self.folder.chunks[key]) != self.bodies[key]:
            self.folder.receipts[key] = Receipt(key, "refused", code="content", reason="other bytes")
            del self.folder.chunks[key]
            return
        if key not in self.archive:
            self.archive[key] = 1
        if ends == "before its receipt":
            return
        self.folder.receipts[key] = Receipt(key, "indexed" if key in self.indexed else "landed")
        if ends == "well":
            del self.folder.chunks[key]

    @rule(code=st.sampled_from(["conflict", "garbled"]))
    @precondition(lambda self: self.folder.chunks)
    def collector_refuses_a_chunk(self, code: str) -> None:
        key = next(iter(self.folder.chunks))
        del self.folder.chunks[key]
        if key not in self.archive:
            self.folder.receipts[key] = Receipt(key, "refused", code=code, reason="by test")

    @rule()
    @precondition(lambda self: set(self.archive) - self.indexed)
    def collector_indexes_a_chunk(self) -> None:
        key = min(set(self.archive) - self.indexed)
        self.indexed.add(key)
        if self.folder.there:
            self.folder.receipts[key] = Receipt(key, "indexed")

    # --- faults ---------------------------------------------------------------------------------------------------

    @rule(full=st.booleans())
    def disk(self, full: bool) -> None:
        self.folder.full = full

    @rule()
    @precondition(lambda self: self.folder.receipts)
    def receipt_is_lost(self) -> None:
        self.folder.receipts.pop(next(iter(self.folder.receipts)))

    @rule()
    def folder_is_removed(self) -> None:
        opened = self.folder.opened
        self.folder = Folder()
        self.folder.there, self.folder.opened = False, opened  # a file that is open stays so, without a name

    @rule()
    @precondition(lambda self: not self.folder.there)
    def folder_is_made_again(self) -> None:
        self.folder.there = True

    @rule(data=st.data())
    @precondition(lambda self: self.folder.hidden and not self.connected)
    def half_a_delivery_is_spoiled(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.folder.hidden)))
        self.folder.hidden[key] = data.draw(st.binary(max_size=40))

    # --- what must hold -------------------------------------------------------------------------------------------

    @invariant()
    def no_more_is_under_way_than_the_window(self) -> None:
        transfer = self.courier.transfer
        assert transfer is None or transfer.asked - transfer.placed <= 2 * BLOCK

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
    max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestShipping = Shipping.TestCase
