"""Shares: links that end, for people without an account."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field

from hayrick_collector.api.errors import ApiError
from hayrick_collector.api.routes import BackendDep, session_of
from hayrick_collector.api.routes.auth import AccountsDep
from hayrick_collector.api.security import PersonDep, needs, noted
from hayrick_collector.desk.shares import MOST_HOURS
from hayrick_common.errors import UsageError

router = APIRouter(prefix="/api", tags=["shares"])
OWN = [Depends(needs("packets"))]


class ShareRequest(BaseModel):
    """What to show: the sessions of an expression and a time range, or one session. `hours`: until it ends."""

    title: str = Field("", max_length=300)
    expression: str = Field("", max_length=100_000, examples=["protocols == dns"])
    start: int | None = Field(None, description="epoch ms")
    stop: int | None = Field(None, description="epoch ms")
    session: str = Field("", max_length=300, description="a session's id; empty: a search")
    hours: float = Field(24, gt=0, le=MOST_HOURS)


class ShareAnswer(BaseModel):
    """A share. Times are epoch ms."""

    id: int
    owner: str
    title: str
    expression: str
    start_ms: int | None
    stop_ms: int | None
    session: str
    created_ms: int
    until_ms: int


class NewShareAnswer(ShareAnswer):
    """A new share. `link` is its address below this collector's, with the secret, which is never told again."""

    link: str


class SharesAnswer(BaseModel):
    """Shares, the newest first."""

    items: list[ShareAnswer]


class OpenShare(BaseModel):
    """What follows # in the link."""

    code: str = Field(max_length=200)


@router.get("/shares", dependencies=OWN)
async def shares(
    accounts: AccountsDep,
    person: PersonDep,
    everybody: Annotated[bool, Query(alias="all", description="everybody's, for administrators")] = False,
) -> SharesAnswer:
    """One's own shares."""
    if everybody and person.role != "admin":
        raise ApiError(403, "forbidden", "only administrators see everybody's shares")
    found = await asyncio.to_thread(accounts.shares.all, None if everybody else person.name)
    return SharesAnswer(items=[ShareAnswer(**asdict(each)) for each in found])


@router.post("/shares", status_code=201, dependencies=OWN)
async def add_share(
    request: Request, backend: BackendDep, accounts: AccountsDep, person: PersonDep, body: ShareRequest
) -> NewShareAnswer:
    """Share a search or a session. Saved lists and views mean nothing in a share: write out what they hold."""
    asked = body.model_dump()
    noted(request, **asked)
    if not (body.session or body.expression.strip() or body.start is not None or body.stop is not None):
        raise UsageError("say what to share: an expression, a time range or a session")
    backend.check_expression(body.expression)
    if body.session:
        await session_of(backend, person, body.session)
    asked["start_ms"], asked["stop_ms"] = asked.pop("start"), asked.pop("stop")
    made, secret = await asyncio.to_thread(accounts.shares.add, person, **asked)
    return NewShareAnswer(**asdict(made), link=f"/shared#{secret}")


@router.delete("/shares/{number}", status_code=204, dependencies=OWN)
async def remove_share(accounts: AccountsDep, person: PersonDep, number: Annotated[int, Path(ge=1)]) -> None:
    """End one's own share now; administrators, anybody's."""
    await asyncio.to_thread(accounts.shares.remove, number, person)


@router.post("/auth/share")
async def open_share(request: Request, response: Response, accounts: AccountsDep, body: OpenShare) -> ShareAnswer:
    """Open a share by its link; the cookie that comes with the answer lets its holder read what it shows."""
    opened = await asyncio.to_thread(accounts.shares.opened, body.code)
    noted(request, "open share")
    if opened is None:
        raise ApiError(404, "not_found", "this link has ended, or never was")
    share, person = opened
    request.state.person = person
    noted(request, share=share.id)
    response.set_cookie(accounts.share_cookie, body.code, **accounts.cookie_rules)
    return ShareAnswer(**asdict(share))
