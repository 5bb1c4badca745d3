"""`hayrick user`: who may log in, and as what."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from hayrick_collector.cli import options, text
from hayrick_collector.cli.office import office
from hayrick_collector.desk.people import GIVEN
from hayrick_collector.timespan import format_time
from hayrick_common.errors import UsageError

if TYPE_CHECKING:
    from hayrick_collector.backend import Backend, Document
    from hayrick_collector.client import HttpBackend

Work = Callable[["HttpBackend", argparse.Namespace], Awaitable[int]]
_ROLES = "viewer searches, packets gets packets too, tagger changes tags, notes and cases, admin does everything"


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "user", help="who may log in, and as what", description=f"Accounts and their roles: {_ROLES}."
    )
    inner = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)
    listed = action(inner, "list", "Show all accounts.", _list)
    listed.add_argument("--json", action="store_true", help="as JSON")
    add = action(inner, "add", "Make an account; its password is asked for.", _add)
    add.add_argument("name", metavar="NAME")
    add.add_argument("--role", choices=GIVEN, required=True)
    add.add_argument("--no-password", action="store_true", help="for OpenID Connect, a proxy or tokens only")
    change = action(inner, "change", "Change an account; other logins of it end.", _change)
    change.add_argument("name", metavar="NAME")
    change.add_argument("--role", choices=GIVEN)
    change.add_argument("--password", action="store_true", help="ask for a new one")
    closing = change.add_mutually_exclusive_group()
    closing.add_argument("--disable", action="store_true", help="let nobody in by it, its tokens neither")
    closing.add_argument("--enable", action="store_true", help="open it again")
    for each in (add, change):
        each.add_argument(
            "--expression", metavar="EXPR", help="only these sessions are shown to the user, whatever asked"
        )
        each.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    remove = action(inner, "remove", "Remove an account with its tokens.", _remove)
    remove.add_argument("name", metavar="NAME")


def run(args: argparse.Namespace) -> int:
    """Do it."""
    work: Work = args.work

    async def inside(backend: Backend) -> int:
        async with office(backend) as api:
            return await work(api, args)

    return options.run_backend(args, inside)


def action(inner: Any, name: str, about: str, work: Work) -> argparse.ArgumentParser:
    """One action of a command that asks the API: what it does, and where."""
    parser: argparse.ArgumentParser = inner.add_parser(
        name, help=about.rstrip("."), description=about, epilog=options.EPILOG_WHERE
    )
    options.add_where(parser)
    parser.set_defaults(run=run, work=work, expression="")
    return parser


async def _list(api: HttpBackend, args: argparse.Namespace) -> int:
    items = (await api.call("GET", "/api/users"))["items"]
    if args.json:
        print(json.dumps(items))
        return 0
    for user in items:
        print(_line(user))
    if not items:
        print("no accounts: whoever reaches the collector on loopback is its administrator")
    return 0


def _line(user: Document) -> str:
    limits = f", only: {text.safe(user['expression'])}" if user["expression"] else ""
    how = (
        "password"
        if user["password"]
        else {"oidc": "OpenID Connect", "proxy": "proxy"}.get(user["made_by"], "no password")
    )
    seen = f", last here {format_time(user['seen_ms'])}" if user["seen_ms"] else ""
    return (
        f"{text.safe(user['name']):20} {user['role']:8} {how}{', DISABLED' if user['disabled'] else ''}{seen}{limits}"
    )


async def _add(api: HttpBackend, args: argparse.Namespace) -> int:
    password = None if args.no_password else _password(args)
    body = {"name": args.name, "role": args.role, "expression": args.expression or "", "password": password}
    print(_line(await api.call("POST", "/api/users", body)))
    return 0


async def _change(api: HttpBackend, args: argparse.Namespace) -> int:
    disabled = True if args.disable else False if args.enable else None
    password = _password(args) if args.password or args.password_stdin else None
    body = {"role": args.role, "expression": args.expression, "disabled": disabled, "password": password}
    print(_line(await api.call("PATCH", f"/api/users/{args.name}", body)))
    return 0


async def _remove(api: HttpBackend, args: argparse.Namespace) -> int:
    await api.call("DELETE", f"/api/users/{args.name}")
    return 0


def _password(args: argparse.Namespace) -> str:
    if args.password_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        raise UsageError("no terminal to ask for the password: give --password-stdin")
    first = getpass.getpass(f"Password of {args.name}: ")
    if first != getpass.getpass("Once more: "):
        raise UsageError("these were two different passwords")
    return first
