"""What came in: uploads, chunks, sensors, and how the collector is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import PlainTextResponse

from hayrick_collector.api import metrics
from hayrick_collector.api.errors import ApiError
from hayrick_collector.api.models import (
    ChunkAnswer,
    ChunksAnswer,
    CoverageAnswer,
    Document,
    FieldsAnswer,
    SensorsAnswer,
    UploadAnswer,
)
from hayrick_collector.api.routes import BackendDep, Limit, SearchDep
from hayrick_collector.api.routes.upload import UploadsDep
from hayrick_collector.api.security import needs, noted
from hayrick_collector.archive.keylog import MOST_KEY_LOG
from hayrick_collector.coverage.answer import MOST_BUCKETS, MOST_GAPS
from hayrick_collector.coverage.timeline import STATES
from hayrick_collector.tags import check_tags
from hayrick_common.clock import epoch_ms

router = APIRouter(tags=["collector"])
READS = [Depends(needs("viewer"))]
WHOLE = [Depends(needs("viewer", whole=True))]


@router.post("/api/ingest", dependencies=[Depends(needs("tagger", audit="upload"))])
async def ingest(
    backend: BackendDep,
    uploads: UploadsDep,
    request: Request,
    name: Annotated[str, Query(max_length=1024, description="the file's name, for people")] = "",
    tag: Annotated[list[str], Query(description="tags of its sessions")] = [],  # noqa: B006 - FastAPI copies it
    force: Annotated[bool, Query(description="index again even when these bytes are known")] = False,
) -> UploadAnswer:
    """Upload one capture as the request's body (pcap or pcapng, plain, gzip or zstd). The answer comes when it is
    durable; follow /api/chunks/{key} until it is indexed."""
    noted(request, name=name)
    upload = await backend.receive(uploads.counted(request.stream()), name=name, tags=check_tags(tag), force=force)
    return UploadAnswer(key=upload.key, new=upload.new, size=upload.size, state=upload.state, added=list(upload.added))


@router.get("/api/chunks", dependencies=WHOLE)
async def chunks(
    backend: BackendDep,
    state: Annotated[str | None, Query(pattern="^(landed|indexing|indexed|failed)$")] = None,
    limit: Limit = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> ChunksAnswer:
    """Chunks, the last landed first."""
    return ChunksAnswer(items=await backend.chunks(state=state, limit=limit, offset=offset))


@router.get("/api/chunks/{key}", dependencies=READS)
async def chunk(backend: BackendDep, key: str) -> ChunkAnswer:
    """One chunk."""
    row, progress = await backend.chunk(key)
    if row is None:
        raise ApiError(404, "not_found", f"no chunk {key[:200]}")
    return ChunkAnswer(chunk=row, progress=progress)


@router.post("/api/chunks/{key}/secrets", status_code=202, dependencies=[Depends(needs("tagger", audit="upload"))])
async def secrets(backend: BackendDep, request: Request, key: str) -> None:
    """Keep the key log that is the request's body (as SSLKEYLOGFILE has it) beside a chunk, and index it again: what
    its secrets open of TLS is decoded too."""
    text = bytearray()
    async for piece in request.stream():
        text += piece
        if len(text) > MOST_KEY_LOG:
            raise ApiError(413, "too_large", f"more than {MOST_KEY_LOG} bytes")
    await backend.add_secrets(key, bytes(text))


@router.get("/api/sensors", dependencies=READS)
async def sensors(backend: BackendDep) -> SensorsAnswer:
    """Sensors that were heard of."""
    return SensorsAnswer(items=await backend.sensors())


@router.get("/api/fields", dependencies=[Depends(needs("shared"))])
async def fields(backend: BackendDep) -> FieldsAnswer:
    """The catalogue of fields."""
    return FieldsAnswer(items=await backend.fields())


@router.get("/api/status", dependencies=READS)
async def status(backend: BackendDep) -> Document:
    """Chunks by state, backlog, sensors, totals, disk, anomalies."""
    return await backend.status()


@router.get("/api/coverage", dependencies=READS)
async def coverage(
    backend: BackendDep,
    asked: SearchDep,
    sensor: Annotated[str, Query(max_length=64, description="empty: every sensor")] = "",
    stream: Annotated[str, Query(max_length=64, description="empty: every stream")] = "",
    buckets: Annotated[int, Query(ge=1, le=MOST_BUCKETS, description="most spans a stream")] = 200,
    gaps: Annotated[int, Query(ge=0, le=MOST_GAPS, description="most gaps a stream, the last ones")] = 100,
) -> CoverageAnswer:
    """Which times of each stream are searchable, on their way, or missing, and why; by default of the last 24 hours.

    Where a stream has more spans than `buckets`, stretches of equal length tell the worst state in each."""
    stop_ms = epoch_ms() if asked.stop_ms is None else asked.stop_ms
    start_ms = stop_ms - 86_400_000 if asked.start_ms is None else asked.start_ms
    found = await backend.coverage(start_ms, stop_ms, sensor=sensor, stream=stream, buckets=buckets, gaps=gaps)
    return CoverageAnswer(**found, meanings=STATES)


@router.get("/healthz", response_class=PlainTextResponse)
async def alive() -> str:
    """The process answers."""
    return "ok\n"


@router.get("/readyz", response_class=PlainTextResponse)
async def ready(backend: BackendDep) -> str:
    """The store answers too."""
    await backend.check()
    return "ok\n"


@router.get("/metrics", response_class=PlainTextResponse, dependencies=READS)
async def prometheus(backend: BackendDep) -> str:
    """Counters and gauges for Prometheus."""
    return metrics.render(await backend.status())
