"""A client that goes away ends its query in the store; one that has its answer, or sent a body, ends nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import uvicorn
from tests.collector.store.heavy import ENDLESS, heavy

from hayrick_collector.api.app import create_app
from hayrick_collector.config import CollectorConfig, StoreConfig
from hayrick_collector.direct import DirectBackend
from hayrick_collector.store import Store

SOON_S = 10.0
ENDS = dict(zip(("source", "destination"), ENDLESS, strict=True))


@asynccontextmanager
async def serving(data: Path, query_seconds: int = 60) -> AsyncIterator[tuple[Store, str]]:
    """A store with sessions that a graph takes minutes for, behind a real server."""
    backend = await DirectBackend.open(CollectorConfig(data=data, store=StoreConfig(query_seconds=query_seconds)))
    with backend.store.writer("one") as writer:
        writer.add(heavy())
        writer.commit()
    listening = socket.create_server(("127.0.0.1", 0))
    app = create_app(backend)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield backend.store, f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        await backend.close()


async def until_running(store: Store, wanted: int) -> None:
    async with asyncio.timeout(SOON_S):
        while (await store.health())["queries_running"] != wanted:  # noqa: ASYNC110 - another task does
            await asyncio.sleep(0.02)


def test_a_client_that_goes_ends_its_query(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path) as (store, url), httpx.AsyncClient(base_url=url) as client:
            asking = asyncio.create_task(client.get("/api/graph", params=ENDS, timeout=60))
            await until_running(store, 1)
            asking.cancel()
            await until_running(store, 0)
            assert (await client.get("/api/sessions", params={"limit": 1})).json()["total"] == 300

    asyncio.run(scenario())


def test_a_query_past_its_deadline_is_told_as_such(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, query_seconds=1) as (_, url), httpx.AsyncClient(base_url=url) as client:
            answer = await client.get("/api/graph", params=ENDS, timeout=60)
            assert (answer.status_code, answer.json()["error"]["code"]) == (504, "timeout")

    asyncio.run(scenario())
