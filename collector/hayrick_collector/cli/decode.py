"""`hayrick decode`: a capture's sessions as JSON documents, a line each, without any store."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from hayrick_collector.cli import options
from hayrick_common.errors import CaptureError, MissingExtraError

MAKERS = (Path("/usr/share/ieee-data/oui.csv"), Path("/usr/share/wireshark/manuf"))
"""Where packages install tables of who makes network interfaces."""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "decode",
        help="print a capture's sessions as JSON, a line each",
        description="Print the sessions of a capture as JSON documents, a line each. Nothing is stored. Anomalies of"
        " the file are told on standard error in one line.",
    )
    parser.add_argument("file", metavar="FILE", help="pcap or pcapng, plain, .gz or .zst")
    parser.add_argument("-t", "--tag", action="append", default=[], help="put a tag on each session")
    parser.add_argument("--node", default="case", help="the node named in the documents (default: %(default)s)")
    parser.add_argument(
        "--oui",
        default=next((str(path) for path in MAKERS if path.is_file()), ""),
        metavar="FILE",
        help="makers by MAC address, IEEE's oui.csv or Wireshark's manuf; empty: none (default: what is installed)",
    )
    options.add_key_log(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the documents to standard output. A file that is no capture raises CaptureError."""
    try:
        import hayrick_decode
    except ModuleNotFoundError as error:
        raise MissingExtraError("collector", "hayrick-decode") from error
    try:
        tables = hayrick_decode.Enrichment(oui=args.oui) if args.oui else None
        key_log = options.key_log_of(args)
        decoding = hayrick_decode.decode(
            args.file, node=args.node, tags=tuple(args.tag), enrichment=tables, key_log=key_log
        )
    except (OSError, ValueError) as error:
        raise CaptureError(f"{args.file}: {_reason(error)}") from error
    output = sys.stdout.buffer
    for batch in decoding:
        output.write(batch.ndjson())
    output.flush()
    anomalies = decoding.summary["anomalies"]
    if anomalies:
        listed = ", ".join(f"{name} ({count})" if count > 1 else name for name, count in sorted(anomalies.items()))
        print(f"hayrick: {args.file}: anomalies: {listed}", file=sys.stderr)
    return 0


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error)
