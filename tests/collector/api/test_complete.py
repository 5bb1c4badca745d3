"""Completion over the API: the person's own names, the values that sessions have, and one shape for every mistake."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.collector.store.batches import DocumentBatch
from tests.collector.store.sessions import DNS, WEB

import hayrick_decode
from hayrick_collector.api.app import create_app
from hayrick_collector.backend import Search
from hayrick_collector.client import HttpBackend
from hayrick_collector.config import CollectorConfig
from hayrick_collector.desk.lists import Lists, ValueList
from hayrick_collector.desk.people import Person
from hayrick_collector.desk.views import View, Views
from hayrick_collector.direct import DirectBackend
from hayrick_collector.expression import Catalogue
from hayrick_common.errors import ExpressionError

Work = Callable[[DirectBackend, httpx.AsyncClient], Awaitable[None]]


def with_sessions(folder: Path, work: Work) -> None:
    """Two sessions, a list and two views, one of them somebody else's own."""

    async def run() -> None:
        backend = await DirectBackend.open(CollectorConfig(data=folder))
        Lists(backend.desk).add(ValueList("names", "local", values=("www.example.org", "*.top")))
        Views(backend.desk).add(View("mine", "local", expression="http.uri == *Login*"))
        Views(backend.desk).add(View("theirs", "other", expression="node == x"))
        with backend.store.writer("one") as writer:
            writer.add(DocumentBatch([WEB, DNS], Catalogue.from_dicts(hayrick_decode.fields())))
            writer.commit()
        transport = httpx.ASGITransport(create_app(backend))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8005") as client:
            await work(backend, client)
        await backend.close()

    asyncio.run(run())


def test_saved_names_and_stored_values_are_offered(tmp_path: Path) -> None:
    async def work(backend: DirectBackend, client: httpx.AsyncClient) -> None:
        async def offered(text: str, **more: Any) -> list[str]:
            asked = {"expression": text, **more}
            answer = (await client.get("/api/complete", params=asked)).raise_for_status().json()
            assert answer["in_time"] is True
            return [item["text"] for item in answer["items"]]

        assert await offered("host.dns == ", values=True) == ["example.top", "www.example.org", "EXISTS!", "$names"]
        assert await offered("host.dns == www", values=True) == ["www.example.org"]
        assert await offered("host.dns == exam", values=True) == ["example.top", "www.example.org"]
        assert await offered("host.dns == ", values=True, to="2020-01-01") == ["EXISTS!", "$names"]
        assert await offered("http.uri == ", values=True) == [
            "www.example.org/50%_off",
            '"www.example.org/Login\\?a=1"',
            "EXISTS!",
            "$names",
        ]
        assert await offered("view == ") == ["mine"]
        assert (await offered("ip.s && node == a", cursor=4))[0] == "ip.src"

    with_sessions(tmp_path, work)


def test_lists_and_views_mean_what_they_hold_for_whoever_asks(tmp_path: Path) -> None:
    async def work(backend: DirectBackend, client: httpx.AsyncClient) -> None:
        async def found(expression: str, person: Person | None = None) -> int:
            search = Search(expression, person=person or Search().person)
            return (await backend.search(search)).total

        assert await found("host.dns == $names") == await found("host == $na*") - 1 == 1
        assert await found("view == mine") == await found("view != mine") == 1
        with pytest.raises(ExpressionError, match="no saved view theirs"):
            await found("view == theirs")
        person = Person("other", "viewer", expression="port.dst == 53")
        assert (await found("", person), await found("port.dst == 80", person)) == (1, 0)
        assert await found("view == theirs", person) == 0
        with pytest.raises(ExpressionError, match="no saved view"):  # a forced expression means the same for everyone
            await found("", replace(person, expression="view == theirs"))

    with_sessions(tmp_path, work)


@pytest.mark.parametrize(
    ("text", "column", "found", "expected", "similar"),
    [
        ("ip == 10.0.0.1 && htp.uri == x", 19, "htp.uri", "a field", "http.uri"),
        ("port.dst == [80, http]", 18, "http", "a whole number", None),
        ("node = a node = b", 10, "node", "||", None),
        ("(node = a", 10, "", ")", None),
        ("starttime > soon", 13, "soon", "a time such as", None),
        ("ip.src == 1.2.3.4/x", 11, "1.2.3.4/x", "an address", None),
    ],
)
def test_a_mistake_is_told_alike_by_search_completion_and_client(
    tmp_path: Path, text: str, column: int, found: str, expected: str, similar: str | None
) -> None:
    async def work(backend: DirectBackend, client: httpx.AsyncClient) -> None:
        answer = await client.get("/api/sessions", params={"expression": text})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["column"], error["found"]) == (
            400,
            "expression",
            column,
            found,
        )
        assert any(each.startswith(expected) for each in error["expected"])
        assert similar is None or similar in error["did_you_mean"]
        remote = HttpBackend("http://127.0.0.1:8005", transport=httpx.ASGITransport(create_app(backend)))
        with pytest.raises(ExpressionError) as refused:
            await remote.search(Search(text))
        assert (refused.value.column, refused.value.found) == (column, found)
        assert list(refused.value.expected) == error["expected"]

    with_sessions(tmp_path, work)
