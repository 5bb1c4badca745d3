"""`hayrick token`: API tokens for programs, each with a role and a time to end at."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from hayrick_collector.cli import text
from hayrick_collector.cli.user import action
from hayrick_collector.desk.people import GIVEN
from hayrick_collector.timespan import format_time

if TYPE_CHECKING:
    from hayrick_collector.client import HttpBackend


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "token",
        help="API tokens for programs",
        description="API tokens: programs send one as `Authorization: Bearer TOKEN`, `hayrick` by $HAYRICK_TOKEN.",
    )
    inner = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)
    add = action(inner, "add", "Make a token and print its secret, this once.", _add)
    add.add_argument("name", metavar="NAME", help="what it is for")
    add.add_argument("--role", choices=GIVEN, required=True)
    add.add_argument("--user", default="", metavar="USER", help="acts for this account, with no more than it may")
    add.add_argument("--days", type=float, default=90, metavar="DAYS", help="until it ends (default: %(default)s)")
    listed = action(inner, "list", "Show all tokens.", _list)
    listed.add_argument("--json", action="store_true", help="as JSON")
    remove = action(inner, "remove", "Revoke a token.", _remove)
    remove.add_argument("number", metavar="ID", type=int, help="as `hayrick token list` shows it")


async def _add(api: HttpBackend, args: argparse.Namespace) -> int:
    body = {"name": args.name, "role": args.role, "owner": args.user, "days": args.days}
    print((await api.call("POST", "/api/tokens", body))["secret"])
    return 0


async def _list(api: HttpBackend, args: argparse.Namespace) -> int:
    items = (await api.call("GET", "/api/tokens?all=true"))["items"]
    if args.json:
        print(json.dumps(items))
        return 0
    for each in items:
        owner = f" for {text.safe(each['owner'])}" if each["owner"] else ""
        used = f", last used {format_time(each['used_ms'])}" if each["used_ms"] else ", never used"
        until = format_time(each["until_ms"])
        print(f"{each['id']:5} {each['role']:8} {text.safe(each['name'])}{owner}, until {until}{used}")
    return 0


async def _remove(api: HttpBackend, args: argparse.Namespace) -> int:
    await api.call("DELETE", f"/api/tokens/{args.number}")
    return 0
