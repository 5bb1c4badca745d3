"""Times as people write them."""

from __future__ import annotations

from datetime import datetime

import pytest

from hayrick_collector.timespan import format_time, parse_duration, parse_time, zone_of

NOW = 1_700_000_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("-24h", NOW - 86_400_000),
        ("1h30m", NOW - 5_400_000),
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T22:13:20", NOW),
        ("2023-11-14 23:13:20+01:00", NOW),
        ("1700000000", NOW),
        ("1700000000000", NOW),
        ("1700000000.5", NOW + 500),
        ("2023-11-14", 1_699_920_000_000),
    ],
)
def test_time_is_understood_as_utc(text: str, expected: int) -> None:
    assert parse_time(text, now_ms=NOW) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "25x", "2023-13-01", "-", "-5"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        parse_time(text, now_ms=NOW)


def test_duration_adds_up_its_parts() -> None:
    assert parse_duration("1h30m") == 5_400_000
    assert parse_duration("2w") == 14 * 86_400_000


def test_shown_time_reads_back_as_itself() -> None:
    assert parse_time(format_time(NOW + 7)) == NOW + 7


@pytest.mark.parametrize(("name", "offset"), [("UTC", "+0000"), ("Europe/Berlin", "+0200"), ("-05:30", "-0530")])
def test_a_zone_has_a_name_or_an_offset(name: str, offset: str) -> None:
    assert datetime(2024, 7, 1, tzinfo=zone_of(name)).strftime("%z") == offset


@pytest.mark.parametrize("name", ["", "Nowhere/None", "../../etc/passwd", "/etc/passwd", "+99:00", "Europe"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        zone_of(name)
