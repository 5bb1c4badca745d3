"""`hayrick collector run|init|drop`: the service itself, and its first settings."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from hayrick_collector.cli import drop
from hayrick_common.errors import ConfigError, UsageError

_SETTINGS = """\
# Settings of a Hayrick collector; every one has this default.
data = "{data}"
node = "case"

[api]
listen = "127.0.0.1:8005"     # the page and the API; anything but loopback needs a token
# token = ""                  # openssl rand -hex 24
# hosts = []                  # further names of this machine, when listening on loopback behind a proxy

[landing]
listen = "tcp://127.0.0.1:8006"   # where sensors dial; tcp://0.0.0.0:8006 for those on other machines
inbox = true                      # take PCAPs dropped into the data folder's inbox/

[archive]
compression = 1               # zstd level of what arrives uncompressed; 0: none
# key_file = ""               # encrypt stored packets: see `hayrick archive rotate-key`

[ingest]
# workers = 2
attempts = 3
stall_seconds = 300
keep_free_mb = 512

[store]
kind = "duckdb"

[retention]
days = 0                      # 0 keeps everything
"""


def add_parser(subparsers: Any) -> None:
    """Register the commands."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "collector", help="land, keep, index and serve", description="The collector: lands, keeps, indexes and serves."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    run_parser = commands.add_parser("run", help="serve until SIGTERM or Ctrl-C", description="Serve until stopped.")
    run_parser.add_argument("--listen", metavar="ADDRESS:PORT", help="the API's address (default: by the settings)")
    run_parser.add_argument("--landing", metavar="ENDPOINT", help="the sensors' address, such as tcp://0.0.0.0:8006")
    _add_common(run_parser)
    run_parser.set_defaults(run=run)
    init_parser = commands.add_parser(
        "init",
        help="make the data folder, keys and a settings file",
        description="Make the data folder, the collector's keys and, with --config, a settings file to edit.",
    )
    _add_common(init_parser)
    init_parser.set_defaults(run=init)
    drop.add_parser(commands)


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


def init(args: argparse.Namespace) -> int:
    """Make what is missing; what is there stays as it is."""
    from hayrick_collector.arrivals import collector_keys
    from hayrick_collector.config import load_config

    written = args.config is not None and not args.config.exists()
    if written:
        _write_settings(args.config, args.data)
    config = load_config(args.config, data=args.data)
    config.folder.create()
    (config.folder.keys / "sensors").mkdir(exist_ok=True)
    keys = collector_keys(config)
    print(f"data folder   {config.data}")
    print(f"public key    {keys.public}   (for sensors: {config.folder.keys / 'collector.public'})")
    print(f"allow-list    {config.folder.keys / 'sensors'}   (put each sensor's NAME.public here)")
    if args.config is not None:
        print(f"settings      {args.config}" + ("" if written else "   (was there already, not changed)"))
    return 0


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (TOML)")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="the data folder")


def _write_settings(path: Path, data: Path | None) -> None:
    from hayrick_collector.archive.paths import default_data
    from hayrick_common.files import make_folder, write_file

    folder = str((data or default_data()).absolute())
    if '"' in folder or "\\" in folder:
        raise ConfigError(f"{folder}: choose a data folder without quotes and backslashes in its name")
    make_folder(path.parent.absolute())
    write_file(path, _SETTINGS.format(data=folder).encode(), 0o640)
