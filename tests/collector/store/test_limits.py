"""The embedded store's queries are bounded in time and memory, end when nobody waits, and leave room for others'."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest
from tests.collector.catalogue import CATALOGUE
from tests.collector.store.heavy import ENDLESS, heavy
from tests.collector.store.sessions import expression

from hayrick_collector.store import Query
from hayrick_collector.store.embedded import EmbeddedStore, Limits
from hayrick_collector.turns import ASKER
from hayrick_common.errors import StoreError

SOON_S = 5.0
HOSTILE = [
    'http.uri=="*a*a*a*a*a*a*a*a*a*a*c"',
    'http.uri=="*?a*?a*?a*?a*?a*?a*?c?*"',
    "http.uri==/(a|aa)*(a|aa)*(a|aa)*c/",
    "http.uri==/(.*a){30}c/",
    "http.uri==/.*(a?){500}a{500}.*/",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("heavy")
    with EmbeddedStore(made, CATALOGUE).writer("one") as writer:
        writer.add(heavy())
        writer.commit()
    return made


def by(asker: str, question: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    context = copy_context()
    context.run(ASKER.set, asker)
    return asyncio.create_task(question, context=context)


async def ended(store: EmbeddedStore) -> None:
    async with asyncio.timeout(SOON_S):
        while (await store.health())["queries_running"]:  # noqa: ASYNC110 - another thread ends it
            await asyncio.sleep(0.01)


def test_a_query_ends_at_its_deadline(folder: Path) -> None:
    async def scenario() -> None:
        async with EmbeddedStore(folder, CATALOGUE) as store:
            started = time.monotonic()
            with pytest.raises(TimeoutError):
                await store.graph(Query(deadline_s=0.3), *ENDLESS)
            assert time.monotonic() - started < SOON_S
            await ended(store)

    asyncio.run(scenario())


def test_a_cancelled_query_ends(folder: Path) -> None:
    async def scenario() -> None:
        async with EmbeddedStore(folder, CATALOGUE) as store:
            asking = asyncio.create_task(store.graph(Query(), *ENDLESS))
            await asyncio.sleep(0.2)
            asking.cancel()
            await asyncio.wait({asking}, timeout=SOON_S)
            assert asking.cancelled()
            await ended(store)

    asyncio.run(scenario())


def test_a_query_past_its_memory_is_refused_and_others_are_answered(folder: Path) -> None:
    async def scenario() -> None:
        async with EmbeddedStore(folder, CATALOGUE, limits=Limits(memory="48MB", spill="8MB")) as store:
            with pytest.raises(StoreError):
                await store.graph(Query(), *ENDLESS)
            assert await store.count(Query(expression("protocols==http"))) == 300

    asyncio.run(scenario())


def test_hostile_patterns_are_answered_in_time_or_refused(folder: Path) -> None:
    async def scenario() -> None:
        async with EmbeddedStore(folder, CATALOGUE) as store:
            for text in HOSTILE:
                try:
                    assert await store.count(Query(expression(text), deadline_s=SOON_S)) == 0
                except (ValueError, TimeoutError):
                    continue

    asyncio.run(scenario())


def test_twenty_hostile_queries_leave_room_for_a_cheap_one(folder: Path) -> None:
    async def scenario() -> None:
        async with EmbeddedStore(folder, CATALOGUE) as store:
            hostile = [by("hostile", store.graph(Query(), *ENDLESS)) for _ in range(10)]
            hostile += [by("hostile", store.count(Query(expression(text)))) for text in HOSTILE * 2]
            await asyncio.sleep(0.2)
            started = time.monotonic()
            assert await by("cheap", store.count(Query(expression("protocols==http")))) == 300
            assert time.monotonic() - started < SOON_S
            for task in hostile:
                task.cancel()
            await asyncio.wait(hostile)
            await ended(store)

    asyncio.run(scenario())
