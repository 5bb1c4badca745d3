"""`hayrick search --top|--unique|--graph`: sums over the sessions that match, instead of the sessions."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from typing import TYPE_CHECKING, Any

from hayrick_collector.cli import options, text
from hayrick_common.errors import UsageError

if TYPE_CHECKING:
    from hayrick_collector.backend import Backend

_FEW, _MOST = 20, 10_000
_WEIGHTS = ("sessions", "packets", "bytes")


def add_options(parser: argparse.ArgumentParser) -> None:
    """One of the sums."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--top", metavar="FIELD", help="a field's commonest values, with sessions, packets and bytes")
    group.add_argument("--unique", metavar="FIELD", help="all values of a field in order, each with its sessions")
    group.add_argument("--graph", metavar="A,B", help="which values of two fields come together: ip.src,ip.dst")


def wanted(args: argparse.Namespace) -> bool:
    """Whether any of them is asked for."""
    return bool(args.top or args.unique or args.graph)


async def run(backend: Backend, args: argparse.Namespace) -> int:
    """Print them; what is unique line by line, as it comes."""
    if args.unique:
        await _print_unique(backend, args)
        return 0
    columns, items = await _heaviest(backend, args)
    if args.json:
        for item in items:
            print(json.dumps(item))
    elif args.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([text.cell(text.shown(item[name])) for name in columns] for item in items)
    else:
        from hayrick_collector.cli import table

        table.show(items, columns)
    return 0


async def _heaviest(backend: Backend, args: argparse.Namespace) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    search, limit = options.search_of(args), _limit(args)
    if args.top:
        return ("value", *_WEIGHTS), await backend.facets(search, args.top, limit)
    source, comma, destination = args.graph.partition(",")
    if not comma:
        raise UsageError(f"--graph {args.graph!r}: write two fields, such as ip.src,ip.dst")
    found = await backend.graph(search, source.strip(), destination.strip(), limit)
    return ("source", "destination", *_WEIGHTS), found["links"]


async def _print_unique(backend: Backend, args: argparse.Namespace) -> None:
    """`sessions<TAB>value`, as `uniq -c` would have it, unless another shape is asked for."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if args.csv:
        writer.writerow(("value", "sessions"))
    async for item in backend.unique(options.search_of(args), args.unique, args.limit or None):
        if args.json:
            print(json.dumps(item))
        elif args.csv:
            writer.writerow((text.cell(text.shown(item["value"])), item["sessions"]))
        else:
            print(f"{item['sessions']}\t{text.shown(item['value'])}")


def _limit(args: argparse.Namespace) -> int:
    return _FEW if args.limit is None else min(args.limit or _MOST, _MOST)
