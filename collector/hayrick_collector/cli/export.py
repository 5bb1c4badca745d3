"""`hayrick export`: the packets of the sessions found as PCAP or PCAPNG, or the sessions themselves as a table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from hayrick_collector.cli import options, text
from hayrick_common.errors import UsageError
from hayrick_common.files import hidden_writer

if TYPE_CHECKING:
    from hayrick_collector.backend import Backend, CaptureFormat, TableFormat

CAPTURES = ("pcap", "pcapng")
TABLES = ("ndjson", "csv", "parquet")
SUFFIXES = {
    ".pcap": "pcap", ".cap": "pcap", ".pcapng": "pcapng", ".ntar": "pcapng", ".ndjson": "ndjson", ".jsonl": "ndjson",
    ".json": "ndjson", ".csv": "csv", ".parquet": "parquet",
}  # fmt: skip


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "export",
        help="write the packets, or a table, of found sessions",
        description="Write the packets of the sessions that match into a capture (pcap, pcapng), or the sessions"
        " themselves into a table (ndjson, csv, parquet); in time order.",
        epilog=options.EPILOG_WHERE,
    )
    options.add_sessions(parser)
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="NAME.pcap, NAME.csv, …, or - for stdout")
    parser.add_argument(
        "--format",
        choices=(*CAPTURES, *TABLES),
        help="default: by the name, else pcap, or pcapng where one pcap cannot hold the link types",
    )
    parser.add_argument(
        "--fields", default="", metavar="A,B", help="columns of a table, by their names in expressions or documents"
    )
    options.add_where(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the file whole or not at all; what was written is told on standard error."""
    file_format = _format(args)
    if args.output == "-" and sys.stdout.isatty() and file_format not in ("ndjson", "csv"):
        raise UsageError("this is no text for a terminal: give -o FILE, or pipe the output")
    if file_format in TABLES:
        return options.run_backend(args, lambda backend: _table(backend, args, file_format))
    if args.fields:
        raise UsageError("--fields goes with a table: --format ndjson, csv or parquet")
    return options.run_backend(args, lambda backend: _export(backend, args, file_format))


async def _table(backend: Backend, args: argparse.Namespace, file_format: TableFormat) -> int:
    fields = tuple(name.strip() for name in args.fields.split(",") if name.strip())
    table = await backend.table(replace(options.search_of(args), fields=fields), file_format)
    async with aclosing(table.pieces):
        written = await _write(table.pieces, args.output)
    where = "" if args.output == "-" else f" in {args.output}"
    print(f"{_sessions(table.sessions)}, {text.size(written)} {table.format}{where}", file=sys.stderr)
    return 0


async def _export(backend: Backend, args: argparse.Namespace, file_format: CaptureFormat | None) -> int:
    export = await backend.export(options.search_of(args), file_format)
    async with aclosing(export.pieces):
        if export.sessions == 0:
            print("No session matches: nothing written.", file=sys.stderr)
            return 0
        written = await _write(export.pieces, args.output)
    print(
        f"{export.packets} packets of {export.sessions} sessions, {text.size(written)} {export.format}"
        + ("" if args.output == "-" else f" in {args.output}"),
        file=sys.stderr,
    )
    if export.missing:
        lacking = sum(each.packets for each in export.missing)
        print(f"hayrick: {lacking} packets are missing:", file=sys.stderr)
        for each in export.missing:
            print(f"  {each.packets} of {text.safe(each.chunk)}: {text.safe(each.reason)}", file=sys.stderr)
        return 1
    return 0


async def _write(pieces: AsyncIterator[bytes], output: str) -> int:
    if output == "-":
        return await _pump(pieces, sys.stdout.buffer)
    with hidden_writer(Path(output)) as file:
        return await _pump(pieces, file)


async def _pump(pieces: AsyncIterator[bytes], file: IO[bytes]) -> int:
    written = 0
    async for piece in pieces:
        file.write(piece)
        written += len(piece)
    return written


def _format(args: argparse.Namespace) -> Any:
    return args.format or SUFFIXES.get(Path(args.output).suffix.lower())


def _sessions(number: int) -> str:
    return f"{number} session{'' if number == 1 else 's'}"
