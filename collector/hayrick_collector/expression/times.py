"""Times as people type them, to the span of milliseconds that the text covers: a second, a minute, a day."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo

_ABSOLUTE = re.compile(
    r"(?P<year>\d{4})[/-](?P<month>\d{1,2})(?:[/-](?P<day>\d{1,2})"
    r"(?:[ T_-](?P<hour>\d{1,2})(?::(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:\.(?P<fraction>\d{1,9}))?)?)?)?)?"
    r"\s*(?P<zone>Z|[+-]\d\d:?\d\d)?",
    re.IGNORECASE,
)
_RELATIVE = re.compile(r"(?P<now>now)?(?P<shift>(?:[+-]\d*[smhdwMqy])*)(?:@(?P<snap>[smhdwMqy]))?")
_SHIFT = re.compile(r"([+-])(\d*)([a-zA-Z])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_MONTHS = {"M": 1, "q": 3, "y": 12}
_BY_CALENDAR = "dw"
_WIDTHS = (("fraction", 1), ("second", 1000), ("minute", 60_000), ("hour", 3_600_000))
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LONGEST_EPOCH_SECONDS = 11  # more digits than this are milliseconds
FORMS = 'a time such as "2024/05/01 12:30:00", -1h, -7d@d, now, or seconds since 1970'


def parse_time(text: str, now_ms: int, zone: tzinfo = timezone.utc) -> tuple[int, int]:
    """First and last millisecond that `text` stands for, in `zone` unless it names one; ValueError if it is no time."""
    text = text.strip()
    if re.fullmatch(r"\d{9,16}(\.\d+)?", text):
        return _from_number(text)
    if found := _ABSOLUTE.fullmatch(text):
        return _from_calendar(found, zone)
    relative = _RELATIVE.fullmatch(text)
    if relative and text:
        moment = _from_relative(relative, now_ms, zone)
        return moment, moment
    raise ValueError(f"expected {FORMS}")


def _from_number(text: str) -> tuple[int, int]:
    whole, _, fraction = text.partition(".")
    if len(whole) > _LONGEST_EPOCH_SECONDS:
        return int(whole), int(whole)
    if fraction:
        exact = int(whole) * 1000 + int(fraction.ljust(3, "0")[:3])
        return exact, exact
    return int(whole) * 1000, int(whole) * 1000 + 999


def _from_calendar(found: re.Match[str], zone: tzinfo) -> tuple[int, int]:
    try:
        parts = [int(found[name] or default) for name, default in _FIELDS]
        moment = datetime(*parts, tzinfo=_zone(found["zone"]) or zone)  # type: ignore[arg-type,misc]
    except (ValueError, OverflowError) as error:
        raise ValueError(f"no such time: {error}") from None
    first = milliseconds(moment) + int((found["fraction"] or "").ljust(3, "0")[:3])
    width = next((width for name, width in _WIDTHS if found[name]), None)
    if width is not None:
        return first, first + width - 1
    following = moment + timedelta(days=1) if found["day"] else _add_months(moment, 1)  # 23 to 25 hours make a day
    return first, milliseconds(following) - 1


_FIELDS = (("year", 0), ("month", 1), ("day", 1), ("hour", 0), ("minute", 0), ("second", 0))


def _zone(text: str | None) -> timezone | None:
    if not text:
        return None
    if text.upper() == "Z":
        return timezone.utc
    hours, minutes = int(text[1:3]), int(text[-2:])
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)


def _from_relative(found: re.Match[str], now_ms: int, zone: tzinfo) -> int:
    moment = (EPOCH + timedelta(milliseconds=now_ms)).astimezone(zone)
    try:
        for sign, number, unit in _SHIFT.findall(found["shift"]):
            moment = _shift(moment, int(sign + (number or "1")), unit)
    except (OverflowError, ValueError):
        raise ValueError("a time that far away does not exist") from None
    return milliseconds(_snap(moment, found["snap"]) if found["snap"] else moment)


def _shift(moment: datetime, number: int, unit: str) -> datetime:
    if unit in _MONTHS:
        return _add_months(moment, number * _MONTHS[unit])
    shift = timedelta(seconds=number * _SECONDS[unit])
    if unit in _BY_CALENDAR:
        return moment + shift
    return (moment.astimezone(timezone.utc) + shift).astimezone(moment.tzinfo)  # an hour is an hour when clocks change


def _add_months(moment: datetime, months: int) -> datetime:
    """The same day of another month, or its last day where that month is shorter."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    following = datetime(year + (month == 11), (month + 1) % 12 + 1, 1, tzinfo=moment.tzinfo)
    last = (following - timedelta(days=1)).day
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last))


def _snap(moment: datetime, unit: str) -> datetime:
    """The start of the second, minute, hour, day, week (Sunday), month, quarter or year."""
    start = moment.replace(microsecond=0)
    if unit == "s":
        return start
    start = start.replace(second=0)
    if unit == "m":
        return start
    start = start.replace(minute=0)
    if unit == "h":
        return start
    start = start.replace(hour=0)
    return _snap_day(start, unit)


def _snap_day(start: datetime, unit: str) -> datetime:
    if unit == "w":
        return start - timedelta(days=start.isoweekday() % 7)
    if unit == "M":
        return start.replace(day=1)
    if unit == "q":
        return start.replace(month=(start.month - 1) // 3 * 3 + 1, day=1)
    return start.replace(month=1, day=1) if unit == "y" else start


def milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970."""
    return (moment - EPOCH) // timedelta(milliseconds=1)
