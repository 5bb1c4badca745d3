"""What `hayrick status` says of sensors: troubles are never silent, and a strange heartbeat breaks nothing."""

from __future__ import annotations

from typing import Any

import pytest

from hayrick_collector.cli import sensors


def _sensor(**beat: Any) -> dict[str, Any]:
    return {"name": "gate1", "last_seen": 100.0, "heartbeat": beat, "gaps": {}}


def _lines(sensor: dict[str, Any]) -> list[str]:
    return list(sensors.lines(sensor, now=103.0))


def test_backlog_and_drops_stand_with_their_stream() -> None:
    capture = {"problem": "", "packets": {"received": 900, "dropped": 3, "interface_dropped": 4}}
    beat = {"streams": {"up": {"backlog_chunks": 2, "backlog_bytes": 2000, "capture": capture}}}
    first, stream = _lines(_sensor(version="0.1.0", **beat))
    assert first == "sensor     gate1: last seen 3 s ago, version 0.1.0"
    assert stream == "  stream   up: 2 chunks behind (2.0 kB), 900 packets received, 7 dropped"


def test_what_records_saved_stands_with_their_stream() -> None:
    records = {"chunks": 30, "bytes": 1_200_000, "packet_bytes": 34_000_000}
    assert _lines(_sensor(streams={"up": {"records": records}}))[-1] == (
        "  records  up: 30 chunks, 1.2 MB sent instead of 34.0 MB of packets (3.5%)"
    )
    none = {"chunks": 0, "bytes": 0, "packet_bytes": 0}
    assert len(_lines(_sensor(streams={"up": {"records": none}}))) == 2


@pytest.mark.parametrize(
    ("beat", "told"),
    [
        ({"link_problem": "refused: unknown key"}, "link: refused: unknown key"),
        ({"streams": {"up": {"capture": {"problem": "no such interface"}}}}, "up: no such interface"),
        ({"counters": {"lost_chunks": 2}}, "2 chunks were given up unshipped because the disk was full"),
    ],
)
def test_every_trouble_has_a_line(beat: dict[str, Any], told: str) -> None:
    assert f"  PROBLEM  {told}" in _lines(_sensor(**beat))


def test_missing_chunks_are_named_by_number() -> None:
    sensor = {**_sensor(), "gaps": {"up": [(3, 3), (7, 9)]}}
    assert _lines(sensor)[-1] == "  MISSING  up: chunks 3, 7-9 never arrived"


def test_a_clock_that_is_off_is_told() -> None:
    assert "CLOCK -2.5 s off" in _lines(_sensor(clock_skew_ms=-2500))[0]
    assert "CLOCK" not in _lines(_sensor(clock_skew_ms=3))[0]


@pytest.mark.parametrize("value", [None, 7, "text", [], {"up": 5}, {"up": {"capture": "x", "backlog_chunks": "y"}}])
def test_a_heartbeat_of_another_version_breaks_nothing(value: Any) -> None:
    assert _lines(_sensor(streams=value, disk=value, counters=value))[0].startswith("sensor     gate1")
