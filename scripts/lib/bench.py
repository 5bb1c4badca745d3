"""Measures decoding and ingest in child processes: CPU seconds by resource usage, memory by what the kernel counts."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from archive import archive
from fleet import fleet, rest
from flow import flow
from indexing import index
from latency import latency
from measuring import CORPUS, HAYRICK, Cost, decoded, measure, plain
from page import page
from querying import query
from rollout import rollout
from ship import ship


def hashing(capture: Path) -> Cost:
    """The yardstick: sha256sum of the file, which also warms the page cache."""
    subprocess.run(["sha256sum", str(capture)], check=True, stdout=subprocess.DEVNULL)
    cost = measure(["sha256sum", str(capture)])
    print(f"{capture.name}: {capture.stat().st_size / 1e6:.1f} MB, sha256sum {cost.cpu:.2f} CPU s")
    return cost


def decode(capture: Path) -> None:
    """Packets a CPU second of decoding alone, with Arrow tables, and with documents; the best of three."""
    yardstick = hashing(capture)
    for kind in ("sessions", "tables", "ndjson"):
        cost = min((decoded(kind, capture) for _ in range(3)), key=lambda c: c.cpu)
        summary = json.loads(cost.output)
        print(
            f"decode to {kind:8}: {summary['packets'] / cost.cpu / 1000:6.0f} thousand packets a CPU second, "
            f"{cost.cpu:.2f} CPU s ({cost.cpu / yardstick.cpu:.1f} x sha256sum), "
            f"peak {cost.largest:.0f} MB, {summary['packets']} packets, {summary['sessions']} sessions"
        )


def ingest(capture: Path) -> None:
    """One `hayrick ingest` into an empty store, from start to searchable."""
    yardstick = hashing(capture)
    with tempfile.TemporaryDirectory(prefix="hayrick-bench-") as data:
        os.environ["HAYRICK_DATA"] = data
        cost = measure([str(HAYRICK), "ingest", str(capture), "-t", "bench"])
        print(cost.output.strip())
        print(
            f"ingest: {cost.wall:.2f} s, {cost.cpu:.2f} CPU s ({cost.cpu / yardstick.cpu:.1f} x sha256sum), "
            f"peak {cost.group:.0f} MB in all, {cost.largest:.0f} MB the largest process"
        )


def main() -> None:
    """A subcommand for each benchmark."""
    what: dict[str, Callable[..., None]] = {
        "decode": decode,
        "ingest": ingest,
        "archive": archive,
        "ship": ship,
        "fleet": fleet,
        "flow": flow,
        "rest": rest,
        "rollout": rollout,
        "latency": latency,
        "index": index,
        "query": query,
        "page": page,
    }
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    commands = parser.add_subparsers(dest="what", required=True)
    parsers = {name: commands.add_parser(name) for name in what}
    for each in parsers.values():
        each.add_argument("file", nargs="?", type=Path, default=CORPUS, help="a capture, plain or .zst")
    for name in ("index", "query"):
        parsers[name].add_argument(
            "--elasticsearch", metavar="URL", dest="cluster", default="", help="on this cluster, not the embedded store"
        )
    parsers["query"].add_argument(
        "--sessions", type=int, default=10_000_000, help="in the store (default: %(default)s)"
    )
    args = vars(parser.parse_args())
    what[args.pop("what")](plain(args.pop("file")), **args)


if __name__ == "__main__":
    main()
