"""`bench latency`: seconds from a chunk's close at the sensor to its sessions being searchable at the collector.

The sensors are real agents in one process (as in `bench fleet`), each with its own keys, spool and connection; the
collector is a real one with its ingest workers. A chunk is closed by a rename into the folder that the agent adopts;
it is searchable when the collector notes it as indexed, which is after the store has committed it.
"""

from __future__ import annotations

import contextlib
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from fleet import enrol
from processes import Process, running, wait_until
from ship import alike, collector, cut, fresh, in_own_network

FLEETS = (1, 10, 50)
SECONDS = 80
EVERY_SECONDS = 0.8  # in the whole fleet: how long a queue grows that ingest cannot keep up with is not the question
SETTLE_SECONDS = 120.0
CHUNK_MEGABYTES = 1

Name = tuple[str, int]  # sensor, sequence


def latency(capture: Path) -> None:
    """A line for each size of fleet; every sensor closes a chunk in its turn, at a steady pace."""
    in_own_network()
    with tempfile.TemporaryDirectory(prefix="hayrick-latency-") as scratch:
        root = Path(scratch)
        chunks = cut(capture, root / "chunks", 1, CHUNK_MEGABYTES)
        for sensors in FLEETS:
            landed, searchable = zip(*measured(fresh(root), chunks, sensors), strict=True)
            edge = statistics.quantiles(searchable, n=20)[-1]
            print(
                f"{sensors:2} sensors, {len(searchable)} chunks of {CHUNK_MEGABYTES} MB, one every {EVERY_SECONDS} s: "
                f"landed after {statistics.median(landed):.2f} s (median), searchable after "
                f"{statistics.median(searchable):.2f} s, 95th percentile {edge:.2f} s, longest {max(searchable):.2f} s",
                flush=True,
            )


def measured(place: Path, chunks: list[Path], sensors: int) -> list[tuple[float, float]]:
    """Seconds from the close of each chunk until it was landed and until it was searchable."""
    with collector(place) as (core, landing):
        configs = []
        for number in range(sensors):
            own = place / f"sensor{number}"
            (own / "pcaps").mkdir(parents=True)
            configs.append(enrol(f"s{number}", f'name = "a"\nfolder = "{own / "pcaps"}"', landing, place, own))
        script = str(Path(__file__).with_name("fleet.py"))
        with running("fleet", [sys.executable, script, *map(str, configs)], place / "fleet.log") as agents:
            wait_until(lambda: heard(place) == sensors, "all sensors to be heard", 60, core, agents)
            closed = close_all(place, chunks, sensors, core, agents)
            wait_until(lambda: len(indexed(place)) > len(closed), "all to be searchable", SETTLE_SECONDS, core, agents)
            found = indexed(place)
    return [(found[each][0] - at, found[each][1] - at) for each, at in closed.items()]


def close_all(place: Path, chunks: list[Path], sensors: int, *watched: Process) -> dict[Name, float]:
    """Close a chunk now here, now there; which -> when. The first goes before: with it the ingest worker starts."""
    close(place, chunks, sensors, 0)
    wait_until(lambda: len(indexed(place)) == 1, "the first to be searchable", SETTLE_SECONDS, *watched)
    closed: dict[Name, float] = {}
    started = time.monotonic()
    for turn in range(1, int(SECONDS / EVERY_SECONDS) + 1):
        closed[close(place, chunks, sensors, turn)] = time.time()
        for each in watched:
            each.check()
        time.sleep(max(0.0, started + turn * EVERY_SECONDS - time.monotonic()))
    return closed


def close(place: Path, chunks: list[Path], sensors: int, turn: int) -> Name:
    """Close a chunk at the sensor whose turn it is."""
    number, sequence = turn % sensors, turn // sensors + 1
    own = place / f"sensor{number}"
    alike(chunks[turn % len(chunks)], own / "next", turn)
    (own / "next").rename(own / "pcaps" / f"{sequence}.pcap")
    return f"s{number}", sequence


def heard(place: Path) -> int:
    """How many sensors the collector has heard of."""
    return len(rows(place, "SELECT name FROM sensors WHERE last_seen IS NOT NULL"))


def indexed(place: Path) -> dict[Name, tuple[float, float]]:
    """(sensor, sequence) -> when the chunk landed, and when it became searchable."""
    found = rows(place, "SELECT sensor, sequence, landed_at, indexed_at FROM chunks WHERE state = 'indexed'")
    return {(sensor, sequence): (landed, searchable) for sensor, sequence, landed, searchable in found}


def rows(place: Path, what: str) -> list[tuple[Any, ...]]:
    """Of the collector's catalog."""
    with contextlib.closing(sqlite3.connect(place / "data" / "catalog.sqlite", timeout=10)) as catalog:
        return list(catalog.execute(what))
