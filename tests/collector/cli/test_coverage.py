"""`hayrick coverage` answers "did we see everything?" by its exit code, with every gap's time and reason."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from tests.collector.conftest import Hayrick

from hayrick_collector.api.app import create_app
from hayrick_collector.catalog import Catalog
from hayrick_collector.cli import coverage
from hayrick_collector.client import HttpBackend
from hayrick_collector.config import CollectorConfig
from hayrick_collector.direct import DirectBackend
from hayrick_common.chunk import ChunkId

START = 1_780_012_800_000  # 2026-05-29 00:00 UTC
MINUTE = 60_000


@pytest.fixture
def catalog(data: Path) -> Catalog:
    """A sensor's chunks 1 to 30 of a minute each, all searchable but 10 to 12, which never arrived."""
    opened = Catalog(data / "catalog.sqlite")
    for number in [n for n in range(1, 31) if n not in (10, 11, 12)]:
        begins = START + (number - 1) * MINUTE
        chunk = ChunkId("s1", "eth0", number, f"{number:064x}")
        meta = {"packets": 10, "first_ms": begins, "last_ms": begins + 59_000, "gap_ms": 0}
        opened.landed(chunk, size=1000, path=f"archive/{number}.pcap", meta=meta)
        opened.claim(chunk.key)
        opened.indexed(
            chunk.key, {"packets": 10, "sessions": 1, "first_packet": begins, "last_packet": begins + 59_000}
        )
    opened.sensor_seen("s1", {"streams": {"eth0": {"next_sequence": 31}}})
    return opened


def test_exit_code_says_whether_everything_was_seen(hayrick: Hayrick, catalog: Catalog) -> None:
    asked = ("coverage", "s1/eth0", "--check", "--start")
    hayrick(*asked, "2026-05-29T00:00", "--stop", "2026-05-29T00:08")
    hayrick(*asked, "2026-05-29T00:13", "--stop", "2026-05-29T00:20")
    seen = hayrick(*asked, "2026-05-29T00:00", "--stop", "2026-05-29T00:20", code=1)
    assert "MISSING  about 2026-05-29 00:08:59.001 to 00:12:00.000, 3 min: chunks 10 to 12" in seen.stdout
    assert "84.9 % searchable" in seen.stdout
    assert "\033" not in seen.stdout
    hayrick("coverage", "s1/eth9", code=2)
    hayrick("coverage", "--start", "2026-05-29", "--last", "3h", code=2)


def test_json_holds_the_time_line_in_bounded_size(hayrick: Hayrick, catalog: Catalog) -> None:
    seen = hayrick("coverage", "--start", "2026-05-29T00:00", "--stop", "2026-05-29T00:20", "--json")
    (stream,) = json.loads(seen.stdout)["streams"]
    assert [span[2] for span in stream["spans"]] == ["indexed", "missing", "indexed"]
    assert stream["covered"] + 3 * MINUTE + 999 == stream["known"] == 20 * MINUTE


def test_status_tells_every_gap_of_the_last_day_in_red_on_a_terminal() -> None:
    from hayrick_collector.cli import sensors

    gap = {
        "start_ms": START, "stop_ms": START + MINUTE, "state": "down", "waiting": False, "reason": "killed",
        "chunks": 0, "packets": 0, "estimated": False,
    }  # fmt: skip
    stream = {
        "sensor": "s1", "stream": "eth0", "complete": False, "known": 2 * MINUTE, "covered": MINUTE, "dropped": 3,
        "states": {"down": MINUTE, "indexed": MINUTE}, "gaps": [gap], "gaps_left_out": 0,
    }  # fmt: skip
    sensor = {"name": "s1", "last_seen": 0, "heartbeat": {}, "gaps": {}}
    plain = list(sensors.lines(sensor, [stream], now=0))
    assert "  last 24h eth0: 50.0 % searchable, 1 min down, 3 packets dropped" in plain
    assert "  GAP      eth0: DOWN     2026-05-29 00:00:00.000 to 00:01:00.000, 1 min: killed" in plain
    red = list(sensors.lines(sensor, [stream], now=0, colour=True))
    assert [line for line in red if "\033[31m" in line and "GAP" in line]


def test_bar_shows_a_gap_however_short_it_is() -> None:
    spans = [[0, 50_000, "indexed"], [50_000, 50_001, "down"], [50_001, 100_000, "indexed"]]
    shown = coverage.bar({"start_ms": 0, "stop_ms": 100_000, "spans": spans}, 20, colour=False)
    assert shown == "##########X#########"


def test_lengths_are_told_in_their_two_greatest_units() -> None:
    lengths = (850, 4_000, 250_000, 3_600_000, 180_000_000)
    assert [coverage.duration(ms) for ms in lengths] == ["850 ms", "4 s", "4 min 10 s", "1 h", "2 d 2 h"]


def test_api_answers_with_the_same_and_refuses_what_is_too_much(data: Path, catalog: Catalog) -> None:
    async def asked() -> None:
        backend = await DirectBackend.open(CollectorConfig(data=data))
        transport = httpx.ASGITransport(create_app(backend), client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8005") as client:
            times = {"from": START, "to": START + 20 * MINUTE}
            told = (await client.get("/api/coverage", params={**times, "buckets": 2})).json()
            assert len(told["streams"][0]["spans"]) <= 2
            assert [gap["reason"] for gap in told["streams"][0]["gaps"]] == ["chunks 10 to 12 never arrived"]
            assert told["meanings"]["missing"]
            assert (await client.get("/api/coverage", params={"buckets": 100_000})).is_client_error
            assert (await client.get("/api/coverage", params={"sensor": "nobody"})).is_client_error
            status = (await client.get("/api/status")).json()
            assert [each["stream"] for each in status["coverage"]] == ["eth0"]
        far = HttpBackend("http://127.0.0.1:8005", transport=transport)
        near = await backend.coverage(START, START + 20 * MINUTE, sensor="s1")
        assert (await far.coverage(START, START + 20 * MINUTE, sensor="s1"))["streams"] == near["streams"]
        await far.close()
        await backend.close()

    asyncio.run(asked())
