"""Cases: opened, given sessions, shown with their sources, and handed out as one zip."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from hayrick_collector import casefile
from hayrick_collector.api.models import TagsAnswer
from hayrick_collector.api.routes import BackendDep
from hayrick_collector.api.security import PersonDep, needs, noted
from hayrick_collector.backend import Search
from hayrick_collector.desk.cases import Case, Cases, State

router = APIRouter(prefix="/api", tags=["cases"])
READS = [Depends(needs("viewer"))]
WRITES = [Depends(needs("tagger"))]
EXPORTS = [Depends(needs("packets", audit="export"))]
Name = Annotated[str, Path(max_length=100)]
Title = Annotated[str, Field(max_length=300, examples=["Beacon from the lab"])]
Text = Annotated[str, Field(max_length=100_000)]
Members = Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=1000, examples=[["ann", "bob"]])]


class CaseRequest(BaseModel):
    """A new case; its name is the tag of its sessions."""

    name: str = Field(max_length=100, examples=["case-2026-11"])
    title: Title = ""
    description: Text = ""
    members: Members = []


class CaseChange(BaseModel):
    """What is to change; the rest stays."""

    title: Title | None = None
    description: Text | None = None
    members: Members | None = None
    state: State | None = None


class CaseAnswer(BaseModel):
    """A case. Times are epoch ms."""

    name: str
    title: str
    description: str
    owner: str
    members: list[str]
    state: State
    created_ms: int
    changed_ms: int


class CasesAnswer(BaseModel):
    """Cases, those changed last first."""

    items: list[CaseAnswer]


class EvidenceAnswer(BaseModel):
    """A source of a case: a chunk, and the SHA-256 of its capture (unpacked). Times are epoch ms."""

    chunk: str
    sha256: str
    name: str
    size: int
    landed_ms: int
    added_ms: int


class ManifestAnswer(BaseModel):
    """A case with the number of its sessions and all that these came from, or ever came from."""

    case: CaseAnswer
    sessions: int
    sources: list[EvidenceAnswer]


class CaseSessions(BaseModel):
    """Sessions to take into a case, or out of it."""

    expression: str = Field(max_length=100_000, examples=["ip == 10.1.0.5"])
    start: int | None = Field(None, description="epoch ms")
    stop: int | None = Field(None, description="epoch ms")
    zone: str = Field("", max_length=64)
    remove: bool = False


def cases_of(backend: BackendDep) -> Cases:
    """The cases of this collector."""
    return Cases(backend.desk)


CasesDep = Annotated[Cases, Depends(cases_of)]


@router.get("/cases", dependencies=READS)
async def cases(kept: CasesDep) -> CasesAnswer:
    """All cases."""
    return CasesAnswer(items=[_case(each) for each in await asyncio.to_thread(kept.all)])


@router.post("/cases", status_code=201, dependencies=WRITES)
async def add_case(request: Request, kept: CasesDep, person: PersonDep, body: CaseRequest) -> CaseAnswer:
    """Open a case."""
    noted(request, name=body.name)
    made = await asyncio.to_thread(
        kept.add, body.name, person, title=body.title, description=body.description, members=body.members
    )
    return _case(made)


@router.get("/cases/{name}.zip", response_class=StreamingResponse, dependencies=EXPORTS)
async def case_zip(
    backend: BackendDep,
    kept: CasesDep,
    name: Name,
    person: PersonDep,
) -> StreamingResponse:
    """The case as a zip: its sessions, their packets, notes, sources, and a manifest with the SHA-256 of all."""
    case = await asyncio.to_thread(kept.get, name)
    pieces = casefile.bundle(backend, case, person)
    headers = {"Content-Disposition": f'attachment; filename="{_file_name(name)}.zip"'}
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)


@router.get("/cases/{name}", dependencies=READS)
async def case(backend: BackendDep, kept: CasesDep, person: PersonDep, name: Name) -> ManifestAnswer:
    """One case, with the manifest of its sources."""
    found = await asyncio.to_thread(kept.get, name)
    total = (await backend.search(replace(casefile.search_of(found, person), limit=0))).total
    manifest = [EvidenceAnswer(**asdict(each)) for each in await casefile.sources(backend, found, person)]
    return ManifestAnswer(case=_case(found), sessions=total, sources=manifest)


@router.patch("/cases/{name}", dependencies=WRITES)
async def change_case(request: Request, kept: CasesDep, person: PersonDep, name: Name, body: CaseChange) -> CaseAnswer:
    """Change a case, close it, open it again: its owner, its members, administrators."""
    given = body.model_dump(exclude_none=True)
    noted(request, **given)
    return _case(await asyncio.to_thread(kept.change, name, person, **given))


@router.delete("/cases/{name}", status_code=204, dependencies=WRITES)
async def remove_case(kept: CasesDep, person: PersonDep, name: Name) -> None:
    """Forget a case; its sessions keep their tag."""
    await asyncio.to_thread(kept.remove, name, person)


@router.post("/cases/{name}/sessions", dependencies=WRITES)
async def case_sessions(
    request: Request, backend: BackendDep, kept: CasesDep, person: PersonDep, name: Name, body: CaseSessions
) -> TagsAnswer:
    """Take all sessions that match into a case (or out of it)."""
    noted(request, expression=body.expression, remove=body.remove)
    found = await asyncio.to_thread(kept.belongs, name, person)
    search = Search(body.expression, start_ms=body.start, stop_ms=body.stop, zone=body.zone, person=person)
    add, remove = ((), (found.name,)) if body.remove else ((found.name,), ())
    count = await backend.tag(search, add, remove)
    await casefile.sources(backend, found, person)
    return TagsAnswer(sessions=count)


def _case(case: Case) -> CaseAnswer:
    return CaseAnswer.model_validate(asdict(case))


def _file_name(name: str) -> str:
    return "".join(each if (each.isalnum() and each.isascii()) or each in "._-" else "_" for each in name)
