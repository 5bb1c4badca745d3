"""`python -m tests.system.faults`: one run of faults, in namespaces of its own; prints its report as JSON."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.system.faults.places import alone, prepare, unmount
from tests.system.faults.schedule import Schedule
from tests.system.faults.store import Elasticsearch
from tests.system.faults.verdict import judge
from tests.system.faults.world import World

BEFORE_SECONDS = 3.0


def main() -> int:
    """Exit code 0 when nothing was lost and nothing doubled."""
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="faults")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--seconds", type=float, default=0, help="at most so long (default: 3 a fault)")
    parser.add_argument("--settle", type=float, default=900, help="at most so long until all is at rest")
    parser.add_argument("--rate", type=float, default=100, help="packets a second and sensor")
    parser.add_argument(
        "--store", choices=("duckdb", "elasticsearch"), default="duckdb", help="killed too, if it can be"
    )
    parser.add_argument("--keep", type=Path, help="keep logs and captures in this folder")
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.scratch is None:
        return outside(["--seed", str(args.seed), *sys.argv[1:]])
    args.seconds = args.seconds or 60 + 3 * args.count
    report = inside(args.scratch, args)
    print(json.dumps(report, indent=1))
    return 1 if report["problems"] else 0


def outside(arguments: list[str]) -> int:
    """Make namespaces and a folder, have the run done there, and leave nothing, however it or we are ended."""
    with tempfile.TemporaryDirectory(prefix="hayrick-faults-", ignore_cleanup_errors=True) as scratch:
        Path(scratch).chmod(0o755)
        child = subprocess.Popen(alone([*arguments, "--scratch", scratch]))
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
        try:
            return child.wait()
        finally:
            child.kill()  # with it, every process of its namespace
            child.wait()


def inside(root: Path, args: argparse.Namespace) -> dict[str, Any]:
    """The run itself."""
    prepare()
    try:
        return asyncio.run(run(root, args))
    finally:
        if args.keep:
            shutil.copytree(root, args.keep, dirs_exist_ok=True)
        unmount(root)


async def run(root: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Build, hurt, settle, judge."""
    store = Elasticsearch(root / "elasticsearch") if args.store == "elasticsearch" else None
    world = World(root, args.seed, args.rate, store)
    schedule = Schedule(world, args.seed)
    world.build()
    problems: list[str] = []
    began = time.monotonic()
    try:
        await world.start(args.seconds + 60)
        await asyncio.sleep(BEFORE_SECONDS)
        await schedule.run(args.count, args.seconds)
        hurt = time.monotonic()
        await world.quiet()
        try:
            await world.rest(args.settle)
        except TimeoutError as error:
            problems.append(str(error))
        settled = time.monotonic()
        verdict = await asyncio.to_thread(judge, world)
        judged = time.monotonic()
    finally:
        with contextlib.suppress(OSError):
            (root / "story.txt").write_text("\n".join(schedule.story) + "\n")
        await world.stop()
    return {
        "seed": args.seed,
        "faults": sum(schedule.done.values()),
        "kinds": dict(sorted(schedule.done.items())),
        "overlapping": schedule.overlaps,
        "seconds": {
            "faults": round(hurt - began, 1),
            "settling": round(settled - hurt, 1),
            "judging": round(judged - settled, 1),
        },
        "unasked_ends": {each.name: each.ends for each in [world.collector, *(s.keeper for s in world.sensors)]},
        **verdict.as_dict(),
        "problems": problems + verdict.problems,
    }


if __name__ == "__main__":
    sys.exit(main())
