"""In front of every route: who asks, the Host header against DNS rebinding, the Origin against other sites, how often,
and safe headers.

The guard finds out who asks and turns strangers away; each route says by `needs` which role it takes. A request that
changes something must come from our own page or from a program: browsers tell where a request comes from (Origin,
Sec-Fetch-Site), so that no secret in forms is needed, and one that comes with a login's cookie and tells neither is
refused.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from typing import Annotated, Any, cast

from fastapi import Depends, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hayrick_collector.api.accounts import Accounts
from hayrick_collector.api.errors import ApiError, error_response
from hayrick_collector.api.pages import is_page
from hayrick_collector.api.throttle import Rate
from hayrick_collector.desk.people import PEER, Person, Role

OPEN_PATHS = frozenset(
    (
        "/healthz", "/readyz", "/api/auth", "/api/auth/login", "/api/auth/setup",
        "/api/auth/share", "/api/auth/oidc", "/api/auth/oidc/callback",
    )
)  # fmt: skip
OPEN_PREFIX = "/static/"
PEERS_PREFIX = "/api/peers/"
STREAMED = ("/api/ingest", "/api/upload/")
MOST_BODY = 32 << 20  # a list of as many values as it may have
MOST_OPEN_BODY = 16 << 10  # a name and a password
_LOOPBACK_NAMES = frozenset(("localhost", "127.0.0.1", "[::1]"))
_SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; font-src 'self';"
    " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_TLS_HEADERS = {"Strict-Transport-Security": "max-age=31536000"}


def person_of(request: Request) -> Person:
    """Who asks. Raises ApiError where nobody is known."""
    person = cast("Person | None", request.state.person)
    if person is None:
        raise ApiError(401, "unauthorized", "log in, or send a token: Authorization: Bearer TOKEN")
    return person


PersonDep = Annotated[Person, Depends(person_of)]


class needs:  # noqa: N801 - reads as a function where routes are declared
    """A dependency that lets a request through only when its person has the role: `Depends(needs("tagger"))`.

    `whole`: only for those from whom no sessions are hidden. What changes something goes into the audit log under the
    route's name; what only reads does if `audit` names it.
    """

    def __init__(self, role: Role, *, audit: str = "", whole: bool = False) -> None:
        self.role = role
        self.audit = audit
        self.whole = whole

    def __call__(self, request: Request, person: PersonDep) -> Person:
        action = self.audit or ("" if request.method in _SAFE_METHODS else request.scope["route"].name)
        if action:
            noted(request, action)
        if not person.may(self.role):
            raise ApiError(403, "forbidden", f"this needs the role {self.role}, {person.name} is {person.role}")
        if self.whole and person.limited:
            raise ApiError(403, "forbidden", "this tells of sessions that are hidden from you")
        return person


@dataclass(slots=True)
class _Noted:
    """What of a request goes into the audit log, once it has an action."""

    action: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


def noted(request: Request, action: str = "", **detail: Any) -> None:
    """Have the request in the audit log, under a name, with what else is worth knowing."""
    entry: _Noted = request.state.audit
    entry.action = action or entry.action
    entry.detail.update(detail)


def unnoted(request: Request) -> None:
    """Have the request not in the audit log, though it may change something."""
    request.state.audit = _Noted()


class Guard:
    """ASGI middleware in front of every route. `person`: who everybody is, instead of asking."""

    def __init__(self, app: ASGIApp, accounts: Accounts, person: Person | None = None) -> None:
        self._app = app
        self._accounts = accounts
        self._person = person
        api = accounts.config.api
        self._rate = Rate(api.requests_per_minute)
        self._names = (_LOOPBACK_NAMES | {name.lower() for name in api.hosts}) if api.loopback else None
        self._url = api.url.partition("://")[2].lower()
        self._headers = {**_HEADERS, **(_TLS_HEADERS if api.secure else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        peer = scope["client"][0] if scope.get("client") else ""
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                answered = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    answered.setdefault(name, value)
            await send(message)

        state = scope.setdefault("state", {})
        state.update(person=None, audit=_Noted(), address=self._accounts.address(peer, headers))
        refusal = await self._refusal(scope, peer, headers, state)
        try:
            await (refusal or self._app)(scope, _bounded(scope["path"], receive), sending)
        finally:
            await self._write(scope, state, status)

    async def _refusal(self, scope: Scope, peer: str, headers: Headers, state: dict[str, Any]) -> Response | None:
        host, path, cookie = headers.get("host", ""), scope["path"], f"{self._accounts.cookie}="
        if self._names is not None and _host_name(host) not in self._names:
            return error_response(
                421, "misdirected", f"this collector is not {_host_name(host)[:100]!r}: add it to api.hosts"
            )
        if scope["method"] not in _SAFE_METHODS and self._foreign(headers, host, cookie in headers.get("cookie", "")):
            return error_response(403, "forbidden", "requests that change something must not come from another site")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > _most_body(path):
            return error_response(413, "too_large", f"more than {_most_body(path)} bytes for {path[:100]}")
        if path.startswith(OPEN_PREFIX):
            return None
        person = self._person or await asyncio.to_thread(self._accounts.person, peer, headers)
        state["person"] = person
        if person is PEER:
            return _peers_only(path)
        if (wait := self._rate.wait(person.name if person else ("address", state["address"]))) > 0:
            told = f"more than {self._accounts.config.api.requests_per_minute} requests a minute"
            return error_response(429, "too_many", told, retry=wait)
        if person is None and path not in OPEN_PATHS and not is_page(path):
            return error_response(401, "unauthorized", "log in, or send a token: Authorization: Bearer TOKEN")
        return None

    def _foreign(self, headers: Headers, host: str, cookie: bool) -> bool:
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is not None and origin.partition("://")[2].lower() not in (host.lower(), self._url or host.lower()):
            return True
        return site not in ("none", "same-origin") if site is not None else cookie and origin is None

    async def _write(self, scope: Scope, state: dict[str, Any], status: int) -> None:
        entry: _Noted = state["audit"]
        if not entry.action:
            return
        person = state["person"] or Person("", "shared")
        asked = scope.get("query_string", b"").decode("ascii", "replace")
        detail = {"path": scope["path"], **({"query": asked} if asked else {}), **entry.detail}
        write = self._accounts.audit.add
        await asyncio.to_thread(write, person, entry.action, address=state["address"], status=status, detail=detail)


def _peers_only(path: str) -> Response | None:
    """Other collectors are given packets, a mebibyte at a time, so they are not counted; and nothing else."""
    if path.startswith(PEERS_PREFIX):
        return None
    return error_response(403, "forbidden", f"the collectors' token (peers.token_file) serves {PEERS_PREFIX} only")


def _most_body(path: str) -> float:
    if path.startswith(STREAMED):  # counted where they are received
        return math.inf
    return MOST_OPEN_BODY if path in OPEN_PATHS else MOST_BODY


def _bounded(path: str, receive: Receive) -> Receive:
    """The request's body, refused once it is more than a route may hold in memory."""
    left = _most_body(path)

    async def receiving() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise ApiError(413, "too_large", f"more than {_most_body(path)} bytes for {path[:100]}")
        return message

    return receiving


def _host_name(host: str) -> str:
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdecimal() else host.lower()
