"""A data folder with some sessions, worked on in this process."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.collector.captures import dns_query, http_exchange, write_pcap

from hayrick_collector.backend import Capture, Search
from hayrick_collector.config import CollectorConfig
from hayrick_collector.direct import DirectBackend

Opened = Callable[[], AbstractAsyncContextManager[DirectBackend]]
CONNECTIONS = 12


def frames() -> list[bytes]:
    """Connections that ask for /page/0 to /page/11, and one DNS question."""
    pages = [frame for port in range(CONNECTIONS) for frame in http_exchange(f"/page/{port}", port=50_000 + port)]
    return [*pages, dns_query("needle.example.top")]


def on_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The asynchronous test on a loop of its own."""

    @functools.wraps(test)
    def run(*values: Any, **named: Any) -> None:
        asyncio.run(test(*values, **named))

    return run


@pytest.fixture
def opened(data: Path, tmp_path: Path) -> Opened:
    """Opens the backend of the data folder; the sessions are there from the first time on."""
    capture = write_pcap(tmp_path / "pages.pcap", frames(), step=0.001)

    @asynccontextmanager
    async def open_backend() -> AsyncIterator[DirectBackend]:
        backend = await DirectBackend.open(CollectorConfig(data=data))
        try:
            await backend.ingest(Capture("pages.pcap", lambda: capture.open("rb")))
            yield backend
        finally:
            await backend.close()

    return open_backend


async def tagged(backend: DirectBackend, tag: str) -> list[str]:
    """The addresses of pages asked for in sessions with the tag, or the names asked for."""
    found = await backend.search(Search(f"tags == {tag}", limit=100))
    return sorted(uri for each in found.items for uri in each.get("http", {}).get("uri", ["dns"]))
