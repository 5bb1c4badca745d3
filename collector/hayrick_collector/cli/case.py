"""`hayrick case`: cases, from opening one to the zip with everything in it."""

from __future__ import annotations

import argparse
import json
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hayrick_collector.cli import options, text
from hayrick_collector.cli.office import case_zip
from hayrick_collector.cli.user import action
from hayrick_collector.timespan import format_time
from hayrick_common.errors import UsageError
from hayrick_common.files import hidden_writer

if TYPE_CHECKING:
    from hayrick_collector.backend import Backend
    from hayrick_collector.client import HttpBackend


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "case",
        help="gather sessions into cases and hand them out",
        description="A case is a tag with a title, members, and the hashes of all that its sessions came from.",
    )
    inner = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)
    action(inner, "list", "Show all cases.", _list)
    new = action(inner, "new", "Open a case.", _new)
    new.add_argument("name", metavar="NAME", help="also the tag of its sessions")
    new.add_argument("--title", default="")
    new.add_argument("--description", default="")
    new.add_argument("--member", action="append", default=[], metavar="USER", help="may change it too; repeatable")
    add = action(inner, "add", "Take all sessions that match into a case.", _add)
    add.add_argument("name", metavar="NAME")
    options.add_sessions(add)
    show = action(inner, "show", "Show a case and the SHA-256 of each of its sources.", _show)
    show.add_argument("--json", action="store_true", help="as JSON")
    export = action(inner, "export", "Write a case as a zip: sessions, packets, notes, sources, hashes.", _show)
    export.add_argument("-o", "--output", required=True, type=Path, metavar="FILE", help="NAME.zip")
    export.set_defaults(run=run_export)
    close = action(inner, "close", "Close a case.", _state)
    reopen = action(inner, "reopen", "Open a closed case again.", _state)
    remove = action(inner, "remove", "Forget a case; its sessions keep the tag.", _remove)
    for each, state in ((close, "closed"), (reopen, "open")):
        each.set_defaults(state=state)
    for each in (show, export, close, reopen, remove):
        each.add_argument("name", metavar="NAME")


def run_export(args: argparse.Namespace) -> int:
    """Write the zip whole or not at all."""
    return options.run_backend(args, lambda backend: _export(backend, args))


async def _list(api: HttpBackend, args: argparse.Namespace) -> int:
    for case in (await api.call("GET", "/api/cases"))["items"]:
        closed = " (closed)" if case["state"] == "closed" else ""
        print(f"{text.safe(case['name'])}{closed}  {text.safe(case['title'])}  of {text.safe(case['owner'])}")
    return 0


async def _new(api: HttpBackend, args: argparse.Namespace) -> int:
    body = {"name": args.name, "title": args.title, "description": args.description, "members": args.member}
    await api.call("POST", "/api/cases", body)
    return 0


async def _add(api: HttpBackend, args: argparse.Namespace) -> int:
    from hayrick_collector.client import body_of

    search = options.search_of(args)
    if not search.expression.strip() and search.start_ms is None and search.stop_ms is None:
        raise UsageError("an empty expression would take in everything: say which sessions")
    count = (await api.call("POST", f"/api/cases/{args.name}/sessions", body_of(search)))["sessions"]
    print(f"{count} session{'' if count == 1 else 's'}: +{args.name}")
    return 0


async def _show(api: HttpBackend, args: argparse.Namespace) -> int:
    found = await api.call("GET", f"/api/cases/{args.name}")
    if args.json:
        print(json.dumps(found))
        return 0
    case = found["case"]
    print(f"{text.safe(case['name'])}: {text.safe(case['title'])} ({case['state']}, of {text.safe(case['owner'])})")
    for line in case["description"].splitlines():
        print(f"  {text.safe(line)}")
    print(f"{found['sessions']} sessions, of {len(found['sources'])} sources:")
    for each in found["sources"]:
        print(f"  {each['sha256']}  {text.safe(each['name'] or each['chunk'])}  {format_time(each['landed_ms'])}")
    return 0


async def _state(api: HttpBackend, args: argparse.Namespace) -> int:
    await api.call("PATCH", f"/api/cases/{args.name}", {"state": args.state})
    return 0


async def _remove(api: HttpBackend, args: argparse.Namespace) -> int:
    await api.call("DELETE", f"/api/cases/{args.name}")
    return 0


async def _export(backend: Backend, args: argparse.Namespace) -> int:
    pieces = await case_zip(backend, args.name)
    written = 0
    async with aclosing(pieces):
        with hidden_writer(args.output) as file:
            async for piece in pieces:
                file.write(piece)
                written += len(piece)
    print(f"{text.size(written)} in {args.output}")
    return 0
