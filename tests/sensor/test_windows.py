"""When a sensor ships is what its settings say, past midnight too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from tests.collector.captures import START, dns_query, write_pcap
from tests.collector.landing import fleet as processes
from tests.collector.landing.fleet import Fleet, adopting, wait_until

from hayrick_sensor.windows import DAYS, open_at, parse_window

MONDAY, FRIDAY, SATURDAY = 2, 6, 7  # of November 2026


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("window", "inside", "outside"),
    [
        ("22:00-06:00", [at(MONDAY, 22), at(MONDAY, 5, 59), at(SATURDAY, 0)], [at(MONDAY, 6), at(MONDAY, 21, 59)]),
        ("08:30-24:00", [at(MONDAY, 8, 30), at(MONDAY, 23, 59)], [at(MONDAY, 8, 29), at(MONDAY, 0)]),
        ("sat,sun", [at(SATURDAY, 0), at(SATURDAY, 23, 59)], [at(FRIDAY, 23, 59), at(MONDAY, 0)]),
        ("fri 22:00-06:00", [at(FRIDAY, 22), at(SATURDAY, 5)], [at(FRIDAY, 5), at(SATURDAY, 22)]),
        ("Sat-Mon 10:00-11:00", [at(MONDAY, 10), at(SATURDAY, 10)], [at(FRIDAY, 10)]),
    ],
)
def test_window_is_open_from_its_first_minute_and_not_in_its_last(
    window: str, inside: list[datetime], outside: list[datetime]
) -> None:
    windows = [parse_window(window)]
    assert all(open_at(windows, each) for each in inside)
    assert not any(open_at(windows, each) for each in outside)


def test_without_windows_it_is_always_open() -> None:
    assert open_at([], at(MONDAY, 3))


@pytest.mark.parametrize("text", ["", "25:00-26:00", "10:00", "10:00-10:00", "someday", "mon-", "24:00-06:00"])
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"window|day|time"):
        parse_window(text)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """A sensor with a chunk to ship."""
    with adopting(tmp_path, "pcaps") as made:
        write_pcap(tmp_path / "pcaps" / "a.pcap", [dns_query("one.example")] * 10, start=START, step=1)
        yield made


def ship_within(fleet: Fleet, window: str) -> None:
    """Change the settings, which a sensor reads when it starts."""
    settings = fleet.config.read_text().partition("\n[shipping]")[0]
    fleet.config.write_text(f'{settings}\n[shipping]\nwindows = ["{window}"]\n')


def heard(fleet: Fleet) -> dict[str, Any]:
    """The sensor's last heartbeat."""
    path = fleet.data / "s1.heartbeat.json"
    report: dict[str, Any] = json.loads(path.read_text()) if path.exists() and path.stat().st_size else {}
    return report


def holds_back(fleet: Fleet) -> bool:
    report = heard(fleet)
    return bool(report) and not report["shipping"]["open"] and report["streams"]["pcaps"]["backlog_chunks"] == 1


def test_sensor_is_heard_outside_its_windows_and_ships_within(fleet: Fleet) -> None:
    ship_within(fleet, DAYS[(datetime.now().astimezone().weekday() + 3) % 7])  # not even when midnight is near
    fleet.start("landing")
    fleet.start("sensor")
    wait_until(lambda: holds_back(fleet), 60, fleet)
    later = heard(fleet)["time_ms"] + 2_000
    wait_until(lambda: heard(fleet).get("time_ms", 0) > later, 60, fleet)
    assert fleet.landed() == []
    fleet.kill("sensor")
    ship_within(fleet, "mon-sun")
    fleet.start("sensor")
    wait_until(lambda: fleet.states() == {"indexed"}, 60, fleet)


@pytest.mark.long
def test_window_opens_while_the_sensor_runs(fleet: Fleet) -> None:
    opens = datetime.now().astimezone() + timedelta(minutes=1, seconds=15)
    ship_within(fleet, f"{opens:%H:%M}-{opens + timedelta(hours=2):%H:%M}")
    fleet.start("landing")
    fleet.start("sensor")
    wait_until(lambda: holds_back(fleet), 60, fleet)
    wait_until(lambda: bool(fleet.landed()), 150, fleet)
    landed = (fleet.data / "landed.jsonl").stat().st_mtime
    assert landed >= opens.replace(second=0, microsecond=0).timestamp()


def test_clock_that_is_wrong_is_noticed_at_both_ends(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    late = "import time; now = time.time_ns; time.time_ns = lambda: now() - 90 * 10**9; "
    python, option, program, *rest = processes.SENSOR
    monkeypatch.setattr(processes, "SENSOR", [python, option, late + program, *rest])
    fleet.start("landing")
    fleet.start("sensor")
    status = fleet.root / "spool" / "status.json"
    wait_until(lambda: status.exists() and json.loads(status.read_text())["clock_skew_ms"] is not None, 60, fleet)
    wait_until(lambda: bool(heard(fleet)), 60, fleet)
    for skew in (json.loads(status.read_text())["clock_skew_ms"], heard(fleet)["clock_skew_ms"]):
        assert -120_000 < skew < -60_000
