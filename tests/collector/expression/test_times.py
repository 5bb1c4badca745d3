"""A time stands for the span it names: a second, a minute, a day; relative ones count from now and snap."""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayrick_collector.expression.times import milliseconds, parse_time

NOW = milliseconds(datetime(2024, 5, 15, 13, 30, 45, 678000, tzinfo=timezone.utc))  # a Wednesday


def utc(*parts: int) -> int:
    return milliseconds(datetime(*parts, tzinfo=timezone.utc))  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("text", "first", "width"),
    [
        ("2024/05/01 12:30:15", utc(2024, 5, 1, 12, 30, 15), 1000),
        ("2024-05-01T12:30:15Z", utc(2024, 5, 1, 12, 30, 15), 1000),
        ("2024-05-01T12:30:15.25+02:00", utc(2024, 5, 1, 10, 30, 15) + 250, 1),
        ("2024/5/1 12:30", utc(2024, 5, 1, 12, 30), 60_000),
        ("2024-05-01", utc(2024, 5, 1), 86_400_000),
        ("2024/02", utc(2024, 2, 1), 29 * 86_400_000),
        ("1700000000", 1_700_000_000_000, 1000),
        ("1700000000123", 1_700_000_000_123, 1),
    ],
)
def test_an_absolute_time_is_the_span_it_names(text: str, first: int, width: int) -> None:
    assert parse_time(text, NOW) == (first, first + width - 1)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", NOW),
        ("-1h", NOW - 3_600_000),
        ("+90s", NOW + 90_000),
        ("now-1d@d", utc(2024, 5, 14)),
        ("@h", utc(2024, 5, 15, 13)),
        ("@w", utc(2024, 5, 12)),
        ("@q", utc(2024, 4, 1)),
        ("@y", utc(2024, 1, 1)),
        ("-3M", NOW - (31 + 29 + 30) * 86_400_000),
        ("-1d-1h", NOW - 25 * 3_600_000),
    ],
)
def test_a_relative_time_counts_from_now_and_snaps(text: str, moment: int) -> None:
    assert parse_time(text, NOW) == (moment, moment)


def test_a_month_back_from_its_last_day_is_the_last_day_of_a_shorter_one() -> None:
    last_of_march = utc(2024, 3, 31)
    assert parse_time("-1M", last_of_march)[0] == utc(2024, 2, 29)


def test_a_time_without_a_zone_is_in_the_zone_asked_for() -> None:
    zone = ZoneInfo("America/New_York")
    assert parse_time("2014/02/26 10:27:57", NOW, zone)[0] == utc(2014, 2, 26, 15, 27, 57)
    assert parse_time("@d", NOW, zone)[0] == utc(2024, 5, 15, 4)


def test_a_day_is_as_long_as_its_zone_makes_it() -> None:
    zone = ZoneInfo("Europe/Berlin")
    assert parse_time("2024/03/31", NOW, zone) == (utc(2024, 3, 30, 23), utc(2024, 3, 31, 22) - 1)
    assert parse_time("2024/10/27", NOW, zone) == (utc(2024, 10, 26, 22), utc(2024, 10, 27, 23) - 1)


def test_an_hour_back_is_an_hour_when_clocks_change() -> None:
    after = utc(2024, 3, 31, 1, 30)  # 03:30 in Berlin, where 02:00 became 03:00
    assert parse_time("-1h", after, ZoneInfo("Europe/Berlin"))[0] == utc(2024, 3, 31, 0, 30)


@pytest.mark.parametrize(
    "text", ["", "x", "2024", "2024/13/01", "2024/02/30", "25:00", "-1x", "-999999999y", "0000/01/01"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text, NOW)


@given(st.text(alphabet="0123456789-+/:@. TZnowsmhdMqy", max_size=24))
def test_any_text_is_a_span_or_refused(text: str) -> None:
    try:
        first, last = parse_time(text, NOW)
    except ValueError:
        return
    assert first <= last
