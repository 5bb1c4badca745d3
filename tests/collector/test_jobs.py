"""Retention drops whole chunks that ended before the kept days: sessions, packets and rows, and nothing younger."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import BinaryIO

from tests.collector.captures import START, dns_query, write_pcap

from hayrick_collector.backend import Capture, Search
from hayrick_collector.config import CollectorConfig
from hayrick_collector.direct import DirectBackend
from hayrick_collector.jobs import maintain, retain

DAY = 86_400


def test_only_what_ended_before_the_kept_days_goes(tmp_path: Path) -> None:
    async def run() -> None:
        backend = await DirectBackend.open(CollectorConfig(data=tmp_path / "data"))
        for name, start in (("old.example", START), ("new.example", START + 5 * DAY)):
            path = write_pcap(tmp_path / f"{name}.pcap", [dns_query(name)], start=start)
            done = await backend.ingest(Capture(str(path), partial(_opened, path)))
            assert done.outcome == "indexed"
        assert await retain(backend, 3, now_ms=(START + 6 * DAY) * 1000) == 1
        found = await backend.search(Search())
        assert found.total == 1
        assert len(list((tmp_path / "data" / "archive").rglob("*.pcap*"))) == 1
        assert await retain(backend, 3, now_ms=(START + 6 * DAY) * 1000) == 0
        await maintain(backend)
        await backend.close()

    asyncio.run(run())


def _opened(path: Path) -> BinaryIO:
    return path.open("rb")
