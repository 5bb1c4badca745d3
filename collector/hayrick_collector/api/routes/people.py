"""Users, API tokens and the audit log: the administrator's side of accounts, and everybody's own tokens."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, Field

from hayrick_collector.api.errors import ApiError
from hayrick_collector.api.routes import BackendDep, Cursor, SearchDep, page
from hayrick_collector.api.routes.auth import AccountsDep, Password
from hayrick_collector.api.security import PersonDep, needs, noted
from hayrick_collector.desk.people import How, Person, Role
from hayrick_collector.desk.tokens import MOST_DAYS
from hayrick_collector.desk.users import User

router = APIRouter(prefix="/api", tags=["accounts"])
ADMIN = [Depends(needs("admin"))]
OWN = [Depends(needs("viewer"))]
UserName = Annotated[str, Path(max_length=64)]
Expression = Annotated[str, Field(max_length=100_000, examples=["ip == 10.0.0.0/8"])]


class UserRequest(BaseModel):
    """A new account. `expression` is ANDed to everything the user asks for; without a password the account is for
    OpenID Connect, a proxy or tokens."""

    name: str = Field(max_length=64, examples=["ann"])
    role: Role = Field(examples=["packets"])
    expression: Expression = ""
    password: Password | None = None


class UserChange(BaseModel):
    """What is to change; the rest stays."""

    role: Role | None = None
    expression: Expression | None = None
    password: Password | None = None
    disabled: bool | None = None


class UserAnswer(BaseModel):
    """An account. `password`: whether it has one. Times are epoch ms."""

    name: str
    role: Role
    expression: str
    password: bool
    made_by: How
    disabled: bool
    created_ms: int
    seen_ms: int | None


class UsersAnswer(BaseModel):
    """Accounts by name."""

    items: list[UserAnswer]


class TokenRequest(BaseModel):
    """A new token. `owner`: the user it is for, oneself by default; administrators may say another, or none."""

    name: str = Field(min_length=1, max_length=100, examples=["nightly export"])
    role: Role = Field(examples=["packets"])
    days: float = Field(90, gt=0, le=MOST_DAYS)
    owner: str | None = Field(None, max_length=64)


class TokenAnswer(BaseModel):
    """A token, without its secret. Times are epoch ms."""

    id: int
    name: str
    owner: str
    role: Role
    created_ms: int
    until_ms: int
    used_ms: int | None


class NewTokenAnswer(TokenAnswer):
    """A new token with its secret, which is never told again."""

    secret: str


class TokensAnswer(BaseModel):
    """Tokens, the newest first."""

    items: list[TokenAnswer]


class AuditEntry(BaseModel):
    """Who did what. `detail` has the path, the query, and what else the action is about."""

    id: int
    at_ms: int
    person: str
    how: str
    address: str
    action: str
    detail: dict[str, Any]
    status: int


class AuditAnswer(BaseModel):
    """Entries, the last first; `cursor` fetches older ones and is null on the last page."""

    items: list[AuditEntry]
    cursor: str | None


@router.get("/users", dependencies=ADMIN)
async def users(accounts: AccountsDep) -> UsersAnswer:
    """All accounts."""
    return UsersAnswer(items=[_user(each) for each in await asyncio.to_thread(accounts.users.all)])


@router.post("/users", status_code=201, dependencies=ADMIN)
async def add_user(request: Request, backend: BackendDep, accounts: AccountsDep, body: UserRequest) -> UserAnswer:
    """Make an account."""
    noted(request, name=body.name, role=body.role, expression=body.expression)
    backend.check_expression(body.expression)
    made = await asyncio.to_thread(
        accounts.users.add, body.name, body.role, expression=body.expression, password=body.password
    )
    return _user(made)


@router.get("/users/{name}", dependencies=ADMIN)
async def user(accounts: AccountsDep, name: UserName) -> UserAnswer:
    """One account."""
    return _user(await asyncio.to_thread(accounts.users.get, name))


@router.patch("/users/{name}", dependencies=ADMIN)
async def change_user(
    request: Request, backend: BackendDep, accounts: AccountsDep, name: UserName, body: UserChange
) -> UserAnswer:
    """Change an account; a new role or password, or closing it, ends its logins."""
    given = body.model_dump(exclude_none=True)
    noted(request, **{key: "changed" if key == "password" else value for key, value in given.items()})
    backend.check_expression(body.expression or "")
    return _user(await asyncio.to_thread(accounts.users.change, name, **given))


@router.delete("/users/{name}", status_code=204, dependencies=ADMIN)
async def remove_user(accounts: AccountsDep, name: UserName) -> None:
    """Remove an account with its logins and tokens; views, lists, notes and cases stay."""
    await asyncio.to_thread(accounts.users.remove, name)


@router.get("/tokens", dependencies=OWN)
async def tokens(
    accounts: AccountsDep,
    person: PersonDep,
    everybody: Annotated[bool, Query(alias="all", description="everybody's, for administrators")] = False,
) -> TokensAnswer:
    """One's own tokens."""
    if everybody and person.role != "admin":
        raise ApiError(403, "forbidden", "only administrators see everybody's tokens")
    found = await asyncio.to_thread(accounts.tokens.all, None if everybody else _owner(person))
    return TokensAnswer(items=[TokenAnswer.model_validate(asdict(each)) for each in found])


@router.post("/tokens", status_code=201, dependencies=OWN)
async def add_token(request: Request, accounts: AccountsDep, person: PersonDep, body: TokenRequest) -> NewTokenAnswer:
    """Make a token, with no more than one's own role; a token makes none."""
    owner = _owner(person) if body.owner is None else body.owner
    noted(request, name=body.name, role=body.role, owner=owner)
    if person.role != "admin" and (owner != person.name or not person.may(body.role) or person.how == "token"):
        raise ApiError(403, "forbidden", "one makes tokens for oneself, with no more than one's role, when logged in")
    if owner:
        await asyncio.to_thread(accounts.users.get, owner)
    made, secret = await asyncio.to_thread(accounts.tokens.add, body.name, body.role, owner=owner, days=body.days)
    return NewTokenAnswer(**asdict(made), secret=secret)


@router.delete("/tokens/{number}", status_code=204, dependencies=OWN)
async def remove_token(accounts: AccountsDep, person: PersonDep, number: Annotated[int, Path(ge=1)]) -> None:
    """Revoke one's own token; administrators, anybody's."""
    await asyncio.to_thread(accounts.tokens.remove, number, person)


@router.get("/audit", dependencies=ADMIN)
async def audit(
    accounts: AccountsDep,
    times: SearchDep,
    who: Annotated[str, Query(alias="person", max_length=200)] = "",
    action: Annotated[str, Query(max_length=100, description="search, export, tag, login, upload …")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Cursor = None,
) -> AuditAnswer:
    """Who searched, exported, tagged, logged in, changed something."""
    entries = await asyncio.to_thread(
        accounts.audit.page,
        before=int(cursor) if cursor else None,
        person=who,
        action=action,
        start_ms=times.start_ms,
        stop_ms=times.stop_ms,
        limit=limit + 1,
    )
    shown, more = page(entries, limit)
    return AuditAnswer(items=[AuditEntry.model_validate(asdict(each)) for each in shown], cursor=more)


def _user(user: User) -> UserAnswer:
    return UserAnswer.model_validate(asdict(user))


def _owner(person: Person) -> str:
    """Whose tokens a person's are: those without an account have nobody's."""
    return person.name if person.how in ("password", "oidc", "proxy") else ""
