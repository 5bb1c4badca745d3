"""`hayrick sensor run|status|keygen`."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import logging
import os
import signal
import time
from pathlib import Path
from typing import Any

import zmq

from hayrick_common.errors import HayrickError
from hayrick_common.files import make_folder
from hayrick_common.keys import KeyPair, write_pair
from hayrick_sensor.config import DEFAULT_PATH, SensorSettings, load_sensor_settings
from hayrick_sensor.layout import Layout


def add_parser(subparsers: Any) -> None:
    """Register the command and its three actions."""
    parser = subparsers.add_parser("sensor", help="capture, keep and ship chunks on a sniffing host")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, function, text in (
        ("run", run, "capture and ship until SIGTERM or Ctrl-C"),
        ("status", status, "show streams, backlog, drops and the link"),
        ("keygen", keygen, "make this sensor's CURVE keys and print the public one"),
    ):
        action = actions.add_parser(name, help=text, description=text)
        action.add_argument("--config", type=Path, default=DEFAULT_PATH, help=f"settings (default {DEFAULT_PATH})")
        action.set_defaults(run=function)
        if name == "status":
            action.add_argument("--json", action="store_true", help="print the whole report as JSON")


def run(args: argparse.Namespace) -> int:
    """Work until told to stop."""
    from hayrick_sensor.agent import Agent

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    settings = load_sensor_settings(args.config)
    lock = _lock(settings)
    try:
        asyncio.run(_run(Agent, settings))
    finally:
        os.close(lock)
    return 0


async def _run(kind: Any, settings: SensorSettings) -> None:
    agent = kind(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, agent.stop)
    await agent.run()


def _lock(settings: SensorSettings) -> int:
    make_folder(settings.spool)
    descriptor = os.open(Layout(settings.spool).lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise HayrickError(f"a sensor is running on {settings.spool} already") from error
    return descriptor


def keygen(args: argparse.Namespace) -> int:
    """Make the keys; the public one goes into the collector's keys/sensors/NAME.public."""
    settings = load_sensor_settings(args.config)
    public, secret = zmq.curve_keypair()
    write_pair(settings.keys_folder, "sensor", KeyPair(public.decode(), secret.decode()))
    print(public.decode())
    return 0


def status(args: argparse.Namespace) -> int:
    """Show the running sensor's last report; 1 if it does not run."""
    settings = load_sensor_settings(args.config)
    try:
        report = json.loads(Layout(settings.spool).status.read_text())
    except FileNotFoundError as error:
        raise HayrickError(f"no sensor has run on {settings.spool}") from error
    running = _running(settings)
    print(json.dumps({**report, "running": running}, indent=1) if args.json else _text(report, running))
    return 0 if running else 1


def _running(settings: SensorSettings) -> bool:
    try:
        os.close(_lock(settings))
    except HayrickError:
        return True
    return False


def _text(report: dict[str, Any], running: bool) -> str:
    link = "online" if report["online"] else f"offline ({report['link_problem'] or 'greeting'})"
    lines = [f"sensor {report['sensor']} {report['version']}: {'running' if running else 'STOPPED'}, {link}"]
    lines += [f"  refused: {reason}" for reason in report["complaints"].values()]
    shipping = report.get("shipping", {"open": True})
    if not shipping["open"]:
        lines.append(f"  ships nothing now: outside its windows {', '.join(shipping['windows'])}")
    for name, stream in report["streams"].items():
        capture = stream["capture"] or {}
        packets = capture.get("packets", {})
        lines.append(
            f"  {name}: backlog {stream['backlog_chunks']} chunks {stream['backlog_bytes']:,} bytes, "
            f"kept {stream['kept_chunks']}, captured {packets.get('captured', 0):,}, "
            f"dropped {packets.get('dropped', 0):,}"
        )
        if capture.get("problem"):
            lines.append(f"    tcpdump: {capture['problem']}")
    return "\n".join(lines + _losses(report))


def _losses(report: dict[str, Any]) -> list[str]:
    """What is gone for ever: sums, and the newest three."""
    counted = report.get("counters", {})
    names = ("lost_chunks", "lost_packets", "unwritten_packets", "overrun_files")
    chunks, packets, unwritten, overrun = (counted.get(name, 0) for name in names)
    if not (chunks or packets or unwritten or overrun):
        return []
    ended = f"{unwritten:,} packets at tcpdump's end, {overrun:,} files written again by their owner"
    lines = [f"  LOST {chunks:,} chunks with {packets:,} packets, {ended}"]
    for each in report.get("lost", [])[-3:]:
        count = f"{each['packets']:,}" if each["packets"] else "unknown number of"
        span = f"{_clock(each['first_ms'])} to {_clock(each['last_ms'])}"
        lines.append(f"    lost {each['stream']} {span}, {count} packets: {each['reason']}")
    return lines


def _clock(milliseconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(milliseconds // 1000)) if milliseconds else "?"
