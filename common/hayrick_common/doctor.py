"""`hayrick doctor`: looks at a sensor or a collector, with the machine under it, and says what to do.

Each part has a module of its own that yields findings; what both look at is in `host`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hayrick_common.errors import UsageError

OK, WARN, BAD = "ok", "warn", "bad"
PLACES = Path("/etc/hayrick")
PARTS = {"sensor": "hayrick_sensor.doctor", "collector": "hayrick_collector.doctor"}
_COLOURS = {OK: "32", WARN: "33", BAD: "31"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `said` is what is so, `advice` what to do, empty where nothing is."""

    name: str
    state: str
    said: str
    advice: str = ""


def finding(name: str, said: str, *, bad: str = "", warn: str = "") -> Finding:
    """What was found: all is well unless there is advice."""
    return Finding(name, BAD if bad else WARN if warn else OK, said, bad or warn)


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    about = "Look at the sensor or collector of this machine, and say what to do; exit code 1 when something is bad."
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "doctor", help="find what is wrong here, and say what to do", description=about
    )
    for part in PARTS:
        told = f"settings of a {part} (default: {_place(part)} where it is)"
        parser.add_argument(f"--{part}", type=Path, metavar="FILE", help=told)
    parser.add_argument("--json", action="store_true", help="a list of findings: name, state (ok, warn, bad), ...")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show every finding as it is made; 1 when one is bad."""
    named = {part: getattr(args, part) for part in PARTS}
    if not any(named.values()):
        named = {part: _place(part) if _place(part).exists() else None for part in PARTS}
    if not any(named.values()):
        raise UsageError("no sensor and no collector is set up here; name its settings by --sensor or --collector")
    findings = []
    for each in _all(named):
        findings.append(each)
        if not args.json:
            _show(each)
    if args.json:
        print(json.dumps([asdict(each) for each in findings], indent=1))
    return int(any(each.state == BAD for each in findings))


def _all(named: dict[str, Path | None]) -> Iterator[Finding]:
    for part, path in named.items():
        if path is not None:
            yield from importlib.import_module(PARTS[part]).findings(path)


def _place(part: str) -> Path:
    return PLACES / f"{part}.toml"


def _show(each: Finding) -> None:
    colour = f"\033[{_COLOURS[each.state]}m" if sys.stdout.isatty() else ""
    print(f"{colour}{each.state:<5}{chr(27) + '[0m' if colour else ''}{each.name:<22} {each.said}", flush=True)
    if each.advice:
        print(f"{'':<27} -> {each.advice}", flush=True)
