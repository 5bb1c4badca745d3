"""Measures decoding and ingest in child processes: CPU seconds by resource usage, memory by what the kernel counts."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from archive import archive
from fleet import fleet, rest
from flow import flow
from latency import latency
from memory import Peak, group_memory
from ship import ship

ROOT = Path(__file__).resolve().parent.parent.parent
CORPUS = ROOT.parent / "shared" / "corpus" / "mix-100m.pcap.zst"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hayrick" / "bench"
HAYRICK = Path(sys.executable).parent / "hayrick"

# Decodes a file and turns each batch into what the second argument says; prints the summary.
DECODE = """
import json, sys
import hayrick_decode
decoding = hayrick_decode.decode(sys.argv[1])
for batch in decoding:
    if sys.argv[2] == "tables":
        batch.tables()
    elif sys.argv[2] == "ndjson":
        batch.ndjson()
print(json.dumps(decoding.summary))
"""


@dataclass(frozen=True)
class Cost:
    """What a command took: wall and CPU seconds, the largest process and the whole group at its peak, in MB."""

    wall: float
    cpu: float
    largest: float
    group: float
    output: str


def measure(command: list[str]) -> Cost:
    """Run a command to its end; raises CalledProcessError."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen(command, stdout=output, start_new_session=True)
        peak = Peak(partial(group_memory, child.pid))
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        most = peak.finish()
        output.seek(0)
        if child.returncode:
            raise subprocess.CalledProcessError(child.returncode, command)
        return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, most, output.read())


def plain(capture: Path) -> Path:
    """The capture itself, decompressed into the cache if it is .zst."""
    if not capture.exists():
        sys.exit(f"bench: {capture}: no such file; name a capture of your own")
    if capture.suffix != ".zst":
        return capture
    target = CACHE / capture.stem
    if not target.exists() or target.stat().st_mtime < capture.stat().st_mtime:
        CACHE.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(".part")
        subprocess.run(["zstd", "-dqf", "--long=27", str(capture), "-o", str(part)], check=True)
        os.utime(part)
        part.replace(target)
    return target


def hashing(capture: Path) -> Cost:
    """The yardstick: sha256sum of the file, which also warms the page cache."""
    subprocess.run(["sha256sum", str(capture)], check=True, stdout=subprocess.DEVNULL)
    cost = measure(["sha256sum", str(capture)])
    print(f"{capture.name}: {capture.stat().st_size / 1e6:.1f} MB, sha256sum {cost.cpu:.2f} CPU s")
    return cost


def decode(capture: Path) -> None:
    """Packets a CPU second of decoding alone, with Arrow tables, and with documents; the best of three."""
    yardstick = hashing(capture)
    for kind in ("sessions", "tables", "ndjson"):
        cost = min((measure([sys.executable, "-c", DECODE, str(capture), kind]) for _ in range(3)), key=lambda c: c.cpu)
        summary = json.loads(cost.output)
        print(
            f"decode to {kind:8}: {summary['packets'] / cost.cpu / 1000:6.0f} thousand packets a CPU second, "
            f"{cost.cpu:.2f} CPU s ({cost.cpu / yardstick.cpu:.1f} x sha256sum), "
            f"peak {cost.largest:.0f} MB, {summary['packets']} packets, {summary['sessions']} sessions"
        )


def ingest(capture: Path) -> None:
    """One `hayrick ingest` into an empty store, from start to searchable."""
    yardstick = hashing(capture)
    with tempfile.TemporaryDirectory(prefix="hayrick-bench-") as data:
        os.environ["HAYRICK_DATA"] = data
        cost = measure([str(HAYRICK), "ingest", str(capture), "-t", "bench"])
        print(cost.output.strip())
        print(
            f"ingest: {cost.wall:.2f} s, {cost.cpu:.2f} CPU s ({cost.cpu / yardstick.cpu:.1f} x sha256sum), "
            f"peak {cost.group:.0f} MB in all, {cost.largest:.0f} MB the largest process"
        )


def main() -> None:
    """`bench decode|ingest|archive|ship|fleet|flow|rest|latency [FILE]`."""
    what: dict[str, Callable[[Path], None]] = {
        "decode": decode,
        "ingest": ingest,
        "archive": archive,
        "ship": ship,
        "fleet": fleet,
        "flow": flow,
        "rest": rest,
        "latency": latency,
    }
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("what", choices=what)
    parser.add_argument("file", nargs="?", type=Path, default=CORPUS, help="a capture, plain or .zst")
    args = parser.parse_args()
    what[args.what](plain(args.file))


if __name__ == "__main__":
    main()
