"""A collector reduced to its landing, run as a process of its own by tests that kill it.

usage: landing_process.py DATA BIND [DROP]. Each call of the sink is a line, synced, in DATA/landed.jsonl.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from hayrick_collector.landing import Drop, Known, Landing, LandingSettings
from hayrick_common.keys import read_pair


class JournalledSink:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "landed.jsonl"
        self.rows: dict[tuple[str, str, int], dict] = {}
        for line in self.path.read_text().splitlines() if self.path.exists() else []:
            row = json.loads(line)
            self.rows[row["sensor"], row["stream"], row["sequence"]] = row
        self.stream = self.path.open("a")
        self.fresh: list[str] = []

    def known(self, chunk):
        row = self.rows.get((chunk.sensor, chunk.stream, chunk.sequence))
        return Known(row["sha256"], True) if row else None

    def landed(self, chunk, path, size, meta):
        row = {"key": chunk.key, "sensor": chunk.sensor, "stream": chunk.stream, "sequence": chunk.sequence}
        row |= {"sha256": chunk.sha256, "path": str(path), "size": size, **meta}
        self.stream.write(json.dumps(row) + "\n")
        self.stream.flush()
        os.fsync(self.stream.fileno())
        self.rows[chunk.sensor, chunk.stream, chunk.sequence] = row
        self.fresh.append(chunk.key)

    def next_numbers(self, sensor):
        held: dict[str, int] = {}
        for name, stream, sequence in self.rows:
            if name == sensor:
                held[stream] = max(held.get(stream, 1), sequence + 1)
        return held

    def seen(self, sensor, report):
        (self.path.parent / f"{sensor}.heartbeat.json").write_text(json.dumps(report))


async def main(data: Path, bind: str, folder: Path | None = None) -> None:
    sink = JournalledSink(data)
    landing = Landing(LandingSettings(data, bind, read_pair(data / "keys", "collector")), sink)
    landing.start()
    (data / "address").write_text(landing.address)
    drop = Drop(data, sink, folder=folder)
    serving = asyncio.ensure_future(landing.run())
    dropping = asyncio.ensure_future(drop.run())
    while not serving.done() and not dropping.done():
        await asyncio.sleep(0.1)
        (data / "counters.json").write_text(
            json.dumps({**landing.counters, "drop": drop.counters, "time": time.time()})
        )
        while sink.fresh:
            key = sink.fresh.pop(0)
            landing.indexed(key)
            drop.indexed(key)
    (dropping if dropping.done() else serving).result()


asyncio.run(main(Path(sys.argv[1]), sys.argv[2], *map(Path, sys.argv[3:])))
