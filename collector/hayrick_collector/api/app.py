"""The ASGI application: guard, routes, page, OpenAPI at /api/openapi.json and for people at /api."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles

from hayrick_collector.api import errors
from hayrick_collector.api.models import ErrorAnswer
from hayrick_collector.api.routes import chunks, explore, sessions
from hayrick_collector.api.security import Guard
from hayrick_collector.config import ApiConfig
from hayrick_collector.direct import DirectBackend
from hayrick_common import __version__

STATIC = Path(__file__).resolve().parent.parent / "static"


def create_app(backend: DirectBackend, config: ApiConfig) -> FastAPI:
    """The application over an open backend, which it does not close."""
    app = FastAPI(
        title="Hayrick",
        version=__version__,
        summary="Full-packet capture: search sessions, read them, get their packets.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses={"default": {"model": ErrorAnswer, "description": "every error has this shape"}},
    )
    app.state.backend = backend
    app.include_router(sessions.router)
    app.include_router(explore.router)
    app.include_router(chunks.router)
    app.add_api_route("/", _page, include_in_schema=False)
    app.add_api_route("/session/{session_id}", _page, include_in_schema=False)
    app.add_api_route("/api", _reference, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(Guard, config=config)
    errors.install(app)
    return app


def _page() -> FileResponse:
    return FileResponse(STATIC / "index.html", media_type="text/html")


def _reference() -> FileResponse:
    return FileResponse(STATIC / "api.html", media_type="text/html")
