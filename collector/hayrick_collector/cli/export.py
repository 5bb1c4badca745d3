"""`hayrick export`: the packets of the sessions found, by time, as PCAP or PCAPNG."""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from hayrick_collector.cli import options, text
from hayrick_common.errors import UsageError
from hayrick_common.files import hidden_writer

if TYPE_CHECKING:
    from hayrick_collector.backend import Backend, CaptureFormat, Export


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "export",
        help="write the packets of found sessions",
        description="Write the packets of the sessions that match, in time order, into a capture.",
        epilog=options.EPILOG_WHERE,
    )
    options.add_sessions(parser)
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="NAME.pcap, NAME.pcapng, or - for stdout")
    parser.add_argument("--format", choices=("pcap", "pcapng"), help="default: by the name; on stdout pcap if possible")
    options.add_where(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the file whole or not at all; what was written is told on standard error."""
    if args.output == "-" and sys.stdout.isatty():
        raise UsageError("a capture is no text for a terminal: give -o FILE, or pipe the output")
    return options.run_backend(args, lambda backend: _export(backend, args))


async def _export(backend: Backend, args: argparse.Namespace) -> int:
    export = await backend.export(options.search_of(args), _format(args))
    async with aclosing(export.pieces):
        if export.sessions == 0:
            print("No session matches: nothing written.", file=sys.stderr)
            return 0
        written = await _write(export, args.output)
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


async def _write(export: Export, output: str) -> int:
    if output == "-":
        return await _pump(export.pieces, sys.stdout.buffer)
    with hidden_writer(Path(output)) as file:
        return await _pump(export.pieces, file)


async def _pump(pieces: AsyncIterator[bytes], file: IO[bytes]) -> int:
    written = 0
    async for piece in pieces:
        file.write(piece)
        written += len(piece)
    return written


def _format(args: argparse.Namespace) -> CaptureFormat | None:
    if args.format:
        return "pcapng" if args.format == "pcapng" else "pcap"
    suffix = Path(args.output).suffix.lower()
    if suffix in (".pcapng", ".ntar"):
        return "pcapng"
    return "pcap" if suffix in (".pcap", ".cap") else None
