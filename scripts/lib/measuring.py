"""What the benchmarks share: where captures are, and what a command takes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from memory import Peak, group_memory

ROOT = Path(__file__).resolve().parent.parent.parent
CORPUS = ROOT.parent / "shared" / "corpus" / "mix-100m.pcap.zst"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hayrick" / "bench"
HAYRICK = Path(sys.executable).parent / "hayrick"
# Decodes files, turns each batch into what the first argument says, and prints how much was in all of them.
DECODE = """
import json, sys
import hayrick_decode
total = {"packets": 0, "sessions": 0}
for name in sys.argv[2:]:
    decoding = hayrick_decode.decode(name)
    for batch in decoding:
        if sys.argv[1] == "tables":
            batch.tables()
        elif sys.argv[1] == "ndjson":
            batch.ndjson()
    for key in total:
        total[key] += decoding.summary[key]
print(json.dumps(total))
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


def decoded(kind: str, *captures: Path) -> Cost:
    """Decode captures to `sessions`, `tables` or `ndjson` in one process, which prints `packets` and `sessions`."""
    return measure([sys.executable, "-c", DECODE, kind, *map(str, captures)])


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
