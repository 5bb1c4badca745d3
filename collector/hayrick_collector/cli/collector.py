"""`hayrick collector run|init|drop|backup|restore`: the service itself, and what it needs first."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from dataclasses import replace
from typing import Any

from hayrick_collector.cli import backup, drop, init, options
from hayrick_common.errors import UsageError


def add_parser(subparsers: Any) -> None:
    """Register the commands."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "collector", help="land, keep, index and serve", description="The collector: lands, keeps, indexes and serves."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    run_parser = commands.add_parser("run", help="serve until SIGTERM or Ctrl-C", description="Serve until stopped.")
    run_parser.add_argument("--listen", metavar="ADDRESS:PORT", help="the API's address (default: by the settings)")
    run_parser.add_argument("--landing", metavar="ENDPOINT", help="the sensors' address, such as tcp://0.0.0.0:8006")
    options.add_folder(run_parser)
    run_parser.set_defaults(run=run)
    init.add_parser(commands)
    drop.add_parser(commands)
    backup.add_parser(commands)


def run(args: argparse.Namespace) -> int:
    """Run the collector in the foreground."""
    from hayrick_collector.config import load_config
    from hayrick_collector.server import run as serve

    config = load_config(args.config, data=args.data)
    try:
        if args.listen:
            config = replace(config, api=replace(config.api, listen=args.listen))
        if args.landing is not None:
            config = replace(config, landing=replace(config.landing, listen=args.landing))
    except ValueError as error:
        raise UsageError(f"--listen: {error}") from error
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    for name in ("httpx", "elastic_transport.transport"):  # a line for every request, health checks included
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    asyncio.run(serve(config))
    return 0
