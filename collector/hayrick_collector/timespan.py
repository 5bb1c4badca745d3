"""Times as people write them, to epoch milliseconds. Without a zone, a time is UTC, as all times shown are."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hayrick_common.clock import epoch_ms

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w)")
_AGO = re.compile(r"-?(\d+(\.\d+)?\s*[smhdw]\s*)+", re.IGNORECASE)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SECONDS_BELOW = 100_000_000_000  # a plain number below this is seconds (until the year 5138), above it milliseconds


def parse_duration(text: str) -> int:
    """`24h`, `90m`, `7d`, `1h30m` in milliseconds. Raises ValueError."""
    parts = _DURATION.findall(text.strip().lower())
    if not parts or _DURATION.sub("", text.strip().lower()).strip():
        raise ValueError(f"{text!r} is no duration: write 90s, 15m, 24h, 7d or 2w")
    return round(sum(float(number) * _UNITS[unit] for number, unit in parts) * 1000)


def parse_time(text: str, *, now_ms: int | None = None) -> int:
    """An ISO 8601 time, `now`, `24h` ago (or `-24h`), Unix seconds or milliseconds: as epoch ms. Raises ValueError."""
    text = text.strip()
    now = epoch_ms() if now_ms is None else now_ms
    if text == "now":
        return now
    if _AGO.fullmatch(text):
        return now - parse_duration(text.removeprefix("-"))
    if re.fullmatch(r"\d{9,}(\.\d+)?", text):
        number = float(text)
        return round(number * 1000) if number < _SECONDS_BELOW else round(number)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no time: write 2026-11-25, 2026-11-25T13:05:00Z, 24h (ago) or Unix seconds"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return round(moment.timestamp() * 1000)


def zone_of(name: str) -> tzinfo:
    """`UTC`, `Europe/Berlin`, `+02:00` as a zone; ValueError if there is none of that name."""
    if name.upper() in ("UTC", "Z"):
        return timezone.utc
    if found := re.fullmatch(r"([+-])(0\d|1[0-4]):?([0-5]\d)", name):
        offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
        return timezone(-offset if found[1] == "-" else offset)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"no time zone {name[:60]!r}: write UTC, Europe/Berlin or +02:00") from None


def format_time(epoch_ms: float | None) -> str:
    """`2026-11-25 13:05:00.123` (UTC); empty for none."""
    if epoch_ms is None:
        return ""
    moment = datetime.fromtimestamp(epoch_ms / 1000, tz=timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{int(epoch_ms) % 1000:03d}"
