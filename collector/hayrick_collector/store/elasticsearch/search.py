"""The questions: each is one search, or a walk over a fixed view of the indices where all sessions are wanted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from elasticsearch import AsyncElasticsearch

from hayrick_collector.expression import Catalogue, Field
from hayrick_collector.store import questions
from hayrick_collector.store.elasticsearch import paging, values
from hayrick_collector.store.elasticsearch.compiler import Dsl, compiled
from hayrick_collector.store.elasticsearch.connection import SESSION_ID, Cluster
from hayrick_collector.store.elasticsearch.mapping import POSITIONS, path
from hayrick_collector.store.interface import (
    Bucket,
    Document,
    Facet,
    Graph,
    Link,
    Page,
    Positions,
    Query,
    Value,
    Weight,
)

_INTERNAL = ("hayrick", *POSITIONS)
_PORTION = 1_000  # documents an answer
_PORTION_VALUES = 10_000
_PORTION_PAIRS = 50_000  # each portion reads all sessions again
_VIEW = "2m"  # a walk's view of the indices lives this long after each step
_LEAST_PER_SHARD = 25_000  # values a shard tells for a facet: with no more of them counts are exact
_WEIGHTS: dict[str, Dsl] = {
    "packets": {"sum": {"field": "network.packets"}},
    "bytes": {"sum": {"field": "network.bytes"}},
}


class Search:
    """Asks one cluster. Errors are the client's own."""

    def __init__(self, client: AsyncElasticsearch, cluster: Cluster, catalogue: Catalogue) -> None:
        self._client, self._cluster, self._catalogue = client, cluster, catalogue

    async def find(self, query: Query) -> Page:
        """A page of documents, and how many there are in all."""
        order = paging.order(self._catalogue, query.sort)
        behind = paging.decode(query.cursor, len(order)) if query.cursor else None
        total: int | None = None
        hits: list[Any] = []
        while True:
            wanted = query.limit + 1 - len(hits)
            more: Dsl = {"search_after": behind} if behind else {}
            answer = await self._search(
                self.query(query),
                size=min(wanted, _PORTION),
                sort=order,
                source=_source(query.fields),
                track_total_hits=query.total and total is None,
                **more,
            )
            found = answer["hits"]["hits"]
            total = answer["hits"]["total"]["value"] if "total" in answer["hits"] else total
            hits += found
            if len(hits) > query.limit or len(found) < min(wanted, _PORTION):
                break
            behind = found[-1]["sort"]
        page = hits[: query.limit]
        cursor = paging.encode(page[-1]["sort"]) if len(hits) > query.limit and page else None
        return Page([_document(hit) for hit in page], total if query.total else None, cursor)

    async def count(self, query: Query) -> int:
        """How many sessions the query finds."""
        answer = await self._search(self.query(query), size=0, track_total_hits=True)
        return int(answer["hits"]["total"]["value"])

    async def get(self, session_id: str) -> Document | None:
        """One document, from the indices of its day."""
        if not SESSION_ID.fullmatch(session_id):
            return None
        day = f"{self._cluster.day(session_id)}*"
        answer = await self._search(self.of_ids([session_id]), index=day, size=1, source=_source(None))
        hits = answer["hits"]["hits"]
        return _document(hits[0]) if hits else None

    async def positions(self, query: Dsl) -> AsyncIterator[Positions]:
        """The packets of all sessions found, chunk by chunk."""
        order = [{"chunk": {"order": "asc"}}, {"id": {"order": "asc"}}]
        async for hit in self._walk(query, order, {"includes": list(POSITIONS)}):
            chunk, session = hit["sort"][:2]
            positions, lengths = ([int(each) for each in hit["_source"].get(name, ())] for name in POSITIONS)
            yield Positions(chunk, session, positions, lengths)

    async def facets(self, query: Query, name: str, limit: int, order: Weight) -> list[Facet]:
        """Commonest values first; equal ones by value."""
        field = questions.known(self._catalogue, name)
        source, runtime = self._values(field)
        terms = {**source, **_commonest(limit, order)}
        answer = await self._aggregate(query, {"facet": {"terms": terms, "aggs": _WEIGHTS}}, runtime)
        buckets = answer.get("facet", {}).get("buckets", ())
        return [
            Facet(
                values.shown(field, bucket["key"]),
                bucket["doc_count"],
                int(bucket["packets"]["value"]),
                int(bucket["bytes"]["value"]),
            )
            for bucket in buckets
        ]

    async def unique(
        self, query: Query, name: str, limit: int | None, after: Dsl | None
    ) -> tuple[list[tuple[Value, int]], Dsl | None]:
        """Values in order behind `after`, with their sessions, exact; and what the next portion is behind."""
        field = questions.known(self._catalogue, name)
        source, runtime = self._values(field)
        size = _PORTION_VALUES if limit is None else min(limit, _PORTION_VALUES)
        composite = {"size": size, "sources": [{"v": {"terms": source}}], **({"after": after} if after else {})}
        answer = (await self._aggregate(query, {"unique": {"composite": composite}}, runtime)).get("unique", {})
        buckets = answer.get("buckets", ())
        found = [(values.shown(field, bucket["key"]["v"]), bucket["doc_count"]) for bucket in buckets]
        return found, answer["after_key"] if len(found) == size else None

    async def histogram(
        self, query: Query, interval_ms: int, metric: str, split: str | None, limit: int
    ) -> list[Bucket]:
        """Buckets that have sessions, in order of time."""
        if interval_ms < 1:
            raise ValueError("a histogram's interval is at least 1 ms")
        field = None if metric == "sessions" else questions.addable(self._catalogue, metric)
        inner = {"aggs": {"sum": {"sum": {"field": path(field)}}}} if field else {}
        dates = {"field": "firstPacket", "fixed_interval": f"{interval_ms}ms", "min_doc_count": 1}
        time: Dsl = {"time": {"date_histogram": dates, **inner}}
        if split is None:
            return _buckets(await self._aggregate(query, time, {}))
        by = questions.known(self._catalogue, split)
        source, runtime = self._values(by)
        top = {"terms": {**source, **_commonest(limit, "sessions")}, "aggs": time}
        answer = await self._aggregate(query, {"split": top}, runtime)
        parts = answer.get("split", {}).get("buckets", ())
        found = [each for part in parts for each in _buckets(part, values.shown(by, part["key"]))]
        return sorted(found, key=lambda bucket: bucket.start_ms)

    async def graph(self, query: Query, source: str, destination: str, limit: int, order: Weight) -> Graph:
        """Heaviest links first; equal ones by their ends. All pairs are walked over, the heaviest kept: exact, and no
        cluster of ours need know more than composite aggregations."""
        ends = [questions.known(self._catalogue, name) for name in (source, destination)]
        sources: list[Dsl] = []
        runtime: Dsl = {}
        for number, end in enumerate(ends):
            term, made = self._values(end, f"{values.UNITED}{number}")
            sources.append({str(number): {"terms": term}})
            runtime |= made
        links: list[Link] = []
        after: Dsl = {}
        while True:
            composite = {"size": _PORTION_PAIRS, "sources": sources, **after}
            pairs: Dsl = {"graph": {"composite": composite, "aggs": _WEIGHTS}}
            answer = (await self._aggregate(query, pairs, runtime)).get("graph", {})
            links += [_link(ends, bucket) for bucket in answer.get("buckets", ())]
            links = sorted(links, key=lambda link: -getattr(link, order))[: limit + 1]
            if len(answer.get("buckets", ())) < _PORTION_PAIRS:
                return questions.graph(links, limit, order)
            after = {"after": answer["after_key"]}

    def query(self, query: Query) -> Dsl:
        """The sessions of the query that may be seen."""
        times: list[Dsl] = []
        if query.start_ms is not None:
            times.append({"range": {"lastPacket": {"gte": query.start_ms}}})
        if query.stop_ms is not None:
            times.append({"range": {"firstPacket": {"lte": query.stop_ms}}})
        return self._seen([*times, compiled(query.node)])

    def of_ids(self, ids: Sequence[str]) -> Dsl:
        """The sessions with these ids that may be seen."""
        return self._seen([{"ids": {"values": list(ids)}}])

    def _seen(self, filters: list[Dsl]) -> Dsl:
        """None of a chunk that is not committed: the list is read as it is now, whatever was refreshed when."""
        hidden = {"index": self._cluster.chunks, "id": self._cluster.hidden, "path": "chunks"}
        return {"bool": {"filter": filters, "must_not": [{"terms": {"chunk": hidden}}]}}

    def _values(self, field: Field, united: str = values.UNITED) -> tuple[Dsl, Dsl]:
        """Where an aggregation takes a field's values from, with the field to make up for a group of several."""
        members = self._catalogue.members(field)
        if len(members) == 1 and not field.any_of:
            return {"field": path(members[0])}, {}
        return {"field": united}, values.united(members, united)

    async def _aggregate(self, query: Query, aggregations: Dsl, runtime: Dsl) -> Dsl:
        """The aggregations' answers; empty where no index is."""
        more: dict[str, Any] = {"runtime_mappings": runtime or None, "track_total_hits": False}
        answer = await self._search(self.query(query), size=0, aggs=aggregations, **more)
        return dict(answer.get("aggregations", {}))

    async def _search(self, query: Dsl, *, index: str | None = None, source: Any = False, **more: Any) -> Any:
        return await self._client.search(
            index=index or self._cluster.sessions,
            query=query,
            source=source,
            allow_partial_search_results=False,
            ignore_unavailable=True,
            **more,
        )

    async def _walk(self, query: Dsl, order: list[Dsl], source: Dsl) -> AsyncIterator[Any]:
        """All hits in order, over the indices as they are when the walk begins."""
        if not await self._client.indices.exists(index=self._cluster.sessions, allow_no_indices=False):
            return
        view = (await self._client.open_point_in_time(index=self._cluster.sessions, keep_alive=_VIEW))["id"]
        try:
            after: Dsl = {}
            while True:
                answer = await self._client.search(
                    pit={"id": view, "keep_alive": _VIEW},
                    query=query,
                    sort=order,
                    size=_PORTION,
                    source=source,
                    track_total_hits=False,
                    allow_partial_search_results=False,
                    **after,
                )
                view = answer["pit_id"]
                hits = answer["hits"]["hits"]
                for hit in hits:
                    yield hit
                if len(hits) < _PORTION:
                    return
                after = {"search_after": hits[-1]["sort"]}
        finally:
            await self._client.close_point_in_time(id=view)


def _source(fields: Sequence[str] | None) -> Dsl:
    includes = {} if fields is None else {"includes": ["id", *fields]}
    return {**includes, "excludes": list(_INTERNAL)}


def _commonest(limit: int, order: Weight) -> Dsl:
    by = "_count" if order == "sessions" else order
    per_shard = max(_LEAST_PER_SHARD, 2 * limit)
    return {"size": limit, "shard_size": per_shard, "order": [{by: "desc"}, {"_key": "asc"}]}


def _buckets(answer: Dsl, split: Value | None = None) -> list[Bucket]:
    found = answer.get("time", {}).get("buckets", ())
    return [
        Bucket(each["key"], int(each["sum"]["value"]) if "sum" in each else each["doc_count"], split) for each in found
    ]


def _link(ends: Sequence[Field], bucket: Any) -> Link:
    source, destination = (values.shown(end, key) for end, key in zip(ends, bucket["key"].values(), strict=True))
    return Link(
        source, destination, bucket["doc_count"], int(bucket["packets"]["value"]), int(bucket["bytes"]["value"])
    )


def _document(hit: Any) -> Document:
    return dict(hit["_source"])
