"""`hayrick hunt`: search inside the packets of found sessions, as a job that goes on by itself."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hayrick_collector.cli import options, text
from hayrick_collector.hunts.spec import KINDS, SIDES, Spec

if TYPE_CHECKING:
    from hayrick_collector.backend import Backend, Document

_ABOUT = {
    "add": "Begin a hunt and follow it. Found sessions get the tag hunt:NAME. Where no collector runs on the folder,"
    " this command does the work itself.",
    "list": "Show all hunts and how far each came.",
    "show": "Show one hunt in full, and what of it could not be read.",
    "pause": "Let a hunt stop after what it has in hand.",
    "resume": "Let a paused or failed hunt go on where it stopped.",
    "remove": "Forget a hunt. The tags it gave stay.",
}
_HELP = {
    "text": "this text, in capitals or not", "hex": "these bytes, such as 'de ad be ef'",
    "regex": "this regular expression (RE2) over bytes", "bpf": "packets that this capture filter takes",
    "yara": "the YARA rules in this file",
}  # fmt: skip
FOLLOW_SECONDS = 0.5


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "hunt", help="search inside the packets of found sessions", description="Search inside packets."
    )
    inner = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)
    for name, about in _ABOUT.items():
        action = inner.add_parser(
            name, help=about.partition(".")[0], description=about, epilog=options.EPILOG_WHERE
        )  # fmt: skip
        if name != "list":
            action.add_argument("name", metavar="NAME", help="the hunt's name")
        _arguments(name, action)
        options.add_where(action)
        action.set_defaults(run=run, work=_WORK[name], action=name, expression="")


def run(args: argparse.Namespace) -> int:
    """Do it."""
    work: Callable[[Backend, argparse.Namespace], Awaitable[int]] = args.work
    return options.run_backend(args, lambda backend: work(backend, args))


def _arguments(name: str, action: argparse.ArgumentParser) -> None:
    if name == "add":
        options.add_sessions(action)
        what = action.add_argument_group("what to look for (one of these)").add_mutually_exclusive_group(required=True)
        for kind in KINDS:
            what.add_argument(f"--{kind}", metavar="FILE" if kind == "yara" else kind.upper(), help=_HELP[kind])
        where = action.add_argument_group("where")
        where.add_argument("--case", action="store_true", help="tell capitals apart")
        where.add_argument("--raw", action="store_true", help="in each packet with its headers, not in joined streams")
        where.add_argument("--side", choices=SIDES, default="both", help="in what both, the client or the server sent")
    if name in ("add", "resume"):
        action.add_argument("--no-wait", action="store_true", help="leave it to the running collector")
    if name in ("list", "show"):
        action.add_argument("--json", action="store_true", help="as JSON")


async def _add(backend: Backend, args: argparse.Namespace) -> int:
    await backend.add_hunt(args.name, options.search_of(args), _spec(args))
    return await _follow(backend, args)


async def _resume(backend: Backend, args: argparse.Namespace) -> int:
    await backend.change_hunt(args.name, "resume")
    return await _follow(backend, args)


async def _change(backend: Backend, args: argparse.Namespace) -> int:
    await backend.change_hunt(args.name, args.action)
    return 0


async def _list(backend: Backend, args: argparse.Namespace) -> int:
    found = await backend.hunts()
    print(json.dumps(found) if args.json else "\n".join(map(line, found)) or "no hunts")
    return 0


async def _show(backend: Backend, args: argparse.Namespace) -> int:
    hunt = await backend.hunt(args.name)
    if args.json:
        print(json.dumps(hunt))
        return 0
    print(line(hunt))
    spec = hunt["spec"]
    raw = "packets" if spec["raw"] or spec["kind"] == "bpf" else "streams"
    print(f"  {spec['kind']} {text.safe(spec['pattern'][:200])!r} in {raw}, side: {spec['side']}")
    print(f"  of the sessions: {text.safe(hunt['expression']) or 'all'}")
    for reason, packets in hunt["unread"].items():
        print(f"  {packets} packets were not searched: {text.safe(reason)}")
    return 0


async def _follow(backend: Backend, args: argparse.Namespace) -> int:
    """Wait until the hunt ends, working on it where nobody else does; 1 when it failed."""
    if args.no_wait:
        return 0
    working = asyncio.create_task(backend.work_on_hunt(args.name))
    try:
        while (hunt := await backend.hunt(args.name))["state"] == "running":
            _progress(hunt)
            await asyncio.sleep(FOLLOW_SECONDS)
            if working.done():
                working.result()
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    print(line(hunt))
    for reason, packets in hunt["unread"].items():
        print(f"hayrick: {packets} packets were not searched: {text.safe(reason)}", file=sys.stderr)
    return 1 if hunt["state"] == "failed" else 0


def line(hunt: Document) -> str:
    """One hunt in one line."""
    total = "?" if hunt["total"] is None else hunt["total"]
    told = f"{hunt['found']} found in {hunt['sessions']} of {total} sessions, {text.size(hunt['bytes'])} read"
    error = f": {text.safe(hunt['error'])}" if hunt["error"] else ""
    return f"{hunt['name']}: {hunt['state']}{error}; {told}; search with tags == hunt:{hunt['name']}"


def _spec(args: argparse.Namespace) -> Spec:
    kind, pattern = next((kind, getattr(args, kind)) for kind in KINDS if getattr(args, kind) is not None)
    if kind == "yara":
        pattern = Path(pattern).read_text()
    return Spec(kind, pattern, args.case, args.raw, args.side)


def _progress(hunt: Document) -> None:
    if sys.stderr.isatty():
        print(f"\r{line(hunt)}", end="", file=sys.stderr, flush=True)


_WORK = {"add": _add, "list": _list, "show": _show, "pause": _change, "resume": _resume, "remove": _change}
