"""Asks a catalog of a million chunks what the landing, the queue, the API and retention ask it, and times each."""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from hayrick_collector import catalog_schema
from hayrick_collector.catalog import Catalog
from hayrick_common.chunk import ChunkId

STREAMS = 50
MINUTE_MS = 60_000
ASKED = 15
_ROW = """INSERT INTO chunks (key, sensor, stream, sequence, sha256, size, original_name, path, meta, landed_at, state,
indexed_at, packets, sessions, first_packet, last_packet, summary) VALUES (?, ?, 'eth0', ?, ?, 100000000, ?, ?, ?, ?,
'indexed', ?, 100000, 1000, ?, ?, '{"packets": 100000, "sessions": 1000, "anomalies": {"truncated": 1}}')"""


def catalog(count: int = 1_000_000) -> None:
    """Fifty streams with chunks of a minute each, all indexed but the last few; medians and worst of fifteen."""
    with tempfile.TemporaryDirectory(prefix="hayrick-bench-") as folder:
        started = time.monotonic()
        path, now_ms = Path(folder) / "catalog.sqlite", time.time_ns() // 1_000_000
        _fill(path, count, now_ms)
        filled = time.monotonic()
        opened = Catalog(path)
        took = f"made in {filled - started:.0f} s, brought to this version in {time.monotonic() - filled:.0f} s"
        print(f"{count} chunks of {STREAMS} streams, {path.stat().st_size >> 20} MB, {took}", flush=True)
        for name, ask in _questions(opened, count // STREAMS, now_ms).items():
            times = [_timed(ask) for _ in range(ASKED)]
            print(f"{name:28} median {statistics.median(times):8.2f} ms, worst {max(times):8.2f} ms", flush=True)
        opened.close()


def _questions(catalog: Catalog, each: int, now_ms: int) -> dict[str, Callable[[], object]]:
    numbers = iter(range(each + 1, each + 1000))

    def land() -> None:
        number = next(numbers)
        meta = {"packets": 5, "first_ms": now_ms, "last_ms": now_ms, "closed_ms": now_ms}
        catalog.landed(ChunkId("sensor-7", "eth0", number, f"{number:064x}"), size=5, path=f"{number}", meta=meta)

    def index() -> None:
        row = catalog.claim()
        assert row is not None
        catalog.indexed(row.key, {"packets": 5, "sessions": 1, "first_packet": now_ms, "last_packet": now_ms})

    def coverage(days: float, at_ms: int = now_ms) -> object:
        span = round(days * 86_400_000)
        return catalog.history.coverage("sensor-7", "eth0", at_ms - span, at_ms, buckets=200, gaps=100)

    launches = [{"launch": str(number), "started_ms": number} for number in range(1, 33)]
    beat = {"time_ms": now_ms, "streams": {"eth0": {"next_sequence": each, "launches": launches}}}
    return {
        "landing: known": lambda: catalog.held("sensor-7", "eth0", each // 2),
        "landing: landed": land,
        "landing: next numbers": lambda: catalog.next_numbers("sensor-7"),
        "landing: heartbeat": lambda: catalog.sensor_seen("sensor-7", beat),
        "queue: claim and indexed": index,
        "status: counts": catalog.counts,
        "status: totals": catalog.totals,
        "status: anomalies": catalog.anomalies,
        "status: sensors with gaps": catalog.sensors,
        "api: last hundred chunks": lambda: catalog.chunks(limit=100),
        "api: failed chunks": lambda: catalog.chunks(state="failed", limit=10),
        "coverage: a day": lambda: coverage(1),
        "coverage: an hour, long ago": lambda: coverage(1 / 24, now_ms - each // 2 * MINUTE_MS),
        "coverage: a week": lambda: coverage(7),
        "retention: oldest": lambda: catalog.indexed_before(now_ms, limit=200),
        "retention: oldest packets": lambda: catalog.with_packets_before(now_ms, limit=200),
    }


def _fill(path: Path, count: int, now_ms: int) -> None:
    """As version 1 had it, without what keeps the sums: the migration makes those, and is timed with it."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA synchronous = OFF")
    db.executescript(catalog_schema.V1)
    each = count // STREAMS
    for sensor in range(STREAMS):
        name = f"sensor-{sensor}"
        db.executemany(_ROW, (_row(name, number, each, now_ms) for number in range(1, each + 1) if number % 1000))
        db.execute("INSERT INTO sensors VALUES (?, NULL, ?, '{}')", (name, now_ms / 1000))
        db.commit()
    db.execute("PRAGMA user_version = 1")
    db.close()


def _row(sensor: str, number: int, each: int, now_ms: int) -> tuple[object, ...]:
    name, sha256 = f"{number:010d}-{number:016x}.pcap", f"{number:064x}"
    begins = now_ms - (each - number + 1) * MINUTE_MS
    ends, landed = begins + MINUTE_MS - 1000, begins / 1000 + 70
    meta = f'{{"packets": 100000, "first_ms": {begins}, "last_ms": {ends}, "closed_ms": {ends}, "gap_ms": 0}}'
    path = f"archive/{sensor}/eth0/20261125/{name}.zst"
    key = f"{sensor}.eth0.{name.removesuffix('.pcap').replace('-', '.')}"
    return (key, sensor, number, sha256, name, path, meta, landed, landed + 5, begins, ends)


def _timed(ask: Callable[[], object]) -> float:
    started = time.perf_counter()
    ask()
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    catalog()
