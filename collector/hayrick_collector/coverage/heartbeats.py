"""What a heartbeat tells beyond the one before it: launches of tcpdump, packets dropped meanwhile, chunks given up.

Pure. A report comes from another machine and perhaps another version: what is not of the expected shape counts for
nothing, and nothing of it can raise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MINUTE_MS = 60_000
MOST = 256  # launches or losses taken of one stream's report: a sensor sends 32
MOST_STREAMS = 256
_GREATEST = 2**62


@dataclass(frozen=True)
class Launch:
    """One run of tcpdump. Epoch ms of the sensor's clock; `stopped_ms` is 0 while it runs; told at `heard_ms`.
    `lost` packets were in the kernel when it ended."""

    stream: str
    launch: str
    started_ms: int
    stopped_ms: int
    captured: int
    received: int
    dropped: int
    interface_dropped: int
    lost: int
    why: str
    heard_ms: int


@dataclass(frozen=True)
class Drop:
    """Packets that the kernel or the interface dropped between two heartbeats, filed under the minute of the second."""

    stream: str
    minute: int
    start_ms: int
    stop_ms: int
    dropped: int
    interface_dropped: int


@dataclass(frozen=True)
class Lost:
    """Chunks that the sensor gave up, at `at_ms`, before they had landed, and the time they were of."""

    stream: str
    at_ms: int
    first_ms: int
    last_ms: int
    chunks: int
    packets: int
    reason: str


@dataclass
class Changes:
    """What is to be recorded."""

    launches: list[Launch] = field(default_factory=list)
    drops: list[Drop] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)


def changes(before: Mapping[str, Any], report: Mapping[str, Any]) -> Changes:
    """Compare a report with the one before it (empty for none)."""
    found = Changes()
    now_ms = number(report.get("time_ms"))
    then_ms = number(before.get("time_ms"))
    found.lost += _lost(report)
    for name, stream in list(mapping(report.get("streams")).items())[:MOST_STREAMS]:
        earlier = mapping(mapping(before.get("streams")).get(name))
        found.launches += _launches(str(name)[:64], mapping(stream), now_ms)
        same = before.get("pid") == report.get("pid")
        dropped, interface = _dropped(earlier, mapping(stream), same_process=same)
        if (dropped or interface) and now_ms:
            start_ms = then_ms if 0 < then_ms < now_ms else now_ms - MINUTE_MS
            found.drops.append(Drop(str(name)[:64], now_ms // MINUTE_MS, start_ms, now_ms, dropped, interface))
    return found


def _launches(stream: str, report: Mapping[str, Any], heard_ms: int) -> Iterator[Launch]:
    for each in _entries(report, "launches"):
        launch = each.get("launch")
        captured, received, dropped, interface, lost = (
            number(each.get(name)) for name in ("captured", "received", "dropped", "interface_dropped", "lost")
        )
        started, stopped = number(each.get("started_ms")), number(each.get("stopped_ms"))
        if isinstance(launch, str | int) and started:
            name, why = str(launch)[:64], str(each.get("why") or "")[:200]
            yield Launch(stream, name, started, stopped, captured, received, dropped, interface, lost, why, heard_ms)


def _lost(report: Mapping[str, Any]) -> Iterator[Lost]:
    for each in _entries(report, "lost"):
        stream = each.get("stream")
        at, first, last, chunks, packets = (
            number(each.get(name)) for name in ("at_ms", "first_ms", "last_ms", "chunks", "packets")
        )
        if isinstance(stream, str) and 0 < first <= last:
            yield Lost(stream[:64], at, first, last, chunks, packets, str(each.get("reason") or "")[:200])


def _dropped(before: Mapping[str, Any], now: Mapping[str, Any], *, same_process: bool) -> tuple[int, int]:
    """Counts that a sensor began anew (it was restarted) count from zero."""
    old = mapping(mapping(before.get("capture")).get("packets")) if same_process else {}
    new = mapping(mapping(now.get("capture")).get("packets"))
    deltas = []
    for name in ("dropped", "interface_dropped"):
        had, has = number(old.get(name)), number(new.get(name))
        deltas.append(has - had if has >= had else has)
    return deltas[0], deltas[1]


def _entries(report: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = report.get(name)
    return [mapping(each) for each in found[-MOST:]] if isinstance(found, list) else []


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def number(value: Any) -> int:
    """The value if it is a whole number that can be meant, else 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _GREATEST else 0
