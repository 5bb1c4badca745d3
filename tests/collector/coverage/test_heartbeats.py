"""A heartbeat counts for what it tells beyond the one before it, and nothing that a sensor sends can raise."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hayrick_collector.coverage.heartbeats import changes

ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["launches", "lost", "launch", "capture", "packets", "started_ms", "dropped", "first"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def report(time_ms: int, dropped: int, *, pid: int = 7) -> dict[str, Any]:
    packets = {"captured": 10, "received": 10, "dropped": dropped, "interface_dropped": 0}
    return {"time_ms": time_ms, "pid": pid, "streams": {"eth0": {"capture": {"packets": packets}}}}


def test_only_what_was_dropped_since_counts() -> None:
    found = changes(report(60_000, 5), report(70_000, 12))
    assert [(each.minute, each.start_ms, each.stop_ms, each.dropped) for each in found.drops] == [
        (1, 60_000, 70_000, 7)
    ]
    assert changes(report(60_000, 5), report(70_000, 5)).drops == []


def test_sensor_that_was_restarted_counts_from_zero() -> None:
    assert [each.dropped for each in changes(report(60_000, 5), report(70_000, 5, pid=8)).drops] == [5]
    assert [each.dropped for each in changes(report(60_000, 5), report(70_000, 3)).drops] == [3]


def test_launches_and_losses_are_taken_as_they_are_told() -> None:
    beat = report(70_000, 0)
    beat["streams"]["eth0"]["launches"] = [
        {"launch": 3, "started_ms": 10, "stopped_ms": 0, "captured": 9, "dropped": 2, "why": "x" * 999}
    ]
    beat["lost"] = [{"at_ms": 12, "stream": "eth0", "chunks": 3, "packets": 30, "first_ms": 1, "last_ms": 9}]
    found = changes({}, beat)
    assert [(each.launch, each.started_ms, each.captured, len(each.why)) for each in found.launches] == [
        ("3", 10, 9, 200)
    ]
    assert [(each.at_ms, each.chunks, each.packets) for each in found.lost] == [(12, 3, 30)]


@settings(max_examples=40, deadline=None)
@given(ODD, ODD)
def test_nothing_that_a_sensor_sends_can_raise(before: Any, now: Any) -> None:
    changes({"streams": {"eth0": before}}, {"time_ms": 70_000, "streams": {"eth0": now}})
    changes({"streams": before}, {"lost": now, "time_ms": now, "streams": now})
