"""Sums over the sessions that match: facets, unique values, histograms, graphs."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from hayrick_collector.api.models import Facets, FacetValue, Graph, Histogram, HistogramBucket, Unique, UniqueValue
from hayrick_collector.api.routes import BackendDep, Limit, SearchDep
from hayrick_collector.api.security import needs
from hayrick_collector.backend import Weight

router = APIRouter(prefix="/api", tags=["explore"], dependencies=[Depends(needs("shared"))])
_LINES = 1_000

FieldName = Annotated[str, Query(description="a field's name in expressions or documents")]


@router.get("/facets")
async def facets(
    backend: BackendDep, search: SearchDep, field: FieldName, limit: Limit = 20, order: Weight = "sessions"
) -> Facets:
    """A field's commonest values among the sessions that match, with what these sessions hold."""
    items = await backend.facets(search, field, limit, order)
    return Facets(field=field, items=[FacetValue.model_validate(item) for item in items])


@router.get("/unique")
async def unique(backend: BackendDep, search: SearchDep, field: FieldName, limit: Limit = 1_000) -> Unique:
    """A field's values among the sessions that match, the first of them in order."""
    async with aclosing(backend.unique(search, field, limit + 1)) as found:
        items = [UniqueValue.model_validate(item) async for item in found]
    return Unique(field=field, items=items[:limit], more=len(items) > limit)


@router.get("/unique.ndjson", response_class=StreamingResponse)
async def all_unique(
    backend: BackendDep,
    search: SearchDep,
    field: FieldName,
    limit: Annotated[int | None, Query(ge=0, description="at most so many; all by default")] = None,
) -> StreamingResponse:
    """All values of a field in order, one {"value", "sessions"} a line, sent as they are found."""
    lines = _lines(backend.unique(search, field, limit))
    first = await anext(lines, b"")  # a question that is wrong is answered with an error, not broken off
    return StreamingResponse(_with(first, lines), media_type="application/x-ndjson")


@router.get("/histogram")
async def histogram(
    backend: BackendDep,
    search: SearchDep,
    interval: Annotated[int, Query(ge=1, description="milliseconds")] = 60_000,
    metric: Annotated[
        str, Query(description="sessions, packets, bytes, databytes, or the name of a field of whole numbers")
    ] = "sessions",
    split: Annotated[str, Query(description="a field: each of its commonest values apart")] = "",
    limit: Annotated[int, Query(ge=1, le=100, description="so many values to split by")] = 10,
) -> Histogram:
    """An amount over time, by first packet."""
    found = await backend.histogram(search, interval, metric, split, limit)
    items = [HistogramBucket.model_validate(item) for item in found]
    return Histogram(interval_ms=interval, metric=metric, split=split or None, items=items)


@router.get("/graph")
async def graph(
    backend: BackendDep,
    search: SearchDep,
    source: FieldName = "ip.src",
    destination: FieldName = "ip.dst",
    limit: Limit = 100,
    order: Weight = "sessions",
) -> Graph:
    """Which values of two fields come together in the sessions that match: links and their ends."""
    return Graph.model_validate(await backend.graph(search, source, destination, limit, order))


async def _lines(found: AsyncGenerator[dict[str, Any]]) -> AsyncGenerator[bytes]:
    """Pieces of many lines."""
    lines: list[bytes] = []
    async with aclosing(found):
        async for item in found:
            lines.append(json.dumps(item).encode() + b"\n")
            if len(lines) == _LINES:
                yield b"".join(lines)
                lines = []
    yield b"".join(lines)


async def _with(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(rest):
        yield first
        async for piece in rest:
            yield piece
