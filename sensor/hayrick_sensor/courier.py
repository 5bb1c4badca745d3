"""The courier: decides, without any I/O, what is done next in the sensor's folder on an SFTP server.

`next(now)` is the one step to take now, `done(step, answer)` what the shipper is to be told of it. Each step leaves the
folder such that it may be repeated after a cut: then `lost()`, and the shipper offers its chunks again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

from hayrick_common import wire
from hayrick_common.chunk import Manifest
from hayrick_common.dropped import REFUSED, Receipt


@dataclass(frozen=True)
class Report:
    """Replace the status file; the answer is when that was by the server's clock, epoch ms."""

    beat: wire.Heartbeat


@dataclass(frozen=True)
class ReadReceipt:
    """The answer is the chunk's receipt, or None."""

    key: str


@dataclass(frozen=True)
class Forget:
    """Take a refusal away from the server, so that the next try counts. No answer."""

    receipt: Receipt


@dataclass(frozen=True)
class Look:
    """The answer is the chunk's receipt; else whether it lies there whole, for the collector to take."""

    manifest: Manifest


@dataclass(frozen=True)
class Begin:
    """Open the hidden file, new or to go on with. No answer."""

    manifest: Manifest


@dataclass(frozen=True)
class Place:
    """Put the block there, or see that it is there; the answer is False when the sensor has the chunk no more, and
    None when it took so long that something else may have its turn: then it is to be gone on with."""

    key: str
    offset: int
    length: int


@dataclass(frozen=True)
class Commit:
    """All blocks are there: sync, write the manifest, give the file its name. No answer."""

    manifest: Manifest


@dataclass(frozen=True)
class Discard:
    """Delete the hidden file. No answer."""

    manifest: Manifest


@dataclass(frozen=True)
class Rest:
    """Nothing to do until something is offered, or for so long."""

    milliseconds: int


Step: TypeAlias = Report | ReadReceipt | Forget | Look | Begin | Place | Commit | Discard | Rest


@dataclass
class Transfer:
    """The chunk that is going up; `asked` and `placed` count its bytes."""

    manifest: Manifest
    asked: int = 0
    placed: int = 0
    gone: bool = False
    begun: bool = False


@dataclass
class Courier:
    """One chunk at a time, every second one the newest; heartbeats and receipts have their turn between blocks."""

    window_blocks: int = 4
    block_bytes: int = wire.BODY_MAX_BYTES
    receipts_ms: tuple[int, int] = (250, 2_000)
    receipts_at_once: int = 32
    offers: dict[str, Manifest] = field(default_factory=dict)
    awaited: dict[str, str] = field(default_factory=dict)
    asking: list[str] = field(default_factory=list)
    refused: list[Receipt] = field(default_factory=list)
    beat: wire.Heartbeat | None = None
    transfer: Transfer | None = None
    looked_ms: int = 0
    wait_ms: int = 0
    newest: bool = False

    # --- what the shipper says ------------------------------------------------------------------------------------

    def offered(self, manifest: Manifest) -> None:
        """The sensor has this chunk; said again it means nothing new."""
        if self.transfer is None or self.transfer.manifest.key != manifest.key:
            self.offers.setdefault(manifest.key, manifest)

    def gone(self, key: str) -> None:
        """The sensor has it no more."""
        self.offers.pop(key, None)
        if self.transfer is not None and self.transfer.manifest.key == key:
            self.transfer.gone = True

    def lost(self) -> None:
        """The connection is no more; what lies on the server still awaits its receipts."""
        self.offers.clear()
        self.asking.clear()
        self.refused.clear()
        self.beat = self.transfer = None

    # --- steps ----------------------------------------------------------------------------------------------------

    def next(self, now_ms: int) -> Step:
        """What is to be done now; taking it twice is harmless."""
        if self.refused:
            return Forget(self.refused[0])
        if self.beat is not None:
            return Report(self.beat)
        if not self.asking and self.awaited and now_ms - self.looked_ms >= self.wait_ms:
            self._turn_to_receipts()
        if self.asking:
            return ReadReceipt(self.asking[0])
        if self.transfer is not None:
            return self._forward(self.transfer)
        if self.offers:
            return Look(self._choice())
        return Rest(self.wait_ms if self.awaited else self.receipts_ms[1])

    def _turn_to_receipts(self) -> None:
        """Ask for those that have not even landed first: until then they take a place among those in flight."""
        self.asking = sorted(self.awaited, key=lambda key: bool(self.awaited[key]))[: self.receipts_at_once]
        for key in self.asking:
            self.awaited[key] = self.awaited.pop(key)
        self.wait_ms = min(max(2 * self.wait_ms, self.receipts_ms[0]), self.receipts_ms[1])  # until there is news

    def _forward(self, transfer: Transfer) -> Step:
        manifest = transfer.manifest
        if transfer.gone:
            return Discard(manifest)
        if not transfer.begun:
            return Begin(manifest)
        if transfer.placed < manifest.payload_size:
            return Place(manifest.key, transfer.placed, min(self.block_bytes, manifest.payload_size - transfer.placed))
        return Commit(manifest)

    def _choice(self) -> Manifest:
        """The one that came first, or at every second turn the newest: a backlog must not hide the present."""
        if self.newest:
            return max(self.offers.values(), key=lambda each: (each.closed_ms, each.chunk.sequence))
        return next(iter(self.offers.values()))

    def done(self, step: Step, answer: Any, now_ms: int) -> list[wire.Message]:
        """The step is done; returns what the shipper gets to hear."""
        messages: list[wire.Message] = self._handlers[type(step)](self, step, answer, now_ms)
        return messages

    def _reported(self, step: Report, answer: int, now_ms: int) -> list[wire.Message]:
        if self.beat is step.beat:
            self.beat = None
        return [wire.Pulse(answer, step.beat.sent_ms)]

    def _read(self, step: ReadReceipt, answer: Receipt | None, now_ms: int) -> list[wire.Message]:
        self.asking.remove(step.key)
        self.looked_ms = now_ms  # after them: where round trips are slow, chunks still have their turn
        if answer is None or answer.state == self.awaited.get(step.key):
            return []
        self.wait_ms = self.receipts_ms[0]
        return self._tell(answer)

    def _forgot(self, step: Forget, answer: None, now_ms: int) -> list[wire.Message]:
        self.refused.remove(step.receipt)
        return [wire.Refused(step.receipt.code, step.receipt.reason, step.receipt.key)]

    def _looked(self, step: Look, answer: Receipt | bool, now_ms: int) -> list[wire.Message]:
        self.newest = not self.newest
        offered = self.offers.pop(step.manifest.key, None)
        if isinstance(answer, Receipt):
            return self._tell(answer)
        if answer:
            self.awaited.setdefault(step.manifest.key, "")
        elif offered is not None:
            self.transfer = Transfer(step.manifest)
        return []

    def _begun(self, step: Begin, answer: None, now_ms: int) -> list[wire.Message]:
        if self.transfer is None:
            return []
        self.transfer.begun = True
        return self._ask_for(self.transfer)

    def _placed(self, step: Place, answer: bool | None, now_ms: int) -> list[wire.Message]:
        if self.transfer is None or answer is None:
            return []
        if not answer:
            self.transfer.gone = True
            return []
        self.transfer.placed += step.length
        return self._ask_for(self.transfer)

    def _ask_for(self, transfer: Transfer) -> list[wire.Message]:
        """Grants: no more than the window is ever under way."""
        size, messages = transfer.manifest.payload_size, list[wire.Message]()
        while transfer.asked < size and transfer.asked - transfer.placed < self.window_blocks * self.block_bytes:
            length = min(self.block_bytes, size - transfer.asked)
            messages.append(wire.Fetch(transfer.manifest.key, transfer.asked, length))
            transfer.asked += length
        return messages

    def _committed(self, step: Commit, answer: None, now_ms: int) -> list[wire.Message]:
        self.awaited[step.manifest.key] = ""
        self.transfer, self.wait_ms = None, self.receipts_ms[0]
        return []

    def _discarded(self, step: Discard, answer: None, now_ms: int) -> list[wire.Message]:
        self.transfer = None
        return []

    def _rested(self, step: Rest, answer: None, now_ms: int) -> list[wire.Message]:
        return []

    def _tell(self, receipt: Receipt) -> list[wire.Message]:
        self.awaited.pop(receipt.key, None)
        if receipt.state == REFUSED:
            self.refused.append(receipt)
            return []
        if receipt.state == wire.LANDED:
            self.awaited[receipt.key] = wire.LANDED
        return [wire.Receipt(receipt.key, receipt.state)]

    _handlers: ClassVar[dict[type, Any]] = {
        Report: _reported,
        ReadReceipt: _read,
        Forget: _forgot,
        Look: _looked,
        Begin: _begun,
        Place: _placed,
        Commit: _committed,
        Discard: _discarded,
        Rest: _rested,
    }
