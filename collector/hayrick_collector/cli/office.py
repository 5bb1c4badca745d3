"""People's things by the command line: through a running collector's API, or the same API in this process.

So there is one way to each of them, with the same checks and the same errors. Whoever has the data folder is its
administrator.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from hayrick_collector.backend import Backend
    from hayrick_collector.client import HttpBackend


@asynccontextmanager
async def office(backend: Backend) -> AsyncIterator[HttpBackend]:
    """The API of the collector that the backend reaches."""
    from hayrick_collector.client import HttpBackend

    if isinstance(backend, HttpBackend):
        yield backend
        return
    import httpx

    from hayrick_collector.api.app import create_app
    from hayrick_collector.desk.people import LOCAL
    from hayrick_collector.direct import DirectBackend

    app = create_app(cast(DirectBackend, backend), person=LOCAL)
    inside = HttpBackend("http://localhost", transport=httpx.ASGITransport(app))
    try:
        yield inside
    finally:
        await inside.close()


async def case_zip(backend: Backend, name: str) -> AsyncGenerator[bytes]:
    """A case's zip, piece by piece. Raises LookupError."""
    from hayrick_collector.client import HttpBackend

    if isinstance(backend, HttpBackend):
        return await backend.download(f"/api/cases/{name}.zip")
    from hayrick_collector import casefile
    from hayrick_collector.desk.cases import Cases
    from hayrick_collector.desk.people import LOCAL
    from hayrick_collector.direct import DirectBackend

    near = cast(DirectBackend, backend)
    return casefile.bundle(near, Cases(near.desk).get(name), LOCAL)


async def open_case(backend: Backend, name: str) -> None:
    """Make a case unless it is there."""
    async with office(backend) as api:
        if name not in [case["name"] for case in (await api.call("GET", "/api/cases"))["items"]]:
            await api.call("POST", "/api/cases", {"name": name})


async def note_sources(backend: Backend, name: str) -> None:
    """Have what a case's sessions come from in its manifest, before anything of it can go."""
    async with office(backend) as api:
        await api.call("GET", f"/api/cases/{name}")
