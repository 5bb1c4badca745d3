"""What is known of one stream, and the layers of its time line that follow from it. Pure.

All times are epoch ms of the sensor's clock, as its packets' are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from hayrick_collector.coverage.heartbeats import Drop, Launch, Lost
from hayrick_collector.coverage.timeline import Layer

SILENT_MS = 90_000  # a sensor that speaks every 10 s (SFTP: every minute) and has not for so long is silent
_CHUNK_STATES = {"landed": "landed", "indexing": "landed", "indexed": "indexed", "failed": "failed"}


@dataclass(frozen=True, slots=True)
class Piece:
    """Chunks in a row that have landed, from number `sequence` on. `state` as in the catalog, or `removed` or
    `packets_removed`; times 0 where unknown; `gap_ms` is the first one's."""

    sequence: int
    start_ms: int
    stop_ms: int
    state: str
    packets: int = 0
    gap_ms: int = 0
    reason: str = ""
    chunks: int = 1

    @property
    def last(self) -> int:
        """The last one's number."""
        return self.sequence + self.chunks - 1


@dataclass(slots=True)
class Facts:
    """`pieces` by sequence number, with one before and one after the time that is asked for. `heard_ms`: when the
    sensor made its last report (0: never); the next number it gives is `next_sequence`, the oldest packet it still has
    to ship is of `oldest_ms` (0: none)."""

    sensor: str
    stream: str
    now_ms: int
    pieces: list[Piece] = field(default_factory=list)
    launches: list[Launch] = field(default_factory=list)
    drops: list[Drop] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    highest: int = 0
    heard_ms: int = 0
    next_sequence: int = 0
    backlog_chunks: int = 0
    oldest_ms: int = 0


def layers(facts: Facts) -> Iterator[Layer]:
    """Everything that is known, in layers that may overlap."""
    yield from (layer for piece in facts.pieces for layer in _piece(piece))
    for before, after in pairwise(facts.pieces):
        yield from _between(facts, before, after)
    yield from _down(facts)
    yield from _end(facts)
    for drop in facts.drops:
        yield Layer(drop.start_ms, drop.stop_ms, "dropped", _dropped(drop), 0, drop.dropped + drop.interface_dropped)
    for lost in facts.lost:
        reason = f"given up by the sensor: {lost.reason or 'its disk was full'}"
        yield Layer(lost.first_ms, lost.last_ms + 1, "lost", reason, lost.chunks, lost.packets)
    for each in facts.launches:
        if each.lost and each.stopped_ms:
            reason = "packets were still in the kernel when tcpdump ended"
            yield Layer(each.stopped_ms - 1000, each.stopped_ms, "dropped", reason, 0, each.lost, estimated=True)


def _piece(piece: Piece) -> Iterator[Layer]:
    if piece.start_ms:
        state = _CHUNK_STATES.get(piece.state, piece.state)
        yield Layer(piece.start_ms, piece.stop_ms + 1, state, piece.reason, piece.chunks, piece.packets)


def _between(facts: Facts, before: Piece, after: Piece) -> Iterator[Layer]:
    """From a chunk's last packet to the next one's first."""
    if not before.start_ms or not after.start_ms or before.stop_ms + 1 >= after.start_ms:
        return
    start, stop = before.stop_ms + 1, after.start_ms
    hole = after.sequence - before.last - 1
    if hole <= 0:
        yield Layer(start, stop, "quiet")
    else:
        yield _hole(facts, start, stop, before.last + 1, after.sequence - 1)
    if after.gap_ms and not _launched_before(facts, after.start_ms):
        reason = "tcpdump was started anew"
        yield Layer(max(start, stop - after.gap_ms), stop, "down", reason, estimated=True)


def _hole(facts: Facts, start: int, stop: int, first: int, last: int) -> Layer:
    missing = last - first + 1 - _given_up(facts, start, stop)
    if missing <= 0:
        return Layer(start, stop, "quiet")
    if facts.backlog_chunks and 0 < facts.oldest_ms < stop:
        reason = f"chunks {_numbers(first, last)} wait at the sensor"
        return Layer(start, stop, "captured", reason, missing, estimated=True)
    reason = f"chunks {_numbers(first, last)} never arrived"
    return Layer(start, stop, "missing", reason, missing, estimated=True)


def _down(facts: Facts) -> Iterator[Layer]:
    """Between one launch's end and the next one's start, and after the last one if it has ended."""
    launches = sorted(facts.launches, key=lambda each: each.started_ms)
    until, why, estimated = 0, "", False
    for each in launches:
        if until and each.started_ms > until:
            yield Layer(until, each.started_ms, "down", why, estimated=estimated)
        ends = each.stopped_ms or _last_seen(facts, each, launches)
        if ends >= until:
            until, estimated = ends, not each.stopped_ms
            why = each.why or ("tcpdump ended" if each.stopped_ms else "the sensor was killed or cut off")
    if launches and launches[-1].stopped_ms and until < facts.now_ms:
        yield Layer(until, facts.now_ms, "down", why)


def _last_seen(facts: Facts, launch: Launch, launches: Sequence[Launch]) -> int:
    """Until when a launch without an end is known to have run: last word of it, or last packet before the next."""
    following = min((each.started_ms for each in launches if each.started_ms > launch.started_ms), default=None)
    if following is None:
        return max(launch.heard_ms, facts.heard_ms, launch.started_ms)
    packets = (piece.stop_ms + 1 for piece in facts.pieces if launch.started_ms <= piece.stop_ms < following)
    return min(max(launch.heard_ms, *packets, launch.started_ms), following)


def _end(facts: Facts) -> Iterator[Layer]:
    """From the last chunk's last packet to now: waiting at the sensor, being captured, or not known."""
    last = facts.pieces[-1] if facts.pieces else None
    if last and last.last < facts.highest:
        return
    start = last.stop_ms + 1 if last and last.start_ms else _first_launch(facts)
    heard = facts.now_ms if facts.now_ms - facts.heard_ms < SILENT_MS else facts.heard_ms
    waiting = max(facts.next_sequence - 1 - facts.highest, 0)
    if start and start < heard:
        if facts.backlog_chunks and waiting:
            reason = f"chunks {_numbers(facts.highest + 1, facts.next_sequence - 1)} wait at the sensor"
            yield Layer(start, heard, "captured", reason, waiting, estimated=True)
        elif waiting > _given_up(facts, start, heard):
            reason = f"chunks {_numbers(facts.highest + 1, facts.next_sequence - 1)} never arrived"
            yield Layer(start, heard, "missing", reason, waiting, estimated=True)
        else:
            yield Layer(start, heard, "open")
    if facts.heard_ms and heard < facts.now_ms:
        yield Layer(max(heard, start), facts.now_ms, "silent", "the sensor is not heard from")


def _given_up(facts: Facts, start: int, stop: int) -> int:
    """Chunks between two times that the sensor says it has given up."""
    return sum(each.chunks for each in facts.lost if start <= each.first_ms and each.last_ms <= stop)


def _first_launch(facts: Facts) -> int:
    return min((each.started_ms for each in facts.launches), default=0)


def _launched_before(facts: Facts, time_ms: int) -> bool:
    return bool(facts.launches) and _first_launch(facts) < time_ms - 1


def _dropped(drop: Drop) -> str:
    if drop.dropped and drop.interface_dropped:
        return "packets dropped by the kernel and by the interface"
    return f"packets dropped by the {'kernel' if drop.dropped else 'interface'}"


def _numbers(first: int, last: int) -> str:
    return f"{first}" if first == last else f"{first} to {last}"
