"""There to the provider of OpenID Connect, and back."""

from __future__ import annotations

import asyncio
from typing import Annotated, cast

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from hayrick_collector.api.errors import ApiError
from hayrick_collector.api.oidc import PENDING_SECONDS, Oidc
from hayrick_collector.api.routes.auth import AccountsDep, welcome
from hayrick_collector.api.security import noted

router = APIRouter(prefix="/api", tags=["accounts"])


@router.get("/auth/oidc", response_class=RedirectResponse, status_code=303)
async def oidc(
    request: Request,
    accounts: AccountsDep,
    after: Annotated[str, Query(alias="next", max_length=8000, description="the page to come back to")] = "/",
) -> Response:
    """Log in at the provider of OpenID Connect."""
    address, state = await _provider(request).start(after)
    answer = RedirectResponse(address, 303)
    answer.set_cookie(accounts.oidc_cookie, state, max_age=int(PENDING_SECONDS), **accounts.cookie_rules)
    return answer


@router.get("/auth/oidc/callback", response_class=RedirectResponse, status_code=303)
async def oidc_callback(
    request: Request,
    accounts: AccountsDep,
    code: Annotated[str, Query(max_length=8000)] = "",
    state: Annotated[str, Query(max_length=200)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Back from the provider, logged in."""
    noted(request, "login", query="")
    if error or not code:
        raise ApiError(403, "forbidden", f"the provider refused: {error or 'no code'}")
    known = await _provider(request).finish(code, state, request.cookies.get(accounts.oidc_cookie, ""))
    noted(request, name=known.name)
    person = await asyncio.to_thread(accounts.vouched, known.name, known.role)
    answer = RedirectResponse(known.after, 303)
    await welcome(request, answer, accounts, person)
    answer.delete_cookie(accounts.oidc_cookie, **accounts.cookie_rules)
    return answer


def _provider(request: Request) -> Oidc:
    provider = cast("Oidc | None", request.app.state.oidc)
    if provider is None:
        raise ApiError(404, "not_found", "no provider of OpenID Connect is set: see accounts.oidc_issuer")
    return provider
