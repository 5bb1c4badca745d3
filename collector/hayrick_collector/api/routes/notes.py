"""Notes on sessions. Who may not see a session sees no notes on it."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from hayrick_collector.api.errors import ApiError
from hayrick_collector.api.routes import BackendDep, Cursor, page, session_of
from hayrick_collector.api.security import PersonDep, needs
from hayrick_collector.desk.notes import Note, Notes

router = APIRouter(prefix="/api", tags=["notes"])
READS = [Depends(needs("viewer"))]
WRITES = [Depends(needs("tagger"))]
Id = Annotated[int, Path(ge=1)]
Session = Annotated[str, Field(min_length=1, max_length=300)]
Text = Annotated[str, Field(min_length=1, max_length=20_000, examples=["beacon every 60 s, see case one"])]


class NoteRequest(BaseModel):
    """A note on the session with the id `session`."""

    session: Session
    text: Text


class NoteChange(BaseModel):
    """The note's new text."""

    text: Text


class NoteAnswer(BaseModel):
    """A note. Times are epoch ms."""

    id: int
    session: str
    author: str
    text: str
    created_ms: int
    changed_ms: int


class NotesAnswer(BaseModel):
    """Notes: a session's the oldest first, else the newest first; `cursor` fetches older ones, null at the end."""

    items: list[NoteAnswer]
    cursor: str | None


def notes_of(backend: BackendDep) -> Notes:
    """The notes of this collector."""
    return Notes(backend.desk)


NotesDep = Annotated[Notes, Depends(notes_of)]


@router.get("/notes", dependencies=READS)
async def notes(
    backend: BackendDep,
    kept: NotesDep,
    person: PersonDep,
    session: Annotated[str, Query(max_length=300, description="the id of a session; empty: of all")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Cursor = None,
) -> NotesAnswer:
    """Notes on one session, or the latest on any."""
    if session:
        await session_of(backend, person, session)
        return NotesAnswer(items=[_note(each) for each in await asyncio.to_thread(kept.on, session)], cursor=None)
    if person.limited:
        raise ApiError(403, "forbidden", "name a session: some are hidden from you")
    before = int(cursor) if cursor else None
    found = await asyncio.to_thread(kept.latest, before=before, limit=limit + 1)
    shown, more = page(found, limit)
    return NotesAnswer(items=[_note(each) for each in shown], cursor=more)


@router.post("/notes", status_code=201, dependencies=WRITES)
async def add_note(backend: BackendDep, kept: NotesDep, person: PersonDep, body: NoteRequest) -> NoteAnswer:
    """Write a note on a session."""
    await session_of(backend, person, body.session)
    return _note(await asyncio.to_thread(kept.add, body.session, person, body.text))


@router.put("/notes/{number}", dependencies=WRITES)
async def change_note(kept: NotesDep, person: PersonDep, number: Id, body: NoteChange) -> NoteAnswer:
    """Write one's own note anew."""
    return _note(await asyncio.to_thread(kept.change, number, person, body.text))


@router.delete("/notes/{number}", status_code=204, dependencies=WRITES)
async def remove_note(kept: NotesDep, person: PersonDep, number: Id) -> None:
    """Take one's own note back."""
    await asyncio.to_thread(kept.remove, number, person)


def _note(note: Note) -> NoteAnswer:
    return NoteAnswer.model_validate(asdict(note))
