"""The ASGI application: guard, routes, page, OpenAPI at /api/openapi.json and for people at /api."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.routing import APIRoute

from hayrick_collector.api import errors, pages
from hayrick_collector.api.accounts import Accounts
from hayrick_collector.api.leaving import Leaving
from hayrick_collector.api.models import ErrorAnswer
from hayrick_collector.api.oidc import Oidc
from hayrick_collector.api.routes import (
    auth,
    cases,
    chunks,
    complete,
    explore,
    hunts,
    notes,
    oidc,
    packets,
    peers,
    people,
    schedules,
    sessions,
    shares,
    things,
    upload,
)
from hayrick_collector.api.security import Guard, needs
from hayrick_collector.api.uploads import Uploads
from hayrick_collector.desk.people import Person
from hayrick_collector.direct import DirectBackend
from hayrick_common import __version__

ROUTERS = (
    auth.router,
    oidc.router,
    sessions.router,
    packets.router,
    explore.router,
    complete.router,
    chunks.router,
    things.router,
    notes.router,
    cases.router,
    upload.router,
    people.router,
    shares.router,
    hunts.router,
    schedules.router,
    peers.router,
)


def create_app(backend: DirectBackend, *, person: Person | None = None) -> FastAPI:
    """The application over an open backend, which it does not close. `person`: who everybody is, instead of asking."""
    app = routes()
    app.state.backend = backend
    settings = backend.config.accounts
    callback = f"{backend.config.api.url}/api/auth/oidc/callback"
    app.state.oidc = Oidc(settings, callback) if settings.oidc_issuer else None
    app.state.uploads = Uploads(backend.config.api.upload_gigabytes * 1_000_000_000)
    app.state.accounts = Accounts(backend.desk, backend.config)
    app.add_middleware(Leaving)
    app.add_middleware(Guard, accounts=app.state.accounts, person=person)
    errors.install(app)
    return app


def routes() -> FastAPI:
    """All routes over nothing yet: enough to ask for their OpenAPI."""
    app = FastAPI(
        title="Hayrick",
        version=__version__,
        summary="Full-packet capture: search sessions, read them, get their packets.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        responses={"default": {"model": ErrorAnswer, "description": "every error has this shape"}},
        generate_unique_id_function=_operation,
    )
    for router in ROUTERS:
        app.include_router(router)
    app.add_api_route("/api/openapi.json", _openapi, include_in_schema=False, dependencies=[Depends(needs("viewer"))])
    pages.install(app)
    return app


def _operation(route: APIRoute) -> str:
    return route.name


def _openapi(request: Request) -> dict[str, Any]:
    return dict(request.app.openapi())
