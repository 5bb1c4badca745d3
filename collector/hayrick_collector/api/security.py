"""Who may ask: the token, the Host header against DNS rebinding, the Origin against other sites, and safe headers.

The guard finds out who asks; each route says by `needs` which role it takes.
"""

from __future__ import annotations

import hmac
from typing import Annotated, cast

from fastapi import Depends, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hayrick_collector.api.errors import ApiError, error_response
from hayrick_collector.config import ApiConfig
from hayrick_collector.desk.people import LOCAL, Person, Role

OPEN_PATHS = frozenset(("/", "/healthz", "/readyz"))
OPEN_PREFIX = "/static/"
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
    "Cache-Control": "no-store",
}


def person_of(request: Request) -> Person:
    """Who asks."""
    return cast(Person, request.state.person)


PersonDep = Annotated[Person, Depends(person_of)]


class needs:  # noqa: N801 - reads as a function where routes are declared
    """A dependency that lets a request through only when its person has the role: `Depends(needs("tagger"))`."""

    def __init__(self, role: Role) -> None:
        self.role = role

    def __call__(self, person: PersonDep) -> Person:
        if not person.may(self.role):
            raise ApiError(403, "forbidden", f"this needs the role {self.role}, {person.name} is {person.role}")
        return person


class Guard:
    """ASGI middleware in front of every route."""

    def __init__(self, app: ASGIApp, config: ApiConfig) -> None:
        self._app = app
        self._token = config.token.encode()
        self._names = (_LOOPBACK_NAMES | {name.lower() for name in config.hosts}) if config.loopback else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope["method"], scope["path"], Headers(scope=scope))
        scope.setdefault("state", {})["person"] = LOCAL
        answer = error_response(*refusal) if refusal else self._app
        await answer(scope, receive, _with_headers(send))

    def _refusal(self, method: str, path: str, headers: Headers) -> tuple[int, str, str] | None:
        host = headers.get("host", "")
        if self._names is not None and _host_name(host) not in self._names:
            return 421, "misdirected", f"this collector is not {_host_name(host)[:100]!r}: add it to api.hosts"
        if method not in _SAFE_METHODS and _foreign(headers, host):
            return 403, "forbidden", "requests that change something must not come from another site"
        if self._token and not _open(path) and not self._knows(headers.get("authorization", "")):
            return 401, "unauthorized", "send the collector's token: Authorization: Bearer TOKEN"
        return None

    def _knows(self, header: str) -> bool:
        scheme, _, token = header.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), self._token)


def _open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_PREFIX)


def _host_name(host: str) -> str:
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdecimal() else host.lower()


def _foreign(headers: Headers, host: str) -> bool:
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() != host.lower():
        return True
    return headers.get("sec-fetch-site", "none") not in ("none", "same-origin")


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
