"""The deepest test: three sensors, a collector, and faults of every kind at once; every packet comes out exactly once.

`scripts/bench faults --count 300` is the same with more faults. A run prints its seed; SEEDS are those to try always.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
COUNT, SECONDS, SETTLE, LIMIT = 60, 300, 300, 780
SEEDS = [2]  # found chunks that waited for ever in the drop, empty chunks, attempts paid for a full disk


def run_faults(seed: int, count: int = COUNT) -> tuple[dict[str, Any], str]:
    """The report of one run, and what was said beside it."""
    words = ["--seed", seed, "--count", count, "--seconds", SECONDS, "--settle", SETTLE]
    command = [sys.executable, "-m", "tests.system.faults", *(str(each) for each in words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout), done.stderr


@pytest.mark.timeout(LIMIT + 60)
@pytest.mark.parametrize("seed", SEEDS)
def test_every_captured_packet_is_found_exactly_once_whatever_fails(seed: int) -> None:
    report, said = run_faults(seed)
    assert report["problems"] == [], said
    assert report["faults"] >= COUNT, report
    for account in report["accounts"]:
        assert account["written"] > 1000
        assert account["exported"] == account["found"] == account["written"] - account["shown_lost"]
