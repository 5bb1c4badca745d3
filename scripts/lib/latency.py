"""`bench latency`: seconds from a chunk's close at the sensor to its sessions being searchable at the collector.

The sensors are real agents in one process (as in `bench fleet`), each with its own keys, spool and connection; the
collector is a real one with its ingest workers. A chunk is closed by a rename into the folder that the agent adopts;
it is searchable when the collector notes it as indexed, which is after the store has committed it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

from fleet import enrol
from processes import Process, running, wait_until
from ship import collector, cut, fresh, in_own_network

FLEETS = (1, 10, 50)
SECONDS = 40
EVERY_SECONDS = 8.0
MOST_EVERY = 1.0
SETTLE_SECONDS = 120.0
CHUNK_MEGABYTES = 1


def latency(capture: Path) -> None:
    """A line for each size of fleet; every sensor closes a chunk at a steady pace, one after the other."""
    in_own_network()
    with tempfile.TemporaryDirectory(prefix="hayrick-latency-") as scratch:
        root = Path(scratch)
        chunks = cut(capture, root / "chunks", 1, CHUNK_MEGABYTES)
        for sensors in FLEETS:
            waited, megabytes = measured(fresh(root), chunks, sensors)
            edge = statistics.quantiles(waited, n=20)[-1]
            print(
                f"{sensors:2} sensors, {len(waited)} chunks, {megabytes / SECONDS:.2f} MB/s in all: "
                f"median {statistics.median(waited):.2f} s, 95th percentile {edge:.2f} s, longest {max(waited):.2f} s",
                flush=True,
            )


def measured(place: Path, chunks: list[Path], sensors: int) -> tuple[list[float], float]:
    """Seconds that each chunk took, and the megabytes of all."""
    with collector(place) as (core, landing):
        configs = []
        for number in range(sensors):
            own = place / f"sensor{number}"
            (own / "pcaps").mkdir(parents=True)
            configs.append(enrol(f"s{number}", f'name = "a"\nfolder = "{own / "pcaps"}"', landing, place, own))
        script = str(Path(__file__).with_name("fleet.py"))
        with running("fleet", [sys.executable, script, *map(str, configs)], place / "fleet.log") as agents:
            wait_until(lambda: heard(place) == sensors, "all sensors to be heard", 60, core, agents)
            closed, megabytes = close_all(place, chunks, sensors, core, agents)
            wait_until(lambda: len(indexed(place)) == len(closed), "all to be searchable", SETTLE_SECONDS, core, agents)
            found = indexed(place)
    return [found[each] - at for each, at in closed.items()], megabytes


def close_all(
    place: Path, chunks: list[Path], sensors: int, *watched: Process
) -> tuple[dict[tuple[str, int], float], float]:
    """Close a chunk now here, now there; (sensor, sequence) -> when."""
    closed: dict[tuple[str, int], float] = {}
    every = min(EVERY_SECONDS / sensors, MOST_EVERY)
    started, size = time.monotonic(), 0
    for turn in range(int(SECONDS / every)):
        number, sequence = turn % sensors, turn // sensors + 1
        source = chunks[turn % len(chunks)]
        own, size = place / f"sensor{number}", size + source.stat().st_size
        os.link(source, own / "next")
        (own / "next").rename(own / "pcaps" / f"{sequence}.pcap")
        closed[(f"s{number}", sequence)] = time.time()
        for each in watched:
            each.check()
        time.sleep(max(0.0, started + (turn + 1) * every - time.monotonic()))
    return closed, size / 1e6


def heard(place: Path) -> int:
    """How many sensors the collector has heard of."""
    return len(rows(place, "SELECT name FROM sensors WHERE last_seen IS NOT NULL"))


def indexed(place: Path) -> dict[tuple[str, int], float]:
    """(sensor, sequence) -> when the chunk became searchable."""
    found = rows(place, "SELECT sensor, sequence, indexed_at FROM chunks WHERE state = 'indexed'")
    return {(sensor, sequence): at for sensor, sequence, at in found}


def rows(place: Path, what: str) -> list[tuple[str, int, float]]:
    """Of the collector's catalog."""
    with contextlib.closing(sqlite3.connect(place / "data" / "catalog.sqlite", timeout=10)) as catalog:
        return list(catalog.execute(what))
