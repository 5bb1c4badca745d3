"""`hayrick archive`: how packets are stored, whether they are still what landed, and the keys they are sealed with."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hayrick_collector.cli import options
from hayrick_common.errors import ConfigError

if TYPE_CHECKING:
    from hayrick_collector.archive.rewrap import Walked
    from hayrick_collector.config import CollectorConfig

_ABOUT = {
    "status": "Count the stored files by form and key; exit code 1 when one cannot be opened.",
    "check": "Read all stored files and compare them with the hashes they landed under; exit code 1 when one differs.",
    "rotate-key": "Add a new key to the key file of the settings, made if it is not there; what is stored from now on"
    " is sealed with it. Older files need their older keys until they are rewrapped.",
    "rewrap": "Bring all stored files into the form that the settings want; where they want a key, under the newest."
    " The collector may run meanwhile. Killed anywhere it can be run again.",
}


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "archive", help="check stored packets, rotate their keys", description="Look after the stored packets."
    )
    inner = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)
    for name, work in (("status", _status), ("check", _check), ("rotate-key", _rotate), ("rewrap", _rewrap)):
        action = inner.add_parser(name, help=_ABOUT[name].partition(";")[0].rstrip("."), description=_ABOUT[name])
        options.add_folder(action)
        if name == "rotate-key":
            action.add_argument("--rewrap", action="store_true", help="seal all stored files with it at once")
        action.set_defaults(run=run, work=work)


def run(args: argparse.Namespace) -> int:
    """Do it with the settings that are meant."""
    from hayrick_collector.config import load_config

    work: Callable[[argparse.Namespace, CollectorConfig], int] = args.work
    return work(args, load_config(args.config, data=args.data))


def _status(args: argparse.Namespace, config: CollectorConfig) -> int:
    from hayrick_collector.archive.rewrap import survey

    return _told(_walk(config, survey), config)


def _check(args: argparse.Namespace, config: CollectorConfig) -> int:
    from hayrick_collector.archive.rewrap import survey

    return _told(_walk(config, lambda config, catalog: survey(config, catalog, thorough=True)), config)


def _rotate(args: argparse.Namespace, config: CollectorConfig) -> int:
    from hayrick_collector.archive.keyring import add_key

    if not config.archive.key_file:
        raise ConfigError("archive.key_file names no file to keep keys in: set it, keep a copy of that file elsewhere")
    path = Path(config.archive.key_file).expanduser()
    print(f"new key {add_key(path)} in {path}: keep a copy elsewhere, without it the packets are lost", flush=True)
    return _rewrap(args, config) if args.rewrap else 0


def _rewrap(args: argparse.Namespace, config: CollectorConfig) -> int:
    from hayrick_collector.archive.rewrap import rewrap

    walked = _walk(config, rewrap)
    print(f"{walked.changed} files brought into another form")
    return _told(walked, config)


def _walk(config: CollectorConfig, work: Callable[..., Walked]) -> Walked:
    from hayrick_collector.catalog import Catalog

    config.folder.create()
    catalog = Catalog(config.folder.catalog)
    try:
        return work(config, catalog)
    finally:
        catalog.close()


def _told(walked: Walked, config: CollectorConfig) -> int:
    for kind, count in sorted(walked.files.items()):
        print(f"{kind}: {count} files")
    print(f"in all: {walked.stored:,} bytes for {walked.plain:,} that landed; {walked.gone} files are gone")
    if config.archive.keys:
        for name in config.archive.keys.names()[:-1]:
            if f"sealed with {name}" not in walked.files and not walked.troubles:
                print(f"no file needs the key {name} any more: its line may be removed from {config.archive.key_file}")
    for line in walked.troubles:
        print(f"hayrick: {line}", file=sys.stderr)
    return 1 if walked.troubles else 0
