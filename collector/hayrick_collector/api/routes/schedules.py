"""Scheduled queries: make one, see how it does, run it now."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from hayrick_collector.api.models import Document
from hayrick_collector.api.routes import BackendDep
from hayrick_collector.api.security import PersonDep, needs
from hayrick_collector.backend import Search
from hayrick_collector.schedules.action import Action, Export

router = APIRouter(prefix="/api/schedules", tags=["schedules"])
Name = Annotated[str, Path(max_length=64)]
TAGGER = Depends(needs("tagger"))


class ScheduleRequest(BaseModel):
    """A query and what to do with the sessions that it finds among those that are new since its last run."""

    name: str = Field(max_length=64)
    expression: str = Field("", max_length=100_000)
    zone: str = Field("", max_length=64)
    every_s: int = Field(3600, description="seconds between two runs")
    stored: bool = Field(False, description="the first run is about all that is stored, not only what is new")
    tags: list[str] = Field([], max_length=20)
    webhook: str = Field("", max_length=2000, description="an address that the collector's settings allow")
    export: Export = ""


class SchedulesAnswer(BaseModel):
    """Schedules by name."""

    items: list[Document]


@router.post("", status_code=201, dependencies=[TAGGER], name="add_schedule")
async def add(backend: BackendDep, person: PersonDep, body: ScheduleRequest) -> Document:
    """Have a query asked again and again."""
    search = Search(body.expression, zone=body.zone, person=person)
    action = Action(tuple(body.tags), body.webhook, body.export)
    return await backend.add_schedule(body.name, search, body.every_s, action, stored=body.stored)


@router.get("", dependencies=[Depends(needs("packets"))])
async def schedules(backend: BackendDep) -> SchedulesAnswer:
    """All schedules, with what each found and what went wrong at its last run."""
    return SchedulesAnswer(items=await backend.schedules())


@router.post("/{name}/run", dependencies=[TAGGER], name="run_schedule")
async def run(backend: BackendDep, name: Name) -> Document:
    """Run it now; the answer comes when it is done."""
    return await backend.run_schedule(name)


@router.delete("/{name}", status_code=204, dependencies=[TAGGER], name="remove_schedule")
async def remove(backend: BackendDep, name: Name) -> None:
    """Forget a schedule. What it tagged and exported stays."""
    await backend.remove_schedule(name)
