"""Searching, one session, and packets as a capture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from hayrick_collector.api.errors import ApiError
from hayrick_collector.api.models import (
    Document,
    SessionsPage,
    TagsAnswer,
    TagsRequest,
)
from hayrick_collector.api.routes import BackendDep, Limit, SearchDep, names, session_of, sort_of
from hayrick_collector.api.security import PersonDep, needs, noted
from hayrick_collector.backend import CaptureFormat, Export, Missing, Search, Table
from hayrick_collector.tags import check_tags

router = APIRouter(prefix="/api", tags=["sessions"])
EXPORTS = [Depends(needs("packets", audit="export"))]
READS = [Depends(needs("shared"))]
TABLES = [Depends(needs("viewer", audit="export"))]
Columns = Annotated[str, Query(description="names of fields, by commas; default: whole documents, or the usual fields")]
MOST_MISSING = 50
_MEDIA_TYPES = {
    "pcap": "application/vnd.tcpdump.pcap",
    "pcapng": "application/x-pcapng",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}


@router.get("/sessions", dependencies=[Depends(needs("shared", audit="search"))])
async def sessions(
    backend: BackendDep,
    search: SearchDep,
    sort: Annotated[str, Query(description="firstPacket:desc, network.bytes:desc,id …")] = "firstPacket:desc",
    limit: Limit = 100,
    cursor: Annotated[str | None, Query(description="from the page before")] = None,
    fields: Annotated[str, Query(description="document names, by commas; empty: whole documents")] = "",
) -> SessionsPage:
    """Sessions that match, a page of them."""
    found = await backend.search(
        replace(search, sort=sort_of(sort), limit=limit, cursor=cursor or None, fields=names(fields))
    )
    return SessionsPage(total=found.total, items=found.items, cursor=found.cursor)


@router.get("/sessions.pcap", response_class=StreamingResponse, dependencies=EXPORTS)
@router.get("/sessions.pcapng", response_class=StreamingResponse, dependencies=EXPORTS, include_in_schema=False)
async def packets(
    backend: BackendDep,
    search: SearchDep,
    file_format: Annotated[CaptureFormat | None, Query(alias="format", description="default: pcap if possible")] = None,
) -> StreamingResponse:
    """The packets of all sessions that match, in time order."""
    return _capture(await backend.export(search, file_format), "sessions")


@router.get("/sessions.ndjson", response_class=StreamingResponse, dependencies=TABLES)
async def sessions_ndjson(backend: BackendDep, search: SearchDep, fields: Columns = "") -> StreamingResponse:
    """All sessions that match by time, one JSON document a line."""
    return _table(await backend.table(replace(search, fields=names(fields)), "ndjson"))


@router.get("/sessions.csv", response_class=StreamingResponse, dependencies=TABLES)
async def sessions_csv(backend: BackendDep, search: SearchDep, fields: Columns = "") -> StreamingResponse:
    """All sessions that match by time, as CSV; cells that a spreadsheet would run begin with an apostrophe."""
    return _table(await backend.table(replace(search, fields=names(fields)), "csv"))


@router.get("/sessions.parquet", response_class=StreamingResponse, dependencies=TABLES)
async def sessions_parquet(backend: BackendDep, search: SearchDep, fields: Columns = "") -> StreamingResponse:
    """All sessions that match by time, as Parquet: addresses as text, times as timestamps, many values as lists."""
    return _table(await backend.table(replace(search, fields=names(fields)), "parquet"))


@router.get("/sessions/{session_id}.pcap", response_class=StreamingResponse, dependencies=EXPORTS)
async def session_packets(
    backend: BackendDep,
    person: PersonDep,
    session_id: str,
    file_format: Annotated[CaptureFormat | None, Query(alias="format")] = None,
) -> StreamingResponse:
    """One session's packets."""
    export = await backend.export(Search(person=person), file_format, session_id=session_id)
    if export.sessions == 0:
        raise ApiError(404, "not_found", f"no session {session_id[:100]}")
    return _capture(export, session_id)


@router.get("/sessions/{session_id}", dependencies=READS)
async def session(backend: BackendDep, person: PersonDep, session_id: str) -> Document:
    """One session's whole document."""
    return await session_of(backend, person, session_id)


@router.post("/tags", dependencies=[Depends(needs("tagger", audit="tag"))])
async def tags(request: Request, backend: BackendDep, person: PersonDep, body: TagsRequest) -> TagsAnswer:
    """Add tags to, and remove tags from, all sessions that match."""
    noted(request, expression=body.expression, add=body.add, remove=body.remove)
    search = Search(expression=body.expression, start_ms=body.start, stop_ms=body.stop, zone=body.zone, person=person)
    return TagsAnswer(sessions=await backend.tag(search, check_tags(body.add), check_tags(body.remove)))


def told(missing: Sequence[Missing]) -> list[Missing]:
    """What goes into a header: the first chunks, and all others of a reason together."""
    shown = [Missing(each.chunk, each.packets, each.reason[:200]) for each in missing[:MOST_MISSING]]
    rest = sum(each.packets for each in missing[MOST_MISSING:])
    more = len(missing) - len(shown)
    return [*shown, *([Missing(f"{more} more chunks", rest, "likewise, or otherwise")] if more else [])]


def _table(table: Table) -> StreamingResponse:
    headers = {
        "Content-Disposition": f'attachment; filename="sessions.{table.format}"',
        "X-Hayrick-Sessions": str(table.sessions),
    }
    return StreamingResponse(table.pieces, media_type=_MEDIA_TYPES[table.format], headers=headers)


def _capture(export: Export, name: str) -> StreamingResponse:
    missing = told(export.missing)
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.{export.format}"',
        "X-Hayrick-Sessions": str(export.sessions),
        "X-Hayrick-Packets": str(export.packets),
        "X-Hayrick-Missing": json.dumps([[each.chunk, each.packets, each.reason] for each in missing]),
        "X-Hayrick-Format": export.format,
    }
    if export.sessions and not export.packets and export.missing:
        reasons = "; ".join(f"{each.packets} of {each.chunk}: {each.reason}" for each in missing)
        lacking = sum(each.packets for each in missing)
        raise ApiError(410, "gone", f"all {lacking} packets are missing: {reasons}"[:2000])
    return StreamingResponse(export.pieces, media_type=_MEDIA_TYPES[export.format], headers=headers)
