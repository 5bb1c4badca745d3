"""The time line as the API, the command line and the page get it: bounded in size, in plain values."""

from __future__ import annotations

from typing import Any

from hayrick_collector.coverage.facts import Facts, layers
from hayrick_collector.coverage.timeline import COMPLETE, STATES, WAITING, Span, bucketed, timeline

MOST_GAPS = 1000
MOST_BUCKETS = 2000


def answer(facts: Facts, start_ms: int, stop_ms: int, *, buckets: int, gaps: int = MOST_GAPS) -> dict[str, Any]:
    """One stream's time line from `start_ms` up to `stop_ms` or, if that comes first, now.

    `complete` is True when all of it is searchable (or was quiet); `known` is the part of the time that anything is
    known of, `covered` the part that is complete, both in ms. `spans` are [start, stop, state], at most `buckets`;
    `gaps` the last of all stretches that are not complete, `gaps_left_out` how many came before those.
    """
    stop_ms = max(start_ms, min(stop_ms, facts.now_ms))
    spans = timeline(layers(facts), start_ms, stop_ms) if stop_ms > start_ms else []
    lengths = dict.fromkeys(STATES, 0)
    for span in spans:
        lengths[span.state] += span.stop_ms - span.start_ms
    holes = [span for span in spans if span.state not in COMPLETE]
    return {
        "sensor": facts.sensor,
        "stream": facts.stream,
        "start_ms": start_ms,
        "stop_ms": stop_ms,
        "complete": bool(spans) and not holes,
        "known": stop_ms - start_ms - lengths["unknown"],
        "covered": sum(lengths[state] for state in COMPLETE),
        "states": {state: length for state, length in lengths.items() if length},
        "dropped": sum(each.dropped + each.interface_dropped for each in facts.drops),
        "spans": [[span.start_ms, span.stop_ms, span.state] for span in bucketed(spans, buckets)],
        "gaps": [_gap(span) for span in holes[max(len(holes) - gaps, 0) :]],
        "gaps_left_out": max(len(holes) - gaps, 0),
    }


def _gap(span: Span) -> dict[str, Any]:
    return {
        "start_ms": span.start_ms,
        "stop_ms": span.stop_ms,
        "state": span.state,
        "waiting": span.state in WAITING,
        "reason": span.reason or STATES[span.state],
        "chunks": span.chunks,
        "packets": span.packets,
        "estimated": span.estimated,
    }
