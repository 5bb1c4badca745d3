"""All sessions of a question by time, a page at a time.

A page costs a store about the same wherever it lies, so a long question is cut into spans of time with few sessions in
each, and the store looks only into what holds that span: the time that millions of sessions take grows as they do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from hayrick_collector.expression import Catalogue, Interval, Match, conjunction
from hayrick_collector.store import Document, Query, Store
from hayrick_collector.store.interface import Direction
from hayrick_collector.store.questions import known

PAGE = 2000
_SPANS = 2000
_FIRST_PACKET = "firstPacket"


async def documents(store: Store, catalogue: Catalogue, query: Query) -> AsyncIterator[list[Document]]:
    """Pages of documents, the first packet's time rising. The question's sort, limit and cursor are not used."""
    for first, last in await _spans(store, query):
        asked = _within(catalogue, query, first, last)
        while True:
            page = await store.find(asked)
            if page.items:
                yield page.items
            if page.cursor is None:
                break
            asked = replace(asked, cursor=page.cursor)


async def _spans(store: Store, query: Query) -> list[tuple[int, int]]:
    """First and last millisecond of the spans, which hold a few pages of sessions each where there are many."""
    first, last = await _edge(store, query, "asc"), await _edge(store, query, "desc")
    if first is None or last is None:
        return []
    interval = max(1, (last - first) // _SPANS + 1)
    spans: list[tuple[int, int]] = []
    held = PAGE
    for bucket in await store.histogram(query, interval):
        if held + bucket.value > PAGE:
            spans.append((bucket.start_ms, bucket.start_ms + interval - 1))
            held = 0
        spans[-1] = (spans[-1][0], bucket.start_ms + interval - 1)
        held += bucket.value
    return spans


async def _edge(store: Store, query: Query, direction: Direction) -> int | None:
    sort = [(_FIRST_PACKET, direction)]
    asked = replace(query, sort=sort, limit=1, cursor=None, fields=(_FIRST_PACKET,), total=False)
    items = (await store.find(asked)).items
    return int(items[0][_FIRST_PACKET]) if items else None


def _within(catalogue: Catalogue, query: Query, first: int, last: int) -> Query:
    began = Match(known(catalogue, _FIRST_PACKET), (Interval(first, last),))
    return replace(
        query,
        expression=conjunction([query.node, began]),
        start_ms=first if query.start_ms is None else max(first, query.start_ms),
        stop_ms=last if query.stop_ms is None else min(last, query.stop_ms),
        sort=[(_FIRST_PACKET, "asc")],
        limit=PAGE,
        cursor=None,
        total=False,
    )
