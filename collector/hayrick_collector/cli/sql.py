"""`hayrick sql`: one SELECT over the embedded store, for what no expression can ask."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from hayrick_collector.cli import options, text
from hayrick_common.errors import UsageError

if TYPE_CHECKING:
    from hayrick_collector.store.embedded.views import Answer

_FORMATS = ("table", "csv", "ndjson")
_MOST_SHOWN = 1000
_WIDEST = 60


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "sql",
        help="ask the embedded store in SQL",
        description="Ask the embedded store by one SELECT in DuckDB's SQL: tables are `sessions` and one a protocol,"
        " joined by id. Without a statement the tables and their columns are listed.",
        epilog="Works on the data folder (--data, else $HAYRICK_DATA), also while its collector runs.",
    )
    parser.add_argument("statement", nargs="?", default="", metavar="SELECT", help="- reads it from standard input")
    parser.add_argument("--format", choices=_FORMATS, default="table", help="default: %(default)s")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help="default: %(default)s")
    parser.add_argument(
        "--memory", default="1GB", metavar="SIZE", help="then the store's disk is used, to 4 GB (default: %(default)s)"
    )
    options.add_folder(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what the statement answers."""
    import hayrick_decode
    from hayrick_collector.config import load_config
    from hayrick_collector.expression import Catalogue
    from hayrick_collector.store.embedded import Limits, views

    catalogue = Catalogue.from_dicts(hayrick_decode.fields())
    statement = sys.stdin.read() if args.statement == "-" else args.statement
    if not statement.strip():
        return _tables(views.described(catalogue))
    config = load_config(args.config, data=args.data)
    if config.store.kind != "duckdb":
        raise UsageError("SQL is asked of the embedded store; this collector's sessions are in another")
    answer = views.ask(config.folder.store, catalogue, statement, Limits(memory=args.memory), deadline_s=args.timeout)
    {"table": _table, "csv": _csv, "ndjson": _ndjson}[args.format](answer)
    return 0


def _tables(tables: Iterable[tuple[str, Sequence[tuple[str, str, str]]]]) -> int:
    for name, columns in tables:
        print(name)
        for column, kind, about in columns:
            print(f"  {column:28} {kind:14} {about}")
    return 0


def _table(answer: Answer) -> None:
    rows: list[list[str]] = []
    for row in chain.from_iterable(answer.pages):
        if len(rows) == _MOST_SHOWN:
            print(f"Only the first {_MOST_SHOWN} rows are shown: --format csv or ndjson gives all.", file=sys.stderr)
            break
        rows.append([_cut(text.shown(each)) for each in row])
    heads = [text.safe(name) for name in answer.columns]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for each in [heads, *rows]:
        print("  ".join(value.ljust(width) for value, width in zip(each, widths, strict=True)).rstrip())
    print(f"{len(rows)} row{'' if len(rows) == 1 else 's'}", file=sys.stderr)


def _cut(value: str) -> str:
    return value if len(value) <= _WIDEST else value[: _WIDEST - 1] + "…"


def _csv(answer: Answer) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(answer.columns)
    for page in answer.pages:
        writer.writerows([text.cell(text.shown(each)) for each in row] for row in page)


def _ndjson(answer: Answer) -> None:
    for row in chain.from_iterable(answer.pages):
        print(json.dumps(dict(zip(answer.columns, row, strict=True)), default=str))
