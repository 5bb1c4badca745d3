"""`hayrick status`: how the collector is: chunks, backlog, sensors, store, disk."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hayrick_collector.cli import options, sensors, text
from hayrick_collector.timespan import format_time

if TYPE_CHECKING:
    from hayrick_collector.backend import Backend


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "status",
        help="show sensors, chunks, gaps and queues",
        description="Show chunks by state, backlog, sensors, store totals and disk.",
        epilog=options.EPILOG_WHERE,
    )
    parser.add_argument("--json", action="store_true", help="everything, as one JSON object")
    options.add_where(parser)
    parser.set_defaults(run=run, expression="")


def run(args: argparse.Namespace) -> int:
    """Exit code 0, also when chunks have failed: they are listed."""
    return options.run_backend(args, lambda backend: _status(backend, args))


async def _status(backend: Backend, args: argparse.Namespace) -> int:
    status = await backend.status()
    red = sys.stdout.isatty()
    print(json.dumps(status) if args.json else "\n".join(lines(status, now=time.time(), colour=red)))
    return 0


def lines(status: dict[str, Any], *, now: float, colour: bool = False) -> Iterator[str]:
    """The status for people."""
    chunks, totals, disk = status["chunks"], status["totals"], status["disk"]
    yield f"chunks     {', '.join(f'{count} {state}' for state, count in chunks.items())}"
    yield f"backlog    {status['backlog']} chunks, {text.size(totals['backlog_bytes'])}"
    yield f"stored     {totals['sessions']} sessions, {totals['packets']} packets, {text.size(totals['bytes'])}"
    if totals["first_packet"] is not None:
        yield f"span       {format_time(totals['first_packet'])} to {format_time(totals['last_packet'])} UTC"
    yield f"store      {_store(status['store'])}"
    if (ingest := status["ingest"])["state"] != "running":
        yield f"ingest     {_pressed(ingest, now)}"
    yield f"disk       {text.size(disk['free'])} free of {text.size(disk['total'])}{_room(disk)}"
    for other in status.get("collectors", ()):
        away = f"AWAY for {now - other['seen_ms'] / 1000:.0f} s" if other["away"] else "up"
        yield f"collector  {text.safe(other['node'])} {text.safe(other['url'])}, {away}"
    if status["anomalies"]:
        yield f"anomalies  {', '.join(f'{name} {count}' for name, count in list(status['anomalies'].items())[:10])}"
    for taken in status.get("retention", ()):
        yield f"retention  {_retention(taken)}"
    for sensor in status["sensors"]:
        streams = [each for each in status.get("coverage", ()) if each["sensor"] == sensor["name"]]
        yield from sensors.lines(sensor, streams, now=now, colour=colour)
    for chunk in status["failed"]:
        name = text.safe(chunk["original_name"] or chunk["key"])
        yield f"FAILED     {name}: {text.safe(chunk['error'] or '')} ({chunk['attempts']} attempts, {chunk['key']})"


def _room(disk: dict[str, Any]) -> str:
    """Said where nothing more is taken: sensors keep what they have until there is room again."""
    if disk.get("taking", True):
        return ""
    return f", NO ROOM: chunks are refused until {text.size(disk['floor'])} are free"


def _retention(taken: dict[str, Any]) -> str:
    what = {"packets": "packets", "sessions": "sessions and packets"}.get(taken["what"], "NEVER SEARCHABLE packets")
    span = f"{format_time(taken['first_ms'])[:-4]} to {format_time(taken['last_ms'])[:-4]}"
    return f"{what} of {taken['chunks']} chunks removed ({taken['why']}), {text.size(taken['bytes'])}, {span} UTC"


def _store(health: dict[str, Any]) -> str:
    told = text.safe(health["error"]) if "error" in health else text.size(health.get("bytes"))
    return f"{health['kind']}, {'ok' if health['ok'] else 'NOT OK'}, {told}"


def _pressed(ingest: dict[str, Any], now: float) -> str:
    """Why nothing is indexed, since when, and when it is tried again."""
    retry = f", next try in {max(0, ingest['retry_at'] - now):.0f} s" if ingest["retry_at"] else ""
    reason = text.safe(ingest["reason"])
    return f"{ingest['state'].upper()} for {now - ingest['since']:.0f} s: {reason} ({ingest['put_off']} put off{retry})"
