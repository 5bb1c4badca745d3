"""Tables of rare values narrow what is read of sessions, and change no answer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.collector.catalogue import CATALOGUE
from tests.collector.store.sessions import ALL, WEB, batch, expression, session

from hayrick_collector.store import Query
from hayrick_collector.store.embedded import Compaction, EmbeddedStore, needles
from hayrick_collector.store.embedded.layout import NEEDLES, SESSIONS

OTHERS = [session(f"{number:03d}", "two", source={"ip": f"10.1.0.{number}"}) for number in range(200)]
EXPRESSIONS = [
    "ip.src==10.0.0.1",
    "ip.src==[10.0.0.1,10.1.0.7]",
    "ip.src==10.1.0.0/28",
    "ip==192.0.2.1",
    "ip==2001:db8::7",
    "ip==10.0.0.1 && http.method==GET",
    "ip==10.0.0.1 || ip.dst==2001:db8::53",
    "ip==10.0.0.1 || http.method==GET",
    "ip.src!=10.0.0.1",
    "ip==203.0.113.9",
    "id==231114-dns",
    "id==[231114-dns,231114-007]",
    "id==231114-00*",
    "!(id==231114-dns)",
]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[EmbeddedStore, EmbeddedStore]:
    """The same sessions with and without the tables; some of them merged, some indexed again since."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(needles, "WORTH_ROWS", 1)
        with_tables = asyncio.run(filled(tmp_path_factory.mktemp("with")))
    return with_tables, asyncio.run(filled(tmp_path_factory.mktemp("without")))


async def filled(folder: Path) -> EmbeddedStore:
    store = EmbeddedStore(folder, CATALOGUE, compaction=Compaction(at_least=2), grace_s=0)
    async with store:
        put(store, "one", [WEB])
        put(store, "two", OTHERS[:120], OTHERS[120:])
        assert (await store.maintain())["segments_merged"] == 2
        put(store, "one", ALL)
        await store.tag(Query(expression("ip.src==10.1.0.7")), add=["told"])
    return store


def put(store: EmbeddedStore, chunk: str, *parts: object) -> None:
    with store.writer(chunk) as writer:
        for part in parts:
            assert isinstance(part, list | tuple)
            writer.add(batch(*part))
        writer.commit()


async def answers(store: EmbeddedStore, text: str) -> tuple[object, ...]:
    async with store:
        query = Query(expression(text), limit=1000)
        page = await store.find(query)
        facets = await store.facets(query, "ip.src", 1000)
        return page.items, page.total, await store.count(query), facets


def test_every_answer_is_as_without_them(stores: tuple[EmbeddedStore, EmbeddedStore]) -> None:
    for text in EXPRESSIONS:
        found, expected = (asyncio.run(answers(store, text)) for store in stores)
        assert found == expected, text


def test_a_session_is_got_by_its_id_through_them(stores: tuple[EmbeddedStore, EmbeddedStore]) -> None:
    async def scenario() -> None:
        async with stores[0] as store:
            for name in ("web", "dns", "007", "150"):
                assert (await store.get(f"231114-{name}") or {})["id"] == f"231114-{name}"
            assert ((await store.get("231114-007")) or {})["tags"] == ["told"]
            assert await store.get("231114-none") is None

    asyncio.run(scenario())


def test_no_more_rows_are_read_than_have_the_value(stores: tuple[EmbeddedStore, EmbeddedStore]) -> None:
    async def scenario() -> None:
        async with stores[0] as store:
            live = list(store._snapshot().live())
            assert all(NEEDLES in each.manifest.tables for each in live)
            keys = needles.keys(expression("ip==10.1.0.7"))
            assert keys is not None
            found = await store._run(lambda cursor: needles.rows(cursor, live, keys), 60)
            assert {path for each in live for path in each.paths(SESSIONS)} == set(found)
            assert sum(map(len, found.values())) == 1

    asyncio.run(scenario())
