"""The `hayrick` command: a table of subcommands, each imported only when it is asked for."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from hayrick_common import __version__
from hayrick_common.errors import HayrickError, MissingExtraError

INTERRUPTED = 130
BROKEN_PIPE = 141


@dataclass(frozen=True)
class Command:
    """A subcommand: the module offers `add_parser(subparsers)`, which sets `run(args) -> int` as its default."""

    module: str
    help: str
    extra: str


COMMANDS = {
    "sensor": Command("hayrick_sensor.cli", "capture, keep and ship chunks on a sniffing host", ""),
    "collector": Command("hayrick_collector.cli.collector", "land, keep, index and serve", "collector"),
    "ingest": Command("hayrick_collector.cli.ingest", "index capture files under a case tag", "collector"),
    "search": Command("hayrick_collector.cli.search", "find sessions", "collector"),
    "export": Command("hayrick_collector.cli.export", "write the packets of found sessions", "collector"),
    "sql": Command("hayrick_collector.cli.sql", "ask the embedded store in SQL", "collector"),
    "decode": Command("hayrick_collector.cli.decode", "print a capture's sessions as JSON, a line each", "collector"),
    "hunt": Command("hayrick_collector.cli.hunt", "search inside the packets of found sessions", "collector"),
    "schedule": Command("hayrick_collector.cli.schedule", "ask again and again of what is new", "collector"),
    "tag": Command("hayrick_collector.cli.tag", "add or remove tags on found sessions", "collector"),
    "case": Command("hayrick_collector.cli.case", "gather sessions into cases and hand them out", "collector"),
    "user": Command("hayrick_collector.cli.user", "who may log in, and as what", "collector"),
    "token": Command("hayrick_collector.cli.token", "API tokens for programs", "collector"),
    "store": Command("hayrick_collector.cli.store", "prepare, check and move the store of sessions", "collector"),
    "archive": Command("hayrick_collector.cli.archive", "check stored packets, rotate their keys", "collector"),
    "coverage": Command(
        "hayrick_collector.cli.coverage", "show which times were seen, and what is missing", "collector"
    ),
    "fleet": Command("hayrick_deploy.cli", "install and keep sensors over SSH, without cron", "deploy"),
    "doctor": Command("hayrick_common.doctor", "find what is wrong here, and say what to do", ""),
    "status": Command("hayrick_collector.cli.status", "show sensors, chunks, gaps and queues", "collector"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code, with one clear line on stderr where it failed."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        chosen = _chosen(arguments)
        args = build_parser(chosen).parse_args(arguments)
        with _extra_of(COMMANDS[chosen or ""]):
            code = int(args.run(args))
        sys.stdout.flush()
        return code
    except HayrickError as error:
        print(f"hayrick: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def build_parser(chosen: str | None) -> argparse.ArgumentParser:
    """Parser of every command by name and help line, and of `chosen` in full."""
    parser = argparse.ArgumentParser(prog="hayrick", description="Distributed full packet capture and search.")
    parser.add_argument("--version", action="version", version=f"hayrick {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        if name == chosen:
            _load(command).add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=command.help, add_help=False)
    return parser


def _chosen(arguments: Sequence[str]) -> str | None:
    first = next((each for each in arguments if not each.startswith("-")), None)
    return first if first in COMMANDS else None


def _load(command: Command) -> types.ModuleType:
    with _extra_of(command):
        return importlib.import_module(command.module)


@contextmanager
def _extra_of(command: Command) -> Iterator[None]:
    """A package that is missing is one of the command's extra: say how to install that."""
    try:
        yield
    except ModuleNotFoundError as error:
        if not command.extra or (error.name or "").startswith("hayrick_common"):
            raise
        raise MissingExtraError(command.extra, error.name or command.module) from error
