"""`hayrick search`: sessions that match an expression, or sums over them, as a table, JSON lines or CSV."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hayrick_collector.cli import options, sums, text
from hayrick_common.errors import UsageError

if TYPE_CHECKING:
    from hayrick_collector.backend import Backend, Search

PAGE = 1000
DEFAULT_LIMIT = 50


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "search", help="find sessions", description="Find sessions.", epilog=options.EPILOG_WHERE
    )
    options.add_sessions(parser)
    parser.add_argument("--sort", metavar="FIELD[:desc]", default="firstPacket:desc", help="default: %(default)s")
    parser.add_argument(
        "--limit", type=int, help=f"at most so many; 0: all (default: {DEFAULT_LIMIT}; 20 for --top and --graph)"
    )
    parser.add_argument("--fields", metavar="A,B", help="columns, by their names in documents: source.ip,host.dns …")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="whole documents (or --fields), one JSON object a line")
    shape.add_argument("--csv", action="store_true", help="comma-separated, with a heading line")
    sums.add_options(parser)
    options.add_where(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what is found; the count goes to standard error when the output is for a program."""
    if args.limit is not None and args.limit < 0:
        raise UsageError("--limit must not be negative")
    return options.run_backend(args, lambda backend: (sums.run if sums.wanted(args) else _search)(backend, args))


async def _search(backend: Backend, args: argparse.Namespace) -> int:
    from hayrick_collector.cli import table

    fields = tuple(name.strip() for name in (args.fields or "").split(",") if name.strip())
    wanted = fields or (() if args.json else table.FIELDS)
    search = replace(options.search_of(args), sort=_sort(args.sort), fields=wanted)
    items, total = await _pages(backend, search, DEFAULT_LIMIT if args.limit is None else args.limit)
    if args.json:
        _print_json(items)
    elif args.csv:
        _print_csv(items, wanted)
    else:
        table.show(items, fields)
    print(_count(len(items), total), file=sys.stdout if not (args.json or args.csv) else sys.stderr)
    return 0


async def _pages(backend: Backend, search: Search, limit: int) -> tuple[list[dict[str, Any]], int]:
    items: list[dict[str, Any]] = []
    while True:
        left = limit - len(items) if limit else PAGE
        found = await backend.search(replace(search, limit=min(PAGE, left)))
        items += found.items
        if found.cursor is None or not found.items or (limit and len(items) >= limit):
            return items, found.total
        search = replace(search, cursor=found.cursor)


def _sort(value: str) -> tuple[tuple[str, str], ...]:
    sort = []
    for each in value.split(","):
        name, _, direction = each.partition(":")
        if not name or direction not in ("", "asc", "desc"):
            raise UsageError(f"--sort {value!r}: write FIELD, FIELD:asc or FIELD:desc")
        sort.append((name, direction or "asc"))
    return tuple(sort)


def _print_json(items: Sequence[dict[str, Any]]) -> None:
    for item in items:
        print(json.dumps(item))  # ASCII: safe for a terminal, and every parser undoes it


def _print_csv(items: Sequence[dict[str, Any]], fields: Sequence[str]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(fields)
    writer.writerows([text.cell(text.shown_field(item, name)) for name in fields] for item in items)


def _count(shown: int, total: int) -> str:
    if total == 0:
        return "No session matches."
    sessions = "session" if total == 1 else "sessions"
    return f"{total} {sessions}" if shown == total else f"{total} {sessions}, {shown} shown (--limit)"
