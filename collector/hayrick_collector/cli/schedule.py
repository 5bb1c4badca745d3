"""`hayrick schedule`: queries that a collector asks again and again of what is new."""

from __future__ import annotations

import argparse
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from hayrick_collector.cli import options, text
from hayrick_collector.schedules.action import Action
from hayrick_collector.tags import check_tags
from hayrick_collector.timespan import parse_duration
from hayrick_common.errors import UsageError

if TYPE_CHECKING:
    from hayrick_collector.backend import Backend, Document, Search

_ABOUT = {
    "add": "Have a running collector ask a query of the sessions that are new since the last time, and tag them, tell a"
    " webhook, or export them.",
    "list": "Show all schedules, what they found and what went wrong.",
    "remove": "Forget a schedule. What it tagged and exported stays.",
    "run": "Run a schedule now, and wait for it.",
}


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "schedule", help="ask again and again of what is new", description="Look after scheduled queries."
    )
    inner = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)
    for name, about in _ABOUT.items():
        action = inner.add_parser(
            name, help=about.partition(".")[0], description=about, epilog=options.EPILOG_WHERE
        )  # fmt: skip
        if name != "list":
            action.add_argument("name", metavar="NAME", help="the schedule's name")
        if name == "add":
            _arguments(action)
        if name == "list":
            action.add_argument("--json", action="store_true", help="as JSON")
        options.add_where(action)
        action.set_defaults(run=run, work=_WORK[name], expression="")


def run(args: argparse.Namespace) -> int:
    """Do it."""
    work: Callable[[Backend, argparse.Namespace], Awaitable[int]] = args.work
    return options.run_backend(args, lambda backend: work(backend, args))


def _arguments(action: argparse.ArgumentParser) -> None:
    action.add_argument("expression", metavar="EXPR", nargs="?", default="", help="such as 'host.dns == *.example'")
    action.add_argument("--zone", default="", metavar="ZONE", help="of times in EXPR that name none")
    action.add_argument("--every", default="1h", metavar="DURATION", help="between two runs, such as 10m, 1h (default)")
    action.add_argument("--stored", action="store_true", help="at first, go through all that is stored")
    what = action.add_argument_group("what to do with what is found (one or more)")
    what.add_argument("--tag", action="append", default=[], metavar="TAG", help="give it this tag")
    what.add_argument("--webhook", default="", metavar="URL", help="tell this address (the settings must allow it)")
    what.add_argument("--export", default="", choices=("ndjson", "pcapng"), help="write it into the exports' folder")


async def _add(backend: Backend, args: argparse.Namespace) -> int:
    try:
        every_s = parse_duration(args.every) // 1000
    except ValueError as error:
        raise UsageError(f"--every: {error}") from None
    action = Action(check_tags(args.tag), args.webhook, args.export)
    made = await backend.add_schedule(args.name, _search(args), every_s, action, stored=args.stored)
    print(line(made))
    return 0


async def _list(backend: Backend, args: argparse.Namespace) -> int:
    found = await backend.schedules()
    print(json.dumps(found) if args.json else "\n".join(map(line, found)) or "no schedules")
    return 0


async def _remove(backend: Backend, args: argparse.Namespace) -> int:
    await backend.remove_schedule(args.name)
    return 0


async def _run(backend: Backend, args: argparse.Namespace) -> int:
    done = await backend.run_schedule(args.name)
    print(line(done))
    return 1 if done["error"] else 0


def line(schedule: Document) -> str:
    """One schedule in one line."""
    action = schedule["action"]
    does = [f"+{tag}" for tag in action["tags"]]
    does += [word for word in (action["webhook"], action["export"]) if word]
    told = f"{schedule['runs']} runs, {schedule['found']} sessions found"
    error = f"; the last run went wrong: {text.safe(schedule['error'])}" if schedule["error"] else ""
    asked = text.safe(schedule["expression"]) or "all sessions"
    return f"{schedule['name']}: every {schedule['every_s']} s: {asked}: {', '.join(does)}; {told}{error}"


def _search(args: argparse.Namespace) -> Search:
    from hayrick_collector.backend import Search

    return Search(args.expression, zone=args.zone)


_WORK = {"add": _add, "list": _list, "remove": _remove, "run": _run}
