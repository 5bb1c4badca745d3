"""What the commands share: where the collector is, which sessions are meant, and errors that point at the column."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hayrick_collector.timespan import parse_duration, parse_time
from hayrick_common.clock import epoch_ms
from hayrick_common.errors import ExpressionError, UsageError

if TYPE_CHECKING:
    from hayrick_collector.backend import Backend, Search

EPILOG_WHERE = (
    "Works straight on the data folder (--data, else $HAYRICK_DATA), or through a running collector"
    " (--server, else $HAYRICK_SERVER; $HAYRICK_TOKEN goes with it)."
)


def add_where(parser: argparse.ArgumentParser) -> None:
    """Options that say which collector is meant."""
    group = add_folder(parser)
    group.add_argument("--server", metavar="URL", help="ask this running collector, such as http://127.0.0.1:8005")


def add_folder(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Those of a command that works on the data folder only."""
    group = parser.add_argument_group("which collector")
    group.add_argument("--data", type=Path, metavar="FOLDER", help="work on this data folder")
    group.add_argument("--config", type=Path, metavar="FILE", help="the collector's settings (TOML)")
    return group


def add_sessions(parser: argparse.ArgumentParser) -> None:
    """The expression and the time range."""
    parser.add_argument(
        "expression", metavar="EXPR", nargs="?", default="", help="such as 'ip == 10.0.0.0/8 && http.uri == *admin*'"
    )
    parser.add_argument(
        "--zone", default="", metavar="ZONE", help="of times in EXPR that name none: UTC, Europe/Berlin, +02:00"
    )
    add_times(parser)


def add_key_log(parser: argparse.ArgumentParser) -> None:
    """What opens encrypted sessions."""
    parser.add_argument(
        "--key-log", type=Path, metavar="FILE", help="secrets of TLS sessions in it, as SSLKEYLOGFILE has them written"
    )


def key_log_of(args: argparse.Namespace) -> bytes | None:
    """The text of the key log that was named. Raises UsageError when it cannot be read, or is too long."""
    if args.key_log is None:
        return None
    from hayrick_collector.archive.keylog import MOST_KEY_LOG

    try:
        with args.key_log.open("rb") as file:
            text: bytes = file.read(MOST_KEY_LOG + 1)
    except OSError as error:
        raise UsageError(f"{args.key_log}: {error.strerror}") from error
    if len(text) > MOST_KEY_LOG:
        raise UsageError(f"{args.key_log}: longer than {MOST_KEY_LOG >> 20} MiB")
    return text


def add_times(parser: argparse.ArgumentParser) -> None:
    """The time range; all times by default."""
    group = parser.add_argument_group("time range (all by default; times are UTC)")
    group.add_argument("--last", metavar="DURATION", help="until now, such as 24h, 7d, 90m")
    group.add_argument("--from", dest="start", metavar="TIME", help="2026-11-25, 2026-11-25T13:05:00Z, 24h (ago)")
    group.add_argument("--to", dest="stop", metavar="TIME", help="likewise")


def search_of(args: argparse.Namespace) -> Search:
    """The Search that the arguments describe. Raises UsageError."""
    from hayrick_collector.backend import Search

    try:
        start, stop = _range(args)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return Search(expression=args.expression, start_ms=start, stop_ms=stop, zone=getattr(args, "zone", ""))


def run_backend(args: argparse.Namespace, work: Callable[[Backend], Awaitable[int]]) -> int:
    """Open the collector that is meant, do the work, close it; an error in the expression is shown under its column.
    Raises UsageError for what is not there."""
    try:
        return asyncio.run(_with_backend(args, work))
    except ExpressionError as error:
        print(f"hayrick: {error}\n{caret(args.expression, error.column)}", file=sys.stderr)
        return ExpressionError.exit_code
    except LookupError as error:
        if type(error) is not LookupError:  # a KeyError is a mistake of ours
            raise
        raise UsageError(str(error)) from None


def terminal_width() -> int:
    """Columns of the terminal, 80 where there is none."""
    return shutil.get_terminal_size((80, 24)).columns


def caret(expression: str, column: int) -> str:
    """The expression with a caret under a column, which counts from 1. Only the line in question is shown."""
    before = expression[: max(column - 1, 0)]
    line = expression.splitlines()[before.count("\n")] if expression.strip() else expression
    offset = len(before) - (before.rfind("\n") + 1)
    return f"  {line}\n  {' ' * offset}^"


async def _with_backend(args: argparse.Namespace, work: Callable[[Backend], Awaitable[int]]) -> int:
    backend = await _open(args)
    try:
        return await work(backend)
    finally:
        await backend.close()


async def _open(args: argparse.Namespace) -> Backend:
    server = args.server or ("" if args.data or args.config else os.environ.get("HAYRICK_SERVER", ""))
    if server and (args.data or args.config):
        raise UsageError("--server goes without --data and --config: the running collector knows its folder")
    if server:
        from hayrick_collector.client import HttpBackend

        return HttpBackend(server, token=os.environ.get("HAYRICK_TOKEN", ""))
    from hayrick_collector.config import load_config
    from hayrick_collector.direct import DirectBackend

    return await DirectBackend.open(load_config(args.config, data=args.data))


def _range(args: argparse.Namespace) -> tuple[int | None, int | None]:
    now = epoch_ms()
    if args.last:
        if args.start or args.stop:
            raise ValueError("--last goes without --from and --to")
        return now - parse_duration(args.last), None
    start = parse_time(args.start, now_ms=now) if args.start else None
    stop = parse_time(args.stop, now_ms=now) if args.stop else None
    if start is not None and stop is not None and start > stop:
        raise ValueError("--from is after --to")
    return start, stop
