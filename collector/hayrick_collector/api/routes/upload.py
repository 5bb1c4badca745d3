"""Captures from a browser: announced, sent as one body, followed until they are searchable."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, Field

from hayrick_collector.api.errors import ApiError
from hayrick_collector.api.routes import BackendDep
from hayrick_collector.api.security import PersonDep, needs, noted
from hayrick_collector.api.uploads import Upload, Uploads
from hayrick_collector.direct import DirectBackend
from hayrick_collector.tags import check_tags
from hayrick_common.errors import CaptureError

router = APIRouter(prefix="/api", tags=["upload"])
WRITES = [Depends(needs("tagger", audit="upload"))]
READS = [Depends(needs("tagger"))]
Id = Annotated[str, Path(max_length=50)]


class UploadRequest(BaseModel):
    """A capture that is to come. `size`: its bytes, if they are known."""

    name: str = Field(max_length=1024, examples=["evidence.pcap.gz"])
    size: int | None = Field(None, ge=0)
    tags: list[Annotated[str, Field(max_length=1000)]] = Field([], max_length=100, examples=[["case_one"]])


class UploadProgress(BaseModel):
    """How far an upload is. `received`: bytes so far; `sessions`: found so far; `key`: its chunk's, at /api/chunks."""

    id: str
    name: str
    tags: list[str]
    size: int | None
    received: int
    state: Literal["waiting", "receiving", "landed", "indexing", "indexed", "failed"]
    sessions: int
    key: str
    error: str


def uploads_of(request: Request) -> Uploads:
    """The uploads of this collector."""
    return cast(Uploads, request.app.state.uploads)


UploadsDep = Annotated[Uploads, Depends(uploads_of)]


@router.post("/upload", status_code=201, dependencies=READS)
async def announce_upload(
    backend: BackendDep, uploads: UploadsDep, person: PersonDep, body: UploadRequest
) -> UploadProgress:
    """Announce a capture; the answer's id is where to send it."""
    made = uploads.announce(person, body.name, check_tags(body.tags), body.size)
    return await _told(backend, made)


@router.put("/upload/{id}", dependencies=WRITES)
async def send_upload(
    request: Request, backend: BackendDep, uploads: UploadsDep, person: PersonDep, id: Id
) -> UploadProgress:
    """Send the announced capture as the request's body (pcap or pcapng, plain, gzip or zstd). The answer comes when it
    is durable; ask by GET how far it is before, and until it is indexed after."""
    upload = uploads.get(id, person)
    noted(request, name=upload.name, tags=upload.tags)
    if upload.state != "waiting":
        raise ApiError(409, "conflict", f"this upload is {upload.state}: announce another")
    length = request.headers.get("content-length", "")
    uploads.fits(int(length) if length.isdecimal() else None)
    upload.state = "receiving"
    try:
        pieces = uploads.counted(request.stream(), upload)
        landed = await backend.receive(pieces, name=upload.name, tags=upload.tags)
    except BaseException as error:
        upload.state = "failed"
        upload.error = str(error) if isinstance(error, (CaptureError, ApiError)) else "it broke off"
        raise
    upload.key, upload.state = landed.key, "received"
    return await _told(backend, upload)


@router.get("/upload/{id}", dependencies=READS)
async def upload_progress(backend: BackendDep, uploads: UploadsDep, person: PersonDep, id: Id) -> UploadProgress:
    """How far an upload is."""
    return await _told(backend, uploads.get(id, person))


async def _told(backend: DirectBackend, upload: Upload) -> UploadProgress:
    state: str = upload.state
    sessions, error = 0, upload.error
    if upload.state == "received":
        row, found = await backend.chunk(upload.key)
        state = row["state"] if row else "failed"
        sessions = (row and row["sessions"]) or found or 0
        error = (row["error"] or "") if row else "retention took it"
    told = {name: getattr(upload, name) for name in ("id", "name", "tags", "size", "received", "key")}
    return UploadProgress.model_validate({**told, "state": state, "sessions": sessions, "error": error})
