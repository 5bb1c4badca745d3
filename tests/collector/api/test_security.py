"""Who may ask: every route but the open ones needs the token, other names and other sites are turned away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.routing import Mount

from hayrick_collector.api.app import ROUTERS, create_app
from hayrick_collector.api.pages import is_page
from hayrick_collector.api.security import MOST_BODY, MOST_OPEN_BODY, OPEN_PATHS, needs
from hayrick_collector.config import ApiConfig, CollectorConfig
from hayrick_collector.direct import DirectBackend

TOKEN = "0123456789abcdef0123"
Work = Callable[[httpx.AsyncClient], Awaitable[None]]


def ask(tmp_path: Path, api: ApiConfig, work: Work, *, base: str = "http://127.0.0.1:8005") -> None:
    async def run() -> None:
        backend = await DirectBackend.open(CollectorConfig(data=tmp_path, api=api))
        app = create_app(backend)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base) as client:
            await work(client)
        await backend.close()

    asyncio.run(run())


def routes_of(client: httpx.AsyncClient) -> list[APIRoute]:
    """All routes: those of the routers, which FastAPI includes as a whole, and the application's own."""
    own = [route for route in client._transport.app.routes if not hasattr(route, "original_router")]  # type: ignore[attr-defined]
    routers = [route for router in ROUTERS for route in router.routes]
    assert len(own) + len(ROUTERS) == len(client._transport.app.routes)  # type: ignore[attr-defined]
    found = [route for route in (*own, *routers) if not (isinstance(route, Mount) and route.path == "/static")]
    assert all(isinstance(route, APIRoute) for route in found)
    return found


def roles(route: APIRoute) -> set[str]:
    """The roles that a route asks for, itself or through its router."""
    return {each.call.role for each in route.dependant.dependencies if isinstance(each.call, needs)}


def test_every_route_is_open_on_purpose_or_has_its_role(tmp_path: Path) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        routes = routes_of(client)
        assert len(routes) > 30
        for route in routes:
            path = route.path.replace("{", "").replace("}", "")
            is_open = path in OPEN_PATHS or is_page(path)
            assert (not roles(route)) == is_open, route.path
            for method in route.methods or ():
                answer = await client.request(method, path)
                assert (answer.status_code != 401) == is_open, (method, path)

    ask(tmp_path, ApiConfig(token=TOKEN), work)


def test_what_changes_something_or_gives_packets_needs_more_than_a_viewer(tmp_path: Path) -> None:
    own = {
        "/api/auth/logout", "/api/auth/password", "/api/views", "/api/views/{number}", "/api/lists",
        "/api/lists/{number}", "/api/tokens", "/api/tokens/{number}",
    }  # fmt: skip

    async def work(client: httpx.AsyncClient) -> None:
        for route in routes_of(client):
            if route.path in OPEN_PATHS | own:
                continue
            if "pcap" in route.path or set(route.methods or ()) - {"GET"}:
                assert roles(route) & {"packets", "tagger", "admin"}, (route.path, route.methods)

    ask(tmp_path, ApiConfig(), work)


@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"])
def test_wrong_token_is_refused_in_the_one_shape(tmp_path: Path, sent: str) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        answer = await client.get("/api/status", headers={"Authorization": sent})
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "unauthorized"
        assert answer.headers["WWW-Authenticate"] == "Bearer"

    ask(tmp_path, ApiConfig(token=TOKEN), work)


def test_right_token_opens(tmp_path: Path) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        answer = await client.get("/api/status", headers={"Authorization": f"bearer {TOKEN}"})
        assert answer.status_code == 200

    ask(tmp_path, ApiConfig(token=TOKEN), work)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8005", 200), ("localhost", 200), ("LOCALHOST:99", 200), ("[::1]:8005", 200), ("rick.example", 200),
        ("evil.example", 421), ("127.0.0.1.evil.example:8005", 421), ("evil.example:127", 421),
    ],
)  # fmt: skip
def test_rebound_name_is_turned_away_on_loopback(tmp_path: Path, host: str, status: int) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        assert (await client.get("/", headers={"Host": host})).status_code == status

    ask(tmp_path, ApiConfig(hosts=("rick.example",)), work)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_other_site_cannot_change_anything(tmp_path: Path, headers: dict[str, str]) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        answer = await client.post("/api/tags", json={"expression": "", "add": ["x"]}, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")

    ask(tmp_path, ApiConfig(), work)


def test_own_page_and_programs_may(tmp_path: Path) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        body = {"expression": "", "add": ["x"]}
        own = {"Origin": "http://127.0.0.1:8005", "Sec-Fetch-Site": "same-origin"}
        for headers in (own, {}):
            assert (await client.post("/api/tags", json=body, headers=headers)).json() == {"sessions": 0}

    ask(tmp_path, ApiConfig(), work)


def test_page_allows_no_foreign_and_no_inline_script(tmp_path: Path) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        for path in ("/", "/session/any", "/api", "/static/hayrick.svg", "/api/none"):
            policy = (await client.get(path)).headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
        page = (await client.get("/")).text
        assert "<script>" not in page
        assert "onclick" not in page
        assert "style=" not in page

    ask(tmp_path, ApiConfig(), work)


def test_every_route_answers_errors_in_the_one_shape(tmp_path: Path) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        for path in ("/none", "/api/sessions/none", "/api/chunks/none", "/api/sessions?limit=x", "/static/../x"):
            answer = await client.get(path)
            assert answer.status_code in (400, 404)
            assert set(answer.json()["error"]) == {"code", "message"}

    ask(tmp_path, ApiConfig(), work)


def test_paths_lead_out_of_no_folder(tmp_path: Path) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        for path in ("/static/%2e%2e/config.py", "/static/..%2fconfig.py", "/api/sessions/..%2f..%2fcatalog.sqlite"):
            assert (await client.get(path)).status_code == 404

    ask(tmp_path, ApiConfig(), work)


def test_body_larger_than_a_route_may_hold_is_refused_before_it_is_held(tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * (1 << 20)

    async def work(client: httpx.AsyncClient) -> None:
        for path, most in (("/api/auth/login", MOST_OPEN_BODY), ("/api/lists", MOST_BODY)):
            told = await client.post(path, content=b" " * (most + 1))
            assert (told.status_code, told.json()["error"]["code"]) == (413, "too_large")
            chunked = await client.post(path, content=endless(), headers={"Content-Type": "application/json"})
            assert chunked.status_code in (400, 413)
            assert set(chunked.json()) == {"error"}

    ask(tmp_path, ApiConfig(), work)
