"""`hayrick fleet plan|up|upgrade|status|logs|restart|rotate|revoke|run|down`."""

from __future__ import annotations

import argparse
import getpass
import sys
import threading
from pathlib import Path
from typing import Any

from hayrick_common.errors import UsageError
from hayrick_deploy.facts import SERVICE
from hayrick_deploy.fleet import Fleet, Outcome
from hayrick_deploy.inventory import Host, load_inventory

ACTIONS = {
    "plan": "show what `up` would change, and change nothing",
    "up": "install, enrol, configure and start sensors, as the inventory says",
    "upgrade": "bring installed sensors to the release at hand, one after another, each behind a health gate",
    "status": "show each host's release, sensor, backlog and drops",
    "logs": "show the sensors' last words",
    "restart": "restart sensors",
    "rotate": "give hosts new keys, in place of those that the collector allows",
    "revoke": "shut hosts out: take their keys off the collector's allow-list",
    "run": "run a command on hosts: -- COMMAND",
    "down": "stop and remove sensors; their data stays, unless --purge",
}


def add_parser(subparsers: Any) -> None:
    """Register the command and its actions."""
    parser = subparsers.add_parser("fleet", help="install and keep sensors over SSH")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, text in ACTIONS.items():
        action = actions.add_parser(name, help=text, description=text)
        action.add_argument("hosts", nargs="*", help="hosts or groups of the inventory (default: all)")
        action.add_argument("--inventory", "-i", type=Path, default=Path("fleet.yaml"), help="default fleet.yaml")
        action.add_argument("--wheelhouse", type=Path, default=Path("dist/wheelhouse"), help="wheels for the hosts")
        action.add_argument("--ask-sudo-password", action="store_true", help="ask for the password that sudo wants")
        action.set_defaults(run=RUN[name])
        if name == "down":
            action.add_argument("--purge", action="store_true", help="delete chunks, journal, keys and settings too")
        if name in ("down", "revoke", "rotate"):
            action.add_argument("--yes", action="store_true", help="do not ask")
        if name == "logs":
            action.add_argument("--lines", "-n", type=int, default=20, help="of each host (default 20)")
        if name == "run":
            action.add_argument("--command", "-c", required=True, help="the shell command")
            action.add_argument("--root", action="store_true", help="as root")


def _opened(args: argparse.Namespace) -> tuple[Fleet, list[Host]]:
    inventory = load_inventory(args.inventory)
    hosts = inventory.chosen(args.hosts)
    password = getpass.getpass("password for sudo: ") if args.ask_sudo_password else ""
    lock = threading.Lock()
    width = max((len(each.name) for each in hosts), default=0)

    def say(host: str, words: str) -> None:
        with lock:
            print(f"{host:<{width}}  {words}", flush=True)

    return Fleet(inventory, args.wheelhouse, say, password), hosts


def _plan(args: argparse.Namespace) -> int:
    fleet, hosts = _opened(args)
    outcomes = fleet.plan(hosts)
    for each in outcomes:
        print(each.host.name)
        for words in _obstacles(each):
            print(f"  {words}")
        for operation in each.plan.operations:
            print(f"  {operation.name:<9} {operation.words}")
        if each.well and not each.plan.operations:
            print("  nothing to do")
    return _code(outcomes)


def _up(args: argparse.Namespace) -> int:
    fleet, hosts = _opened(args)
    return _told(fleet.up(hosts))


def _upgrade(args: argparse.Namespace) -> int:
    fleet, hosts = _opened(args)
    return _told(fleet.up(hosts, only_installed=True))


def _status(args: argparse.Namespace) -> int:
    fleet, hosts = _opened(args)
    outcomes = fleet.look(hosts)
    rows: list[tuple[str, ...]] = [("HOST", "RELEASE", "SENSOR", "LINK", "BEHIND", "CAPTURED", "DROPPED", "FREE")]
    rows += [_row(each) for each in outcomes]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    for each in outcomes:
        for words in _obstacles(each):
            print(f"{each.host.name}: {words}")
    stopped = any(each.facts and each.facts.current and not each.facts.running for each in outcomes)
    return max(_code(outcomes), int(stopped))


def _row(outcome: Outcome) -> tuple[str, ...]:
    facts = outcome.facts
    if facts is None:
        return (outcome.host.name, "?", "?", "?", "?", "?", "?", "?")
    report = facts.status
    streams = report.get("streams", {}).values()
    packets = [each["capture"]["packets"] for each in streams if each.get("capture")]
    behind = sum(each.get("backlog_chunks", 0) for each in streams)
    return (
        outcome.host.name,
        facts.current or "none",
        "running" if facts.running else "STOPPED" if facts.current else "none",
        ("online" if report.get("online") else "OFFLINE") if facts.running and report else "-",
        f"{behind} chunks" if report else "-",
        f"{sum(each.get('captured', 0) for each in packets):,}" if packets else "-",
        f"{sum(each.get('dropped', 0) for each in packets):,}" if packets else "-",
        f"{report['disk']['free_bytes'] / 1e9:.0f} GB" if report.get("disk") else "-",
    )


def _logs(args: argparse.Namespace) -> int:
    journal = f"journalctl --no-pager --unit {SERVICE} --lines {args.lines}"
    command = (
        f"if [ -d /run/systemd/system ]; then {journal}; else tail -n {args.lines} /var/log/hayrick/sensor.log; fi"
    )
    return _ran(args, command, root=True)


def _run(args: argparse.Namespace) -> int:
    return _ran(args, args.command, root=args.root)


def _ran(args: argparse.Namespace, command: str, *, root: bool) -> int:
    fleet, hosts = _opened(args)
    answers = fleet.run(hosts, command, root=root)
    for outcome, said in answers:
        print(f"=== {outcome.host.name}" + (f": {outcome.problem}" if outcome.problem else ""))
        print(said, end="" if said.endswith("\n") or not said else "\n")
    return _code([outcome for outcome, _ in answers])


def _restart(args: argparse.Namespace) -> int:
    fleet, hosts = _opened(args)
    return _told(fleet.restart(hosts))


def _rotate(args: argparse.Namespace) -> int:
    fleet, hosts = _opened(args)
    _ask(args, "give new keys to", hosts)
    return _told(fleet.rotate(hosts))


def _revoke(args: argparse.Namespace) -> int:
    fleet, hosts = _opened(args)
    _ask(args, "shut out", hosts)
    for host in hosts:
        print(f"{host.name}  {'shut out' if fleet.revoke(host) else 'was not let in before'}")
    return 0


def _down(args: argparse.Namespace) -> int:
    fleet, hosts = _opened(args)
    _ask(args, "remove sensor AND DATA of" if args.purge else "remove the sensor of", hosts)
    return _told(fleet.down(hosts, purge=args.purge))


def _ask(args: argparse.Namespace, what: str, hosts: list[Host]) -> None:
    """Nothing that hurts is done to a whole fleet by a word too few."""
    if args.yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"would {what} {len(hosts)} host(s): say --yes")
    names = ", ".join(each.name for each in hosts)
    if input(f"{what} {names}? [y/N] ").strip().lower() not in ("y", "yes"):
        raise UsageError("nothing was done")


def _told(outcomes: list[Outcome]) -> int:
    """Say what went wrong, and how many hosts went well."""
    for each in outcomes:
        for words in _obstacles(each):
            print(f"{each.host.name}: {words}")
    well = sum(each.well for each in outcomes)
    print(f"{well} of {len(outcomes)} hosts are well")
    return _code(outcomes)


def _obstacles(outcome: Outcome) -> list[str]:
    said = [f"PROBLEM   {words}" for words in ((outcome.problem,) if outcome.problem else ()) + outcome.plan.problems]
    return said + [f"note      {words}" for words in outcome.plan.warnings]


def _code(outcomes: list[Outcome]) -> int:
    return 0 if all(each.well for each in outcomes) else 1


RUN = {
    "plan": _plan, "up": _up, "upgrade": _upgrade, "status": _status, "logs": _logs, "restart": _restart,
    "rotate": _rotate, "revoke": _revoke, "run": _run, "down": _down,
}  # fmt: skip
