"""Saved views, and lists of values that `$name` stands for: one's own, and those that others share."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from hayrick_collector.api.routes import BackendDep
from hayrick_collector.api.security import PersonDep, needs
from hayrick_collector.desk.lists import MOST_VALUES, Lists, ValueList
from hayrick_collector.desk.views import View, Views

router = APIRouter(prefix="/api", tags=["views and lists"], dependencies=[Depends(needs("viewer"))])
Name = Annotated[str, Field(pattern=r"^[\w.-]{1,64}$", examples=["bad-hosts"])]
Id = Annotated[int, Path(ge=1)]


class ViewRequest(BaseModel):
    """A view; `span` is its time range as the page writes it: `24h`, two times with a slash between, or nothing."""

    name: Annotated[str, Field(min_length=1, max_length=100, examples=["DNS to the outside"])]
    shared: bool = False
    expression: str = Field("", max_length=100_000, examples=["protocols == dns"])
    columns: list[Annotated[str, Field(max_length=200)]] = Field([], max_length=200, examples=[["source.ip"]])
    sort: str = Field("", max_length=1000, examples=["firstPacket:desc"])
    span: str = Field("", max_length=200, examples=["24h"])


class ViewAnswer(ViewRequest):
    """A view that is kept. `changed_ms`: epoch ms."""

    id: int
    owner: str
    changed_ms: int


class ViewsAnswer(BaseModel):
    """Views by name, one's own first."""

    items: list[ViewAnswer]


class ListRequest(BaseModel):
    """A list; `$name` in an expression stands for its values, which are written without quotes here."""

    name: Name
    shared: bool = False
    kind: str = Field("text", pattern=r"^[\w.-]{1,32}$", examples=["ip"])
    about: str = Field("", max_length=2000)
    values: list[Annotated[str, Field(min_length=1, max_length=4096)]] = Field(
        [], max_length=MOST_VALUES, examples=[["10.1.0.0/16", "192.0.2.7"]]
    )


class ListAnswer(ListRequest):
    """A list that is kept."""

    id: int
    owner: str
    changed_ms: int


class ListsAnswer(BaseModel):
    """Lists by name, one's own first."""

    items: list[ListAnswer]


def views_of(backend: BackendDep) -> Views:
    """The views of this collector."""
    return Views(backend.desk)


def lists_of(backend: BackendDep) -> Lists:
    """The lists of this collector."""
    return Lists(backend.desk)


ViewsDep = Annotated[Views, Depends(views_of)]
ListsDep = Annotated[Lists, Depends(lists_of)]


@router.get("/views")
async def views(things: ViewsDep, person: PersonDep) -> ViewsAnswer:
    """One's own views and those that are shared."""
    return ViewsAnswer(items=[_view(each) for each in await asyncio.to_thread(things.seen_by, person)])


@router.post("/views", status_code=201)
async def add_view(things: ViewsDep, person: PersonDep, body: ViewRequest) -> ViewAnswer:
    """Save a view."""
    return _view(await asyncio.to_thread(things.add, _as_view(body, owner=person.name)))


@router.get("/views/{number}")
async def view(things: ViewsDep, person: PersonDep, number: Id) -> ViewAnswer:
    """One view."""
    return _view(await asyncio.to_thread(things.get, number, person))


@router.put("/views/{number}")
async def change_view(things: ViewsDep, person: PersonDep, number: Id, body: ViewRequest) -> ViewAnswer:
    """Replace one's own view."""
    return _view(await asyncio.to_thread(things.change, _as_view(body, id=number), person))


@router.delete("/views/{number}", status_code=204)
async def remove_view(things: ViewsDep, person: PersonDep, number: Id) -> None:
    """Forget one's own view."""
    await asyncio.to_thread(things.remove, number, person)


@router.get("/lists")
async def lists(things: ListsDep, person: PersonDep) -> ListsAnswer:
    """One's own lists and those that are shared."""
    return ListsAnswer(items=[_list(each) for each in await asyncio.to_thread(things.seen_by, person)])


@router.post("/lists", status_code=201)
async def add_list(things: ListsDep, person: PersonDep, body: ListRequest) -> ListAnswer:
    """Save a list."""
    return _list(await asyncio.to_thread(things.add, _as_list(body, owner=person.name)))


@router.get("/lists/{number}", name="value_list")
async def one_list(things: ListsDep, person: PersonDep, number: Id) -> ListAnswer:
    """One list."""
    return _list(await asyncio.to_thread(things.get, number, person))


@router.put("/lists/{number}")
async def change_list(things: ListsDep, person: PersonDep, number: Id, body: ListRequest) -> ListAnswer:
    """Replace one's own list."""
    return _list(await asyncio.to_thread(things.change, _as_list(body, id=number), person))


@router.delete("/lists/{number}", status_code=204)
async def remove_list(things: ListsDep, person: PersonDep, number: Id) -> None:
    """Forget one's own list."""
    await asyncio.to_thread(things.remove, number, person)


def _as_view(body: ViewRequest, *, owner: str = "", id: int = 0) -> View:
    return View(owner=owner, id=id, **{**body.model_dump(), "columns": tuple(body.columns)})


def _as_list(body: ListRequest, *, owner: str = "", id: int = 0) -> ValueList:
    return ValueList(owner=owner, id=id, **{**body.model_dump(), "values": tuple(body.values)})


def _view(thing: View) -> ViewAnswer:
    return ViewAnswer.model_validate(asdict(thing))


def _list(thing: ValueList) -> ListAnswer:
    return ListAnswer.model_validate(asdict(thing))
