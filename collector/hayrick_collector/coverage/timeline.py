"""Intervals in, intervals out: layers of what is known of a stream's time become one state for every instant.

Where layers overlap, the one worse for somebody who wants to have seen everything is told.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

STATES = {
    "down": "not captured: tcpdump did not run",
    "lost": "captured, and given up by the sensor before it had landed",
    "missing": "chunks that never arrived",
    "failed": "landed, but could not be indexed",
    "dropped": "captured in part: the kernel or the interface dropped packets",
    "removed": "sessions and packets removed by retention",
    "captured": "closed at the sensor, not landed yet",
    "landed": "landed, not searchable yet",
    "packets_removed": "searchable; its packets were removed by retention",
    "quiet": "captured, and no packet came",
    "indexed": "searchable",
    "open": "being captured: its chunk is not closed yet",
    "silent": "not known: the sensor is not heard from",
    "unknown": "not known: nothing was heard of this stream then",
}
"""Every state with what it means, the worst first; the last three are what is told where nothing else is known."""

COMPLETE = frozenset(("indexed", "quiet", "packets_removed"))
WAITING = frozenset(("captured", "landed", "open"))
_ORDER = {state: rank for rank, state in enumerate(STATES)}
_NAMES = tuple(STATES)


@dataclass(frozen=True, slots=True)
class Layer:
    """What is known of the time from `start_ms` up to `stop_ms` (epoch ms, the stop not included). `estimated`: its
    ends are not exact. `chunks` and `packets` are how many it stands for, 0 where that is not known."""

    start_ms: int
    stop_ms: int
    state: str
    reason: str = ""
    chunks: int = 0
    packets: int = 0
    estimated: bool = False


@dataclass(slots=True)
class Span:
    """A stretch of one state; reasons, counts and `estimated` are those of its layers."""

    start_ms: int
    stop_ms: int
    state: str
    reasons: list[str] = field(default_factory=list)
    chunks: int = 0
    packets: int = 0
    estimated: bool = False

    @property
    def reason(self) -> str:
        """In words."""
        return "; ".join(self.reasons[:3]) + (" …" if len(self.reasons) > 3 else "")


def timeline(layers: Iterable[Layer], start_ms: int, stop_ms: int) -> list[Span]:
    """The states from `start_ms` up to `stop_ms`, without hole or overlap, neighbours always of different states."""
    inside = [each for each in layers if max(each.start_ms, start_ms) < min(each.stop_ms, stop_ms)]
    spans = _swept(inside, start_ms, stop_ms)
    _explain(spans, inside)
    return spans


def bucketed(spans: Sequence[Span], most: int) -> list[Span]:
    """At most so many spans: the spans themselves where they are few, else stretches of equal length with the worst
    state in each."""
    if len(spans) <= most:
        return list(spans)
    start, stop = spans[0].start_ms, spans[-1].stop_ms
    width = -(-(stop - start) // most)
    worst: list[int] = [len(_NAMES) - 1] * -(-(stop - start) // width)
    for span in spans:
        for index in range((span.start_ms - start) // width, (span.stop_ms - 1 - start) // width + 1):
            worst[index] = min(worst[index], _ORDER[span.state])
    found: list[Span] = []
    for index, rank in enumerate(worst):
        ends = min(start + (index + 1) * width, stop)
        _append(found, start + index * width, ends, _NAMES[rank])
    return found


def _swept(layers: Sequence[Layer], start_ms: int, stop_ms: int) -> list[Span]:
    changes: dict[int, list[tuple[int, int]]] = {start_ms: [(_ORDER["unknown"], 1)]}
    for each in layers:
        rank = _ORDER[each.state]
        changes.setdefault(max(each.start_ms, start_ms), []).append((rank, 1))
        changes.setdefault(min(each.stop_ms, stop_ms), []).append((rank, -1))
    active = [0] * len(_NAMES)
    times = [time for time in sorted(changes) if time < stop_ms]
    spans: list[Span] = []
    for time, until in zip(times, [*times[1:], stop_ms], strict=True):
        for rank, change in changes[time]:
            active[rank] += change
        state = next(name for name, count in zip(_NAMES, active, strict=True) if count)
        _append(spans, time, until, state)
    return spans


def _append(spans: list[Span], start_ms: int, stop_ms: int, state: str) -> None:
    if spans and spans[-1].state == state:
        spans[-1].stop_ms = stop_ms
    elif start_ms < stop_ms:
        spans.append(Span(start_ms, stop_ms, state))


def _explain(spans: Sequence[Span], layers: Iterable[Layer]) -> None:
    """Give each layer's reason to all spans that it shows in, its counts to the first of them only."""
    by_state: dict[str, list[Span]] = {}
    for span in spans:
        by_state.setdefault(span.state, []).append(span)
    ends = {state: [span.stop_ms for span in mine] for state, mine in by_state.items()}
    for layer in layers:
        mine = by_state.get(layer.state, [])
        first = bisect_left(ends.get(layer.state, []), layer.start_ms + 1)
        for index in range(first, len(mine)):
            if mine[index].start_ms >= layer.stop_ms:
                break
            _add(mine[index], layer, counts=index == first)


def _add(span: Span, layer: Layer, *, counts: bool) -> None:
    if layer.reason and layer.reason not in span.reasons:
        span.reasons.append(layer.reason)
    span.estimated = span.estimated or layer.estimated
    if counts:
        span.chunks += layer.chunks
        span.packets += layer.packets
