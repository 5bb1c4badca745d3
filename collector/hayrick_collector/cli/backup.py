"""`hayrick collector backup|restore`: everything but packets, into one file and back."""

from __future__ import annotations

import argparse
import json
import os
import re
from pathlib import Path
from typing import Any

from hayrick_collector.cli import options
from hayrick_common.errors import UsageError


def add_parser(commands: Any) -> None:
    """Register the commands under `hayrick collector`."""
    about = (
        "Write catalog, accounts, cases and all that people made, keys, settings and tags into one file, while the"
        " collector works. Packets are not in it; sessions of the embedded store are with --store."
    )
    backup: argparse.ArgumentParser = commands.add_parser("backup", help="everything but packets", description=about)
    backup.add_argument("file", type=Path, metavar="FILE", help="the backup, such as rick.tar; readable by you alone")
    backup.add_argument("--store", action="store_true", help="the embedded store's sessions too")
    backup.set_defaults(run=write)
    about = (
        "Make a collector of a backup: its data folder and, if they are not there, its settings. Sessions that are not"
        " in it are indexed anew, from packets that lie in the folder's archive/."
    )
    restore: argparse.ArgumentParser = commands.add_parser("restore", help="a backup's collector", description=about)
    restore.add_argument("file", type=Path, metavar="FILE", help="the backup")
    restore.set_defaults(run=read)
    for parser in (backup, restore):
        options.add_folder(parser)


def write(args: argparse.Namespace) -> int:
    """Write a backup; say what is not in it."""
    from hayrick_collector import backup
    from hayrick_collector.config import config_path, load_config

    config = load_config(args.config, data=args.data)
    settings = config_path(args.config, named_data=args.data is not None)
    if args.store and config.store.kind != "duckdb":
        raise UsageError("--store: sessions are in the cluster, which makes snapshots of its own")
    manifest = backup.write(config, args.file, settings=settings, with_store=args.store)
    print(f"{args.file}: {len(manifest['files'])} files, {args.file.stat().st_size:,} bytes")
    if not args.store:
        place = "the cluster" if config.store.shared else "the embedded store (--store takes them along)"
        print(f"not in it: packets (archive/), sessions in {place}")
    for each in backup.outside(config):
        print(f"not in it: {each}")
    return 0


def read(args: argparse.Namespace) -> int:
    """Restore a backup."""
    from hayrick_collector import backup
    from hayrick_collector.config import load_config
    from hayrick_common.files import make_folder, write_file

    known = args.config is not None and args.config.exists()
    data = args.data or (load_config(args.config).data if known else None)
    if data is None:
        raise UsageError("name the data folder to be made by --data")
    restored, settings = backup.restore(args.file, data.absolute())
    print(f"data folder   {data}")
    if args.config is not None and not known and settings:
        make_folder(args.config.parent.absolute(), 0o755)
        write_file(args.config, _moved(settings, data.absolute()), 0o640)
        print(f"settings      {args.config}")
    if restored.again:
        print(f"{restored.again} chunks will be indexed anew, once the collector runs")
    if restored.lost:
        print(f"{restored.lost} chunks have neither sessions nor packets here")
    if os.geteuid() == 0:
        print(f"it belongs to root: chown -R USER: {data} for a collector that runs as USER")
    return 0


def _moved(settings: bytes, data: Path) -> bytes:
    """The settings with the data folder that there is now: their first line that names one."""
    line = f"data = {json.dumps(str(data), ensure_ascii=False)}"
    text, found = re.subn(r"(?m)^data\s*=.*$", lambda _: line, settings.decode(), count=1)
    return (text if found else f"{line}\n{text}").encode()
