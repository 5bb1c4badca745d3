"""`hayrick collector init`: from a few answers to a collector that can be started: settings, folders, keys, service.

What is there stays as it is, so that it can be run again; options that contradict the settings are refused.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hayrick_collector.cli import service
from hayrick_common.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from hayrick_collector.config import CollectorConfig

_SETTINGS = """\
# Settings of a Hayrick collector, by `hayrick collector init`; docs/OPERATIONS.md lists all.
data = {data}
node = {node}

[api]
listen = {api.listen}
# certificate = ""            # PEM files, for TLS; who reaches anything but loopback must log in
# key = ""

[landing]
listen = {landing.listen}

[archive]
compression = 1               # zstd level of what arrives uncompressed; 0: none
# key_file = ""               # encrypt stored packets: see `hayrick archive rotate-key`

[store]
kind = {store.kind}
urls = {store.urls}

[retention]
days = {retention.days}
packet_gigabytes = {retention.packet_gigabytes}
"""


class Question(NamedTuple):
    """An answer that is needed: its option, the setting it becomes, and what is asked."""

    option: str
    metavar: str
    key: str
    text: str
    default: str


QUESTIONS = (
    Question("data", "FOLDER", "data", "the data folder", ""),
    Question("node", "NAME", "node", "name of this collector in documents and in the archive", "case"),
    Question("landing", "ENDPOINT", "landing.listen", "where sensors dial; tcp://0.0.0.0:8006 for those on"
        " other machines", "tcp://127.0.0.1:8006"),
    Question("listen", "ADDRESS:PORT", "api.listen", "where the page and the API are served", "127.0.0.1:8005"),
    Question("elasticsearch", "URL,URL", "store.urls", "addresses of an Elasticsearch cluster for the sessions; empty:"
             " the embedded store", ""),
    Question("days", "NUMBER", "retention.days", "days that sessions and packets are kept; 0: always", "0"),
    Question("gigabytes", "NUMBER", "retention.packet_gigabytes", "gigabytes of packets kept, the oldest go first; 0:"
             " no limit", "0"),
)  # fmt: skip


def add_parser(commands: Any) -> None:
    """Register the command under `hayrick collector`."""
    about = (
        "Make the data folder, the collector's keys and, with --config, a settings file; on a terminal what no option"
        " says is asked for. With --service, as root, also its user and systemd unit. Once more changes nothing."
    )
    parser: argparse.ArgumentParser = commands.add_parser(
        "init", help="make the data folder, keys, a settings file and a service", description=about
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (TOML), written if it is not there")
    for each in QUESTIONS:
        parser.add_argument(f"--{each.option}", metavar=each.metavar, help=each.text)
    parser.add_argument("--user", metavar="USER", help="who is to own folder and keys (with --service: hayrick)")
    parser.add_argument("--service", action="store_true", help=f"make the user and write {service.PATH}")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make what is missing, then say what is where and what comes next."""
    if args.service and args.config is None:
        raise UsageError("--service needs --config FILE: the service must know its settings")
    user = args.user or (service.USER if args.service else "")
    owner = service.owner(user, make=args.service) if user else None
    written = args.config is not None and not args.config.exists()
    config = _written(args, owner) if written else _found(args)
    keys = _folders(config, owner)
    print(f"data folder   {config.data}")
    print(f"public key    {keys}   (for sensors: {config.folder.keys / 'collector.public'})")
    print(f"allow-list    {config.folder.keys / 'sensors'}   (put each sensor's NAME.public here)")
    if args.config is not None:
        print(f"settings      {args.config}" + ("" if written else "   (was there already, not changed)"))
    if args.service:
        new = service.write(args.config.absolute(), config, user)
        print(f"service       {service.PATH}" + ("" if new else "   (as it was)"))
        print(f"start it      systemctl daemon-reload && systemctl enable --now {service.NAME}")
    return 0


def _written(args: argparse.Namespace, owner: service.Owner | None) -> CollectorConfig:
    """Write the settings from the answers, once they are seen to be good."""
    from hayrick_collector.config import CollectorConfig, load_config
    from hayrick_common.config import parse_settings
    from hayrick_common.files import make_folder, write_file

    text = settings(_answers(args))
    parse_settings(text, CollectorConfig, "the answers")
    make_folder(args.config.parent.absolute(), 0o755)
    write_file(args.config, text.encode(), 0o640)
    if owner is not None:
        os.chown(args.config, 0, owner.gid)
    return load_config(args.config)


def settings(answers: Mapping[str, str]) -> str:
    """The settings file that says what was answered, by the settings' keys."""
    urls = answers["store.urls"].replace(",", " ").split()
    values: dict[str, Any] = {**answers, "store.urls": urls, "store.kind": "elasticsearch" if urls else "duckdb"}
    text = _SETTINGS
    for key, value in values.items():
        number = key.startswith("retention.")
        text = text.replace("{" + key + "}", value if number else json.dumps(value, ensure_ascii=False))
    return text


def _answers(args: argparse.Namespace) -> dict[str, str]:
    from hayrick_collector.archive.paths import default_data

    answers = {}
    for each in QUESTIONS:
        default = each.default or (str(default_data()) if each.key == "data" else "")
        said = getattr(args, each.option)
        answers[each.key] = (_asked(each.text, default) if said is None else said).strip()
    answers["data"] = str(Path(answers["data"]).expanduser().absolute())
    return answers


def _asked(text: str, default: str) -> str:
    """Ask whoever sits there; scripts get the default."""
    if not sys.stdin.isatty():
        return default
    return input(f"{text} [{default}]: ").strip() or default


def _found(args: argparse.Namespace) -> CollectorConfig:
    """The settings that are there; ConfigError where an option says something else."""
    from hayrick_collector.config import load_config

    config = load_config(args.config, data=Path(args.data) if args.data and args.config is None else None)
    for each in QUESTIONS:
        said = getattr(args, each.option)
        found: Any = reduce(getattr, each.key.split("."), config)
        known = ",".join(found) if isinstance(found, tuple) else str(found)
        if said is not None and args.config is not None and said != known:
            raise ConfigError(f"{args.config}: {each.key} is {known!r} already, --{each.option} says {said!r}: edit it")
    return config


def _folders(config: CollectorConfig, owner: service.Owner | None) -> str:
    """Make folders and keys; give them to `owner`. The public key."""
    from hayrick_collector.arrivals import collector_keys

    folder = config.folder
    folder.create()
    (folder.keys / "sensors").mkdir(exist_ok=True)
    keys = collector_keys(config)
    if owner is not None:
        ours = (folder.root, folder.incoming, folder.archive, folder.inbox, folder.store, folder.keys)
        for path in (*ours, *folder.keys.rglob("*")):
            os.chown(path, owner.uid, owner.gid)
    return keys.public
