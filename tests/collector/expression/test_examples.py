"""What docs/EXPRESSIONS.md shows can be asked as it stands, and a shortcut in it means what is said of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.collector.store.batches import DocumentBatch
from tests.collector.store.evaluator import holds
from tests.collector.store.sessions import DNS, WEB

import hayrick_decode
from hayrick_collector.expression import Catalogue, Node, parse_expression
from hayrick_collector.store import Query
from hayrick_collector.store.embedded import EmbeddedStore

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "EXPRESSIONS.md").read_text("utf-8")
EXAMPLES = [line for block in re.findall(r"```\w*\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
SHORTCUTS = re.findall(r"^\| `([^`]+ = ?=?[^`]+)` \| `([^`]+)` \|$", PAGE, re.MULTILINE)
CATALOGUE = Catalogue.from_dicts(hayrick_decode.fields())
LISTS = {"bad": ["10.0.0.1", "192.0.2.0/24"], "known": ["www.example.org"]}
VIEWS = {"web logins": "http.uri == *Login*", "seen": "tags == seen"}
NOW = 1_700_000_000_000


def parse(text: str) -> Node:
    return parse_expression(text, CATALOGUE, now_ms=NOW, lists=LISTS, views=VIEWS)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, EmbeddedStore]]:
    filled = EmbeddedStore(tmp_path_factory.mktemp("examples"), CATALOGUE)
    with filled.writer("one") as writer:
        writer.add(DocumentBatch([WEB, DNS], CATALOGUE))
        writer.commit()
    with asyncio.Runner() as runner:
        runner.run(filled.open())
        yield runner, filled
        runner.run(filled.close())


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_of_the_documents_finds_what_it_means(
    text: str, store: tuple[asyncio.Runner, EmbeddedStore]
) -> None:
    runner, filled = store
    page = runner.run(filled.find(Query(parse(text), fields=("id",))))
    wanted = {each["id"] for each in (WEB, DNS) if holds(parse(text), each)}
    assert {item["id"] for item in page.items} == wanted


@pytest.mark.parametrize(("typed", "means"), SHORTCUTS)
def test_a_shortcut_means_what_is_said_of_it(typed: str, means: str) -> None:
    assert parse(typed) == parse(means.replace("\\|", "|"))


def test_every_field_of_the_decoder_can_be_asked_for() -> None:
    assert len(EXAMPLES) > 15
    assert len(SHORTCUTS) > 5
    silent = []
    for field in CATALOGUE.fields:
        if CATALOGUE.members(field):
            parse_expression(f"{field.expression} == EXISTS!", CATALOGUE)
        else:
            silent.append(field.expression)
    assert silent == []
