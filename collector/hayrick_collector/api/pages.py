"""The page: one HTML file at each of its addresses, open to strangers, since whatever it shows it asks of the API.

Its files are built from web/ (scripts/build); a checkout where that was not done yet says so instead.
"""

from __future__ import annotations

import os
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).resolve().parent.parent / "static"
PATHS = (
    "/", "/sessions", "/session/{session_id}", "/explore", "/statistics", "/upload", "/login", "/setup", "/shared",
    "/api", "/connections", "/map", "/hunts", "/schedules", "/cases", "/case/{name}", "/lists", "/shares",
    "/account", "/users", "/audit",
)  # fmt: skip
_FOR_EVER = "public, max-age=31536000, immutable"  # the names of built files hold their hash


class _Assets(StaticFiles):
    async def check_config(self) -> None:
        """A checkout that was not built yet has no such folder: its files are not found, which is no fault."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        if Path(full_path).parent.name == "assets":
            response.headers["Cache-Control"] = _FOR_EVER
        return response


def install(app: FastAPI) -> None:
    """Serve the page and its files."""
    for path in PATHS:
        app.add_api_route(path, _page, include_in_schema=False)
    app.mount("/static", _Assets(directory=STATIC, check_dir=False), name="static")


def is_page(path: str) -> bool:
    """Whether the path is one of the page's addresses."""
    return path in PATHS or (path.startswith(("/session/", "/case/")) and path.count("/") == 2)


def _page() -> Response:
    page = STATIC / "index.html"
    if not page.exists():
        return HTMLResponse("<p>This checkout's page was not built yet: run scripts/build. The API is there.</p>")
    return FileResponse(page, media_type="text/html")
