"""Logging in and out, the first administrator, and who one is."""

from __future__ import annotations

import asyncio
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from hayrick_collector.api.accounts import Accounts
from hayrick_collector.api.errors import ApiError
from hayrick_collector.api.security import PersonDep, needs, noted
from hayrick_collector.desk.people import How, Person, Role

router = APIRouter(prefix="/api", tags=["accounts"])
Password = Annotated[str, Field(max_length=1024)]


class PersonAnswer(BaseModel):
    """Who asks. `limited`: some sessions are hidden from this person (by `expression`, or a share's times)."""

    name: str
    role: Role
    expression: str
    limited: bool
    how: How


class AuthAnswer(BaseModel):
    """Who is logged in, and how one may log in. `open`: there are no accounts yet and everybody is administrator;
    `setup`: the one-time link waits to be used."""

    person: PersonAnswer | None
    open: bool
    setup: bool
    password: bool
    oidc: bool


class LoginRequest(BaseModel):
    """A name and its password."""

    name: str = Field(max_length=64, examples=["ann"])
    password: Password = Field(examples=["correct horse battery"])


class SetupRequest(LoginRequest):
    """The secret of the one-time link (what follows # in it), and the first administrator's name and password."""

    code: str = Field(max_length=200)
    name: str = Field("admin", max_length=64)


class PasswordRequest(BaseModel):
    """One's own password, before and from now on."""

    old: Password
    new: Password


def accounts_of(request: Request) -> Accounts:
    """The accounts of this collector."""
    return cast(Accounts, request.app.state.accounts)


AccountsDep = Annotated[Accounts, Depends(accounts_of)]


@router.get("/auth")
async def auth(request: Request, accounts: AccountsDep) -> AuthAnswer:
    """Who is logged in, if anybody, and how one may log in: what a page asks first."""
    person = request.state.person
    users, is_open = await asyncio.to_thread(lambda: (accounts.users.any(), accounts.open()))
    oidc = bool(accounts.config.accounts.oidc_issuer)
    told = answer(person) if person else None
    return AuthAnswer(person=told, open=is_open, setup=bool(accounts.setup), password=users, oidc=oidc)


@router.get("/me", dependencies=[Depends(needs("shared"))])
async def me(person: PersonDep) -> PersonAnswer:
    """Who one is."""
    return answer(person)


@router.post("/auth/login")
async def login(request: Request, response: Response, accounts: AccountsDep, body: LoginRequest) -> PersonAnswer:
    """Log in by password; the answer sets the cookie."""
    noted(request, "login", name=body.name)
    user = await asyncio.to_thread(accounts.log_in, body.name, body.password, request.state.address)
    return await welcome(request, response, accounts, user.person("password"))


@router.post("/auth/setup")
async def setup(request: Request, response: Response, accounts: AccountsDep, body: SetupRequest) -> PersonAnswer:
    """Make the first administrator by the one-time link that the collector printed at its start, and log in."""
    noted(request, "setup", name=body.name)
    user = await asyncio.to_thread(accounts.first, body.code, body.name, body.password)
    return await welcome(request, response, accounts, user.person("password"))


@router.post("/auth/logout", status_code=204, dependencies=[Depends(needs("shared"))])
async def logout(request: Request, response: Response, accounts: AccountsDep) -> None:
    """Log out: the cookie is worth nothing from now on."""
    secret = request.cookies.get(accounts.cookie, "")
    await asyncio.to_thread(accounts.logins.end, secret)
    response.delete_cookie(accounts.cookie, **accounts.cookie_rules)


@router.post("/auth/password", dependencies=[Depends(needs("viewer"))])
async def password(
    request: Request, response: Response, accounts: AccountsDep, person: PersonDep, body: PasswordRequest
) -> PersonAnswer:
    """Change one's own password; all other logins end."""
    if person.how != "password":
        raise ApiError(409, "conflict", "only who logged in by a password can change it")
    await asyncio.to_thread(accounts.log_in, person.name, body.old, request.state.address)
    user = await asyncio.to_thread(accounts.users.change, person.name, password=body.new)
    return await welcome(request, response, accounts, user.person("password"))


async def welcome(request: Request, response: Response, accounts: Accounts, person: Person) -> PersonAnswer:
    """Log the person in, on this response."""
    hours = accounts.config.accounts.login_hours
    secret = await asyncio.to_thread(
        accounts.logins.start, person.name, person.how, address=request.state.address, hours=hours
    )
    request.state.person = person
    response.set_cookie(accounts.cookie, secret, max_age=hours * 3600, **accounts.cookie_rules)
    return answer(person)


def answer(person: Person) -> PersonAnswer:
    """The person as the API shows it."""
    return PersonAnswer(
        name=person.name, role=person.role, expression=person.expression, limited=person.limited, how=person.how
    )
