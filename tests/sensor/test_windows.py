"""When a sensor ships is what its settings say, past midnight too."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from hayrick_sensor.windows import open_at, parse_window

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
