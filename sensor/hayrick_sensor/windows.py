"""When a sensor may ship: hours of the day and days of the week, by the host's own clock. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW = re.compile(r"(?:(?P<days>[a-z,-]+)(?: +|$))?(?:(?P<from>\d\d:\d\d)-(?P<to>\d\d:\d\d))?")
_WHOLE_DAY = 24 * 60


@dataclass(frozen=True)
class Window:
    """Open on `days` (0 is Monday) from minute `start` to minute `end`, the next day's where that is not later."""

    days: frozenset[int]
    start: int = 0
    end: int = _WHOLE_DAY

    def is_open(self, now: datetime) -> bool:
        """Whether `now`, local time, is in the window; a window past midnight counts to the day it began on."""
        minute, day = now.hour * 60 + now.minute, now.weekday()
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        return (day in self.days and minute >= self.start) or ((day - 1) % 7 in self.days and minute < self.end)


def parse_window(text: str) -> Window:
    """`22:00-06:00`, `sat,sun` or `mon-fri 20:00-24:00`; ValueError for anything else."""
    match = _WINDOW.fullmatch(text.strip().lower())
    if not match or not match.group(0):
        raise ValueError(f"{text!r} is no window such as '22:00-06:00', 'sat,sun' or 'mon-fri 20:00-24:00'")
    days = _days(match["days"]) if match["days"] else frozenset(range(7))
    if not match["from"]:
        return Window(days)
    start, end = _minute(match["from"]), _minute(match["to"])
    if start in (_WHOLE_DAY, end):
        raise ValueError(f"{text!r} is a window of no length; leave the hours out for a whole day")
    return Window(days, start, end)


def open_at(windows: Sequence[Window], now: datetime) -> bool:
    """Whether any window is open; without windows it always is."""
    return not windows or any(each.is_open(now) for each in windows)


def _days(text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS or part.endswith("-"):
            raise ValueError(f"{part!r} is no day such as mon, or days such as mon-fri")
        low = DAYS.index(first)
        days.update((low + step) % 7 for step in range((DAYS.index(last or first) - low) % 7 + 1))
    return frozenset(days)


def _minute(text: str) -> int:
    hour, minute = int(text[:2]), int(text[3:])
    if hour * 60 + minute > _WHOLE_DAY or minute > 59:
        raise ValueError(f"{text!r} is no time of day")
    return hour * 60 + minute
