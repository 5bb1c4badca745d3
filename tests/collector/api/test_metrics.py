"""Metrics are read by Prometheus' own parser, have help, and every counter moves with what it counts."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from hayrick_collector.api.app import create_app
from hayrick_collector.config import CollectorConfig
from hayrick_collector.direct import DirectBackend
from hayrick_common.chunk import ChunkId

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scraped(backend: DirectBackend) -> tuple[Samples, dict[str, Any]]:
    transport = httpx.ASGITransport(create_app(backend))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8005") as client:
        backend._standing._coverage_until = 0.0
        answer = await client.get("/metrics")
    families = list(text_string_to_metric_families(answer.text))
    samples = {
        (each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples
    }
    return samples, {family.name: family for family in families}


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def beat(more: int) -> dict[str, Any]:
    packets = {"captured": 100 + more, "received": 100 + more, "dropped": more, "interface_dropped": 0}
    stream = {"backlog_chunks": more, "backlog_bytes": 10 * more, "next_sequence": 9, "capture": {"packets": packets}}
    return {
        "time_ms": time.time_ns() // 1_000_000, "clock_skew_ms": 1500, "bytes_sent": 1000 * more,
        "disk": {"free_bytes": 7},
        "counters": {"lost_chunks": more, "lost_packets": 5 * more}, "streams": {'e"th\n0': stream, "eth0": stream},
    }  # fmt: skip


def land(backend: DirectBackend, *numbers: int) -> None:
    now = time.time_ns() // 1_000_000
    for number in numbers:
        chunk = ChunkId("s1", "eth0", number, f"{number:064x}")
        meta = {"packets": 3, "first_ms": now - 9000, "last_ms": now - 8000, "closed_ms": now - 7000}
        backend.catalog.landed(chunk, size=50, path=f"archive/{number}.pcap", meta=meta)


def test_every_metric_has_help_and_counters_move_with_what_they_count(tmp_path: Path) -> None:
    async def run() -> None:
        backend = await DirectBackend.open(CollectorConfig(data=tmp_path / "data"))
        landing: Counter[str] = Counter(landed=2, garbled_message=1)
        backend.arrivals = {"landing": landing, "drop": Counter(landed=1), "inbox": Counter(taken=1)}
        backend.catalog.sensor_seen("s1", beat(1))
        land(backend, 1, 2, 5)
        row = backend.catalog.claim()
        assert row is not None
        backend.pool._indexed(row, {"packets": 3, "sessions": 1, "first_packet": 1, "last_packet": 2, "anomalies": {}})
        backend.catalog.packets_removed(row.key, why="age")
        before, families = await scraped(backend)
        assert [name for name, family in families.items() if not family.documentation.endswith(".")] == []
        assert value(before, "hayrick_chunks", state="landed") == 2
        assert value(before, "hayrick_stream_missing_chunks", sensor="s1", stream="eth0") == 2
        assert value(before, "hayrick_sensor_clock_skew_seconds", sensor="s1") == 1.5
        assert value(before, "hayrick_ingest_oldest_waiting_seconds") >= 0
        assert value(before, "hayrick_ingest_close_to_searchable_seconds_count") == 1
        assert value(before, "hayrick_ingest_close_to_searchable_seconds_bucket", le="10") == 1
        assert value(before, "hayrick_ingest_close_to_searchable_seconds_bucket", le="5") == 0
        assert value(before, "hayrick_stream_backlog_chunks", sensor="s1", stream='e"th\n0') == 1

        backend.catalog.sensor_seen("s1", beat(4))
        for counters in backend.arrivals.values():
            counters.update(dict.fromkeys(list(counters), 3))
        other = backend.catalog.claim()
        assert other is not None
        backend.pool._indexed(
            other, {"packets": 3, "sessions": 1, "first_packet": 1, "last_packet": 2, "anomalies": {}}
        )
        backend.catalog.packets_removed(other.key, why="age")
        backend.pool.pressure.refused(0.0, "full")
        after, _ = await scraped(backend)
        counted = [each for each, family in families.items() if family.type in ("counter", "histogram")]
        assert len(counted) == 12
        grown = {name for (name, labels), was in before.items() if after[name, labels] > was}
        still = [each for each in counted if not any(name.startswith(each) for name in grown)]
        assert still == []
        await backend.close()

    asyncio.run(run())
