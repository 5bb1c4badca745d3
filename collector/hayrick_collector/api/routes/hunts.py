"""Hunts: make one, watch it, pause it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from hayrick_collector.api.models import Document
from hayrick_collector.api.routes import BackendDep
from hayrick_collector.api.security import PersonDep, needs
from hayrick_collector.backend import Search
from hayrick_collector.hunts.spec import Kind, Side, Spec

router = APIRouter(prefix="/api/hunts", tags=["hunts"])
Name = Annotated[str, Path(max_length=64)]
TAGGER = Depends(needs("tagger"))


class HuntRequest(BaseModel):
    """What to look for (`hunts.spec.Spec`), in the packets of which sessions. Times are epoch ms."""

    name: str = Field(max_length=64, description="found sessions get the tag hunt:NAME")
    expression: str = Field("", max_length=100_000)
    start: int | None = None
    stop: int | None = None
    zone: str = Field("", max_length=64)
    kind: Kind
    pattern: str = Field(max_length=4 << 20, description="text, hex digits, a regex, a capture filter or YARA rules")
    case: bool = Field(False, description="text and regexes tell capitals apart")
    raw: bool = Field(False, description="each packet with its headers, instead of each side's bytes in order")
    side: Side = "both"


class HuntsAnswer(BaseModel):
    """Hunts, the latest first."""

    items: list[Document]


@router.post("", status_code=201, dependencies=[TAGGER], name="add_hunt")
async def add(backend: BackendDep, person: PersonDep, body: HuntRequest) -> Document:
    """Have packets searched. The answer comes once the pattern was compiled; the hunt then runs by itself."""
    search = Search(body.expression, body.start, body.stop, zone=body.zone, person=person)
    spec = Spec(body.kind, body.pattern, body.case, body.raw, body.side)
    return await backend.add_hunt(body.name, search, spec)


@router.get("", dependencies=[Depends(needs("packets"))])
async def hunts(backend: BackendDep) -> HuntsAnswer:
    """All hunts, with how far each came."""
    return HuntsAnswer(items=await backend.hunts())


@router.get("/{name}", dependencies=[Depends(needs("packets"))])
async def hunt(backend: BackendDep, name: Name) -> Document:
    """One hunt."""
    return await backend.hunt(name)


@router.post("/{name}/{action}", dependencies=[TAGGER], name="change_hunt")
async def change(backend: BackendDep, name: Name, action: Literal["pause", "resume"]) -> Document:
    """Pause a hunt, or let it go on."""
    await backend.change_hunt(name, action)
    return await backend.hunt(name)


@router.delete("/{name}", status_code=204, dependencies=[TAGGER], name="remove_hunt")
async def remove(backend: BackendDep, name: Name) -> None:
    """Forget a hunt, which stops if it runs. The tags it gave stay."""
    await backend.change_hunt(name, "remove")
