"""An import that the disk has no room for is put off with the reason, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import httpx
import pytest
from tests.collector.captures import mixed_frames, write_pcap

from hayrick_collector.api.app import create_app
from hayrick_collector.config import CollectorConfig, IngestConfig
from hayrick_collector.direct import DirectBackend
from hayrick_collector.ingest.imports import intake

NO_ROOM = IngestConfig(keep_free_mb=1 << 40)


def test_full_disk_is_told_as_one_and_leaves_no_part(tmp_path: Path) -> None:
    config = CollectorConfig(data=tmp_path / "data", ingest=NO_ROOM)
    with pytest.raises(OSError, match="make room") as raised, intake(config):
        pytest.fail("there is no room")
    assert raised.value.errno == errno.ENOSPC
    assert not list((tmp_path / "data").rglob("*.part"))


def test_upload_to_a_full_disk_is_answered_in_the_one_shape(tmp_path: Path) -> None:
    capture = write_pcap(tmp_path / "x.pcap", mixed_frames())

    async def run() -> httpx.Response:
        backend = await DirectBackend.open(CollectorConfig(data=tmp_path / "data", ingest=NO_ROOM))
        try:
            transport = httpx.ASGITransport(create_app(backend), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8005") as client:
                return await client.post("/api/ingest", params={"name": "x.pcap"}, content=capture.read_bytes())
        finally:
            await backend.close()

    answer = asyncio.run(run())
    assert answer.status_code == 507
    assert answer.json()["error"]["code"] == "disk_full"
    assert "keep_free_mb" in answer.json()["error"]["message"]
