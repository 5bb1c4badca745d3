"""A collector whose disk has no byte left stays up, says so, and goes on once there is room (on a tmpfs)."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.collector.captures import dns_query, write_pcap
from tests.system.collector_process import collector, wait_until
from tests.system.flow_sensor import FlowSensor
from tests.system.test_flow import said

from hayrick_collector.catalog import Catalog
from hayrick_collector.config import CollectorConfig
from hayrick_collector.ingest import pool
from hayrick_common.chunk import ChunkId
from hayrick_common.errors import StoreAwayError


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill(disk: Path) -> Path:
    """Leave not one byte."""
    other = disk / "somebody elses"
    with other.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return other


def test_collector_refuses_chunks_while_its_disk_is_full_and_takes_them_afterwards(disk: Path, tmp_path: Path) -> None:
    sensor = FlowSensor(tmp_path, "s1", "packets")
    with collector(disk / "data", tmp_path / "log") as running:
        sensor.enrol(disk / "data", running)
        other = fill(disk)
        sensor.start()
        try:
            sensor.put(write_pcap(tmp_path / "one.pcap", [dns_query("one.example")]), "one.pcap")
            wait_until(lambda: "nearly full" in sensor.log() or "cannot record" in sensor.log(), "a refusal")
            assert not running.get("/api/status")["disk"]["taking"]
            assert "NO ROOM: chunks are refused until" in said(running)
            assert "hayrick_disk_taking 0" in httpx.get(f"{running.url}/metrics", timeout=30).text
            other.unlink()
            wait_until(lambda: running.get("/api/sessions")["total"] == 1, "the chunk to be searchable")
            assert running.process.poll() is None
            assert "NO ROOM" not in said(running)
        finally:
            sensor.kill()


def test_collector_starts_on_a_full_disk_and_takes_up_what_a_killed_one_was_indexing(
    disk: Path, tmp_path: Path
) -> None:
    capture = write_pcap(tmp_path / "one.pcap", [dns_query("one.example")])
    data = disk / "data"
    with collector(data, tmp_path / "log") as running:
        running.kill()
    with contextlib.closing(Catalog(data / "catalog.sqlite")) as catalog:  # a killed collector leaves it open, too
        chunk = ChunkId("alpha", "eth0", 1, "a" * 64)
        catalog.landed(chunk, size=capture.stat().st_size, path=str(capture))
        assert catalog.claim()
        with catalog._transaction() as db:
            db.execute("UPDATE chunks SET owner = '1.1.gone'")
        other = fill(disk)
        with collector(data, tmp_path / "log") as running:
            wait_until(lambda: running.get("/api/status")["ingest"]["reason"], "the catalog to be refused")
            assert running.get("/api/status")["chunks"]["indexing"] == 1
            other.unlink()
            wait_until(lambda: running.get("/api/sessions")["total"] == 1, "the chunk to be searchable")


def test_catalog_that_cannot_be_opened_for_lack_of_room_says_so(disk: Path) -> None:
    Catalog(disk / "catalog.sqlite").close()
    fill(disk)
    with pytest.raises(StoreAwayError, match="no room on the disk"):
        Catalog(disk / "catalog.sqlite")


def test_indexing_waits_for_room_in_the_catalog(disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk landed before the disk was full; the packets lie elsewhere, so the catalog alone lacks room."""
    monkeypatch.setattr(pool, "ROOM_SECONDS", 0.05)
    write_pcap(tmp_path / "one.pcap", [dns_query("one.example")])
    catalog = Catalog(disk / "catalog.sqlite")
    chunk = ChunkId("alpha", "eth0", 1, "a" * 64)
    catalog.landed(chunk, size=(tmp_path / "one.pcap").stat().st_size, path=str(tmp_path / "one.pcap"))
    other = fill(disk)

    async def run() -> tuple[str, str]:
        ingest = pool.IngestPool(CollectorConfig(data=tmp_path), catalog, workers=1)
        ingest.start()
        try:
            await asyncio.to_thread(wait_until, lambda: ingest.pressure.paused, "indexing to wait", 30)
            reason = ingest.pressure.reason
            other.unlink()
            async with asyncio.timeout(30):
                return reason, (await ingest.finished(chunk.key)).state
        finally:
            await ingest.stop()

    try:
        assert asyncio.run(run()) == ("no room on the disk for the catalog", "indexed")
    finally:
        catalog.close()
