"""The shared store's face: every question within its deadline, every failure in our own words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from elasticsearch import AsyncElasticsearch

from hayrick_collector.expression import Catalogue
from hayrick_collector.store import questions
from hayrick_collector.store.elasticsearch import checkup, collectors, renewal
from hayrick_collector.store.elasticsearch.compiler import Dsl
from hayrick_collector.store.elasticsearch.connection import Cluster, connect
from hayrick_collector.store.elasticsearch.failures import translated
from hayrick_collector.store.elasticsearch.prepare import prepare
from hayrick_collector.store.elasticsearch.search import Search
from hayrick_collector.store.elasticsearch.upkeep import Upkeep
from hayrick_collector.store.elasticsearch.writer import ElasticsearchWriter
from hayrick_collector.store.interface import (
    Bucket,
    Document,
    Facet,
    Graph,
    Page,
    Positions,
    Query,
    SegmentWriter,
    Store,
    Value,
    Waiting,
    Weight,
)
from hayrick_common.errors import StoreAwayError, StoreError

_LOOK_UP_DEADLINE_S = 30.0
_UPKEEP_DEADLINE_S = 3600.0
_SLACK_S = 5.0  # the client's own limit comes after ours


class ElasticsearchStore(Store):
    """Sessions of one prefix on one cluster, written and read by any number of collectors."""

    def __init__(self, cluster: Cluster, catalogue: Catalogue) -> None:
        self._cluster, self._catalogue = cluster, catalogue
        self._client: AsyncElasticsearch | None = None

    async def open(self, *, patient: bool = False) -> None:
        """Sees that the cluster answers and that its templates are ours; writers see to the templates too."""
        try:
            await asyncio.to_thread(prepare, self._cluster, self._catalogue)
        except (StoreAwayError, TimeoutError):
            if not patient:
                raise
        self._client = connect(self._cluster)

    async def close(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    def writer(self, chunk_key: str, waiting: Waiting = lambda reason: None) -> SegmentWriter:
        """Needs no open store."""
        return ElasticsearchWriter(self._cluster, self._catalogue, chunk_key, waiting=waiting)

    async def find(self, query: Query) -> Page:
        """A page of documents."""
        async with _within(query.deadline_s):
            return await self._search(query.deadline_s).find(query)

    async def count(self, query: Query) -> int:
        """How many sessions the query finds."""
        async with _within(query.deadline_s):
            return await self._search(query.deadline_s).count(query)

    async def get(self, session_id: str) -> Document | None:
        """One document by id."""
        async with _within(_LOOK_UP_DEADLINE_S):
            return await self._search(_LOOK_UP_DEADLINE_S).get(session_id)

    async def positions(self, query: Query) -> AsyncIterator[Positions]:
        """The packets of all sessions found."""
        search = self._search(query.deadline_s)
        async for each in self._positions(search, search.query(query)):
            yield each

    async def positions_of(self, ids: Sequence[str]) -> AsyncIterator[Positions]:
        """The packets of these sessions."""
        search = self._search(_LOOK_UP_DEADLINE_S)
        async for each in self._positions(search, search.of_ids(ids)):
            yield each

    async def facets(self, query: Query, field: str, limit: int = 20, order: Weight = "sessions") -> list[Facet]:
        """The commonest values of a field. Exact as long as no index has more than 25,000 values of it."""
        async with _within(query.deadline_s):
            return await self._search(query.deadline_s).facets(query, field, limit, order)

    def unique(self, query: Query, field: str, limit: int | None = None) -> AsyncIterator[tuple[Value, int]]:
        """Every value of a field in order; each portion is of the store as it is by then."""

        async def portion(left: int | None, after: Dsl | None) -> tuple[list[tuple[Value, int]], Dsl | None]:
            async with _within(query.deadline_s):
                return await self._search(query.deadline_s).unique(query, field, left, after)

        return questions.portions(portion, limit)

    async def histogram(
        self, query: Query, interval_ms: int, metric: str = "sessions", split: str | None = None, limit: int = 10
    ) -> list[Bucket]:
        """A metric by the time sessions began. ValueError for more buckets than Elasticsearch gives (65,536)."""
        async with _within(query.deadline_s):
            return await self._search(query.deadline_s).histogram(query, interval_ms, metric, split, limit)

    async def graph(
        self,
        query: Query,
        source: str = "ip.src",
        destination: str = "ip.dst",
        limit: int = 100,
        order: Weight = "sessions",
    ) -> Graph:
        """Which values of two fields come together; every pair is looked at."""
        async with _within(query.deadline_s):
            return await self._search(query.deadline_s).graph(query, source, destination, limit, order)

    async def tag(self, query: Query, add: Iterable[str] = (), remove: Iterable[str] = ()) -> int:
        """In the documents, which remember it for when their chunk is indexed again."""
        added, removed = questions.tag_names(add), questions.tag_names(remove)
        async with _within(query.deadline_s):
            seen = self._search(query.deadline_s).query(query)
            return await self._upkeep().tag(seen, added, removed, query.deadline_s + _SLACK_S)

    async def has_chunk(self, chunk_key: str) -> bool:
        """Whether the chunk was committed and not deleted since."""
        async with _within(_LOOK_UP_DEADLINE_S):
            return await self._upkeep().has_chunk(chunk_key)

    async def delete_chunk(self, chunk_key: str) -> bool:
        """At once for readers."""
        async with _within(_UPKEEP_DEADLINE_S):
            return await self._upkeep().delete_chunk(chunk_key)

    async def delete_before(self, before_ms: int) -> int:
        """Whole indices where all is older, single sessions elsewhere."""
        async with _within(_UPKEEP_DEADLINE_S):
            return await self._upkeep().delete_before(before_ms)

    async def maintain(self) -> dict[str, int]:
        """Removes what writers that died have left."""
        async with _within(_UPKEEP_DEADLINE_S):
            return await self._upkeep().maintain()

    async def health(self) -> dict[str, Any]:
        """What the cluster says of itself and of our indices."""
        async with _within(_LOOK_UP_DEADLINE_S):
            return await self._upkeep().health(self._search(_LOOK_UP_DEADLINE_S).query(Query()))

    async def advice(self) -> list[str]:
        """Of copies, disks, the template, kinds of fields."""
        return await asyncio.to_thread(checkup.advice, self._cluster, self._catalogue)

    async def reindex(self, *, everything: bool = False, say: Callable[[str], None] = lambda _: None) -> dict[str, int]:
        """Make indices anew that have a field as another kind (or all); their names with their sessions."""
        return await asyncio.to_thread(renewal.renew, self._cluster, self._catalogue, everything=everything, say=say)

    async def announce(self, name: str, document: Document) -> None:
        """A document a collector, in an index of their own."""
        async with _within(_LOOK_UP_DEADLINE_S):
            await collectors.announce(self._connected(), self._cluster, name, document)

    async def announced(self) -> list[Document]:
        """The one heard of last first."""
        async with _within(_LOOK_UP_DEADLINE_S):
            return await collectors.announced(self._connected(), self._cluster)

    async def unannounce(self, name: str) -> None:
        """Forget a collector."""
        async with _within(_LOOK_UP_DEADLINE_S):
            await collectors.unannounce(self._connected(), self._cluster, name)

    async def _positions(self, search: Search, seen: Dsl) -> AsyncIterator[Positions]:
        with translated():
            async for each in search.positions(seen):
                yield each

    def _search(self, deadline_s: float) -> Search:
        client = self._connected().options(request_timeout=deadline_s + _SLACK_S)
        return Search(client, self._cluster, self._catalogue)

    def _upkeep(self) -> Upkeep:
        client = self._connected().options(request_timeout=_UPKEEP_DEADLINE_S)
        return Upkeep(client, self._cluster)

    def _connected(self) -> AsyncElasticsearch:
        if self._client is None:
            raise StoreError("the store is not open")
        return self._client


@asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    """A deadline, with the client's errors as ours inside it."""
    with translated():
        async with asyncio.timeout(seconds):
            yield
