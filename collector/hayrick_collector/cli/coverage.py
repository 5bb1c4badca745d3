"""`hayrick coverage`: what of a stream's time was seen, as a bar and as a list of gaps with exact times and reasons."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hayrick_collector.cli import options, text
from hayrick_collector.timespan import format_time, parse_duration, parse_time
from hayrick_common.clock import epoch_ms
from hayrick_common.errors import UsageError

if TYPE_CHECKING:
    from hayrick_collector.backend import Backend

RED, YELLOW, PLAIN = "\033[31m", "\033[33m", "\033[0m"
LETTERS = {
    "down": "X", "lost": "L", "missing": "M", "failed": "F", "dropped": "d", "removed": "r", "captured": "c",
    "landed": "l", "packets_removed": "=", "quiet": "-", "indexed": "#", "open": "o", "silent": "?", "unknown": " ",
}  # fmt: skip
_INCOMPLETE = 1


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "coverage",
        help="show which times were seen, and what is missing",
        description="Show the time line of each stream: what is searchable, on its way, missing, and why.",
        epilog=options.EPILOG_WHERE,
    )
    parser.add_argument("stream", metavar="SENSOR[/STREAM]", nargs="?", default="", help="default: every stream")
    times = parser.add_argument_group("time range (the last 24 hours by default; times are UTC)")
    times.add_argument("--last", metavar="DURATION", help="until now, such as 24h, 7d, 90m")
    times.add_argument("--start", "--from", metavar="TIME", help="2026-11-25T02:00, 24h (ago), Unix seconds")
    times.add_argument("--stop", "--to", metavar="TIME", help="likewise; default: now")
    parser.add_argument("--check", action="store_true", help="exit code 1 unless everything of that time is searchable")
    parser.add_argument("--gaps", type=int, default=100, metavar="NUMBER", help="list at most so many (default: 100)")
    parser.add_argument("--json", action="store_true", help="everything, as one JSON object")
    options.add_where(parser)
    parser.set_defaults(run=run, expression="")


def run(args: argparse.Namespace) -> int:
    """Exit code 0; with --check 1 when something is missing or not searchable yet."""
    return options.run_backend(args, lambda backend: _coverage(backend, args))


async def _coverage(backend: Backend, args: argparse.Namespace) -> int:
    start_ms, stop_ms = _range(args)
    sensor, _, stream = args.stream.partition("/")
    width = options.terminal_width()
    buckets = max(width - 2, 20)
    gaps = min(max(args.gaps, 0), 1000)
    found = await backend.coverage(start_ms, stop_ms, sensor=sensor, stream=stream, buckets=buckets, gaps=gaps)
    streams = found["streams"]
    if args.json:
        print(json.dumps(found))
    elif not streams:
        print("no sensor was ever heard of")
    else:
        print("\n".join(line for each in streams for line in lines(each, buckets, colour=sys.stdout.isatty())))
        print(legend(streams))
    return _INCOMPLETE if args.check and not (streams and all(each["complete"] for each in streams)) else 0


def lines(stream: dict[str, Any], width: int, *, colour: bool) -> Iterator[str]:
    """A stream's heading, its bar, and its gaps, a line each."""
    yield f"{text.safe(stream['sensor'])}/{text.safe(stream['stream'])}: {summary(stream)}"
    if stream["spans"]:
        yield f" {bar(stream, width, colour=colour)}"
        yield f" {_ends(stream, width)}"
    if stream["gaps_left_out"]:
        yield f"  … {stream['gaps_left_out']} gaps before these: --gaps, --json or a shorter time shows them"
    for gap in stream["gaps"]:
        yield f"  {_painted(gap_words(gap), gap, colour)}"


def summary(stream: dict[str, Any]) -> str:
    """In a few words: how much is searchable, and what is wrong."""
    known, states = stream["known"], stream["states"]
    if not known:
        return "nothing is known of that time"
    percent = stream["covered"] / known * 100
    words = ["complete"] if stream["complete"] else [f"{_percent(percent)} % searchable"]
    words += [f"{duration(states[state])} {state.replace('_', ' ')}" for state in LETTERS if _worth(state, states)]
    return ", ".join(words + ([f"{stream['dropped']} packets dropped"] if stream["dropped"] else []))


def gap_words(gap: dict[str, Any]) -> str:
    """One gap: from when to when, how long, what, how much."""
    about = "about " if gap["estimated"] else ""
    counts = [f"{gap[name]} {name[: -1 if gap[name] == 1 else None]}" for name in ("chunks", "packets") if gap[name]]
    told = f" ({', '.join(counts)})" if counts else ""
    start, stop = format_time(gap["start_ms"]), format_time(gap["stop_ms"])
    when = f"{about}{start} to {stop[11:] if stop[:10] == start[:10] else stop}"
    length = duration(gap["stop_ms"] - gap["start_ms"])
    return f"{gap['state'].upper():8} {when}, {length}: {text.safe(gap['reason'])}{told}"


def bar(stream: dict[str, Any], width: int, *, colour: bool) -> str:
    """The time line in so many letters, each the worst state of its share of the time."""
    start, length = stream["start_ms"], max(stream["stop_ms"] - stream["start_ms"], 1)
    order = {state: rank for rank, state in enumerate(LETTERS)}
    cells = ["unknown"] * width
    for begins, ends, state in stream["spans"]:
        first = (begins - start) * width // length
        for index in range(first, max((ends - 1 - start) * width // length, first) + 1):
            if order[state] < order[cells[index]]:
                cells[index] = state
    return "".join(_cell(state, colour) for state in cells)


def legend(streams: list[dict[str, Any]]) -> str:
    """What the letters that occur mean."""
    used = {state for each in streams for state in each["states"]}
    return "  ".join(f"{LETTERS[state]} {state.replace('_', ' ')}" for state in LETTERS if state in used - {"unknown"})


def duration(ms: int) -> str:
    """`2 d 3 h`, `4 min 10 s`, `850 ms`: the two greatest units."""
    if ms < 1000:
        return f"{ms} ms"
    parts, rest = [], ms // 1000
    for unit, seconds in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        amount, rest = divmod(rest, seconds)
        if amount:
            parts.append(f"{amount} {unit}")
    return " ".join(parts[:2])


def _range(args: argparse.Namespace) -> tuple[int, int]:
    now = epoch_ms()
    try:
        if args.last and (args.start or args.stop):
            raise ValueError("--last goes without --start and --stop")
        stop = parse_time(args.stop, now_ms=now) if args.stop else now
        start = parse_time(args.start, now_ms=now) if args.start else stop - parse_duration(args.last or "24h")
        if start >= stop:
            raise ValueError("--start must be before --stop")
    except ValueError as error:
        raise UsageError(str(error)) from error
    return start, stop


def _worth(state: str, states: dict[str, int]) -> bool:
    return state in states and state not in ("indexed", "quiet", "unknown")


def _percent(share: float) -> str:
    """Never 100 when something is missing."""
    return f"{min(share, 99.99):.2f}" if share > 99 else f"{share:.1f}"


def _ends(stream: dict[str, Any], width: int) -> str:
    start, stop = (format_time(stream[name])[:-4] for name in ("start_ms", "stop_ms"))
    return f"{start}{stop:>{max(width - len(start), len(stop) + 1)}}"


def _painted(words: str, gap: dict[str, Any], colour: bool) -> str:
    return f"{_colour(gap['state'])}{words}{PLAIN}" if colour else words


def _cell(state: str, colour: bool) -> str:
    letter = LETTERS[state]
    return f"{_colour(state)}{letter}{PLAIN}" if colour and _colour(state) else letter


def _colour(state: str) -> str:
    if state in ("captured", "landed", "open"):
        return YELLOW
    return "" if state in ("packets_removed", "quiet", "indexed", "unknown") else RED
