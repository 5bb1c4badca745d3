"""Random expressions over random sessions: every store finds what a plain evaluation over the documents finds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from tests.collector.catalogue import CATALOGUE
from tests.collector.store.conftest import PARAMETERS, STORES, address_for, clean
from tests.collector.store.evaluator import holds
from tests.collector.store.sessions import START, batch, counted

from hayrick_collector.expression import Field, parse_expression
from hayrick_collector.store import Query, Store
from hayrick_common.errors import ExpressionError

WORDS = [
    "a",
    "B",
    "ab",
    "a.b",
    "a*b",
    "a?b",
    "A b",
    "a_b",
    "a%b",
    "a\\b",
    "é",
    "tcp",
    "x" * 40,
    "a\nb",
    '"',
    "/a/",
    "50%",
]
ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.1.0.1", "0.0.0.0", "255.255.255.255", "::", "::1", "2001:db8::1", "ffff::"]
NUMBERS = [0, 1, 2, 7, 80, 443, 65535, 1 << 40, (1 << 63) - 1]
FIELDS = [field for field in CATALOGUE.fields if field.kind != "object"]
MEMBERS = [field for field in FIELDS if field.column and not field.counts and field.document == field.column]


def documents(seed: int, number: int) -> list[dict[str, Any]]:
    """Sessions with few different values, many absent."""
    chance = random.Random(seed)
    made = []
    for index in range(number):
        document: dict[str, Any] = {}
        for field in MEMBERS:
            if chance.random() < 0.5:
                values = [value_of(field, chance) for _ in range(chance.randint(1, 3) if field.multi else 1)]
                document[field.document] = values if field.multi else values[0]
        at = START + chance.randint(0, 3) * 500
        document.update({"id": f"231114-{index:04d}", "chunk": "one", "firstPacket": at, "lastPacket": at + 500})
        made.append(counted(document))
    return made


def value_of(field: Field, chance: random.Random) -> Any:
    if field.kind == "ip":
        return chance.choice(ADDRESSES)
    if field.kind == "boolean":
        return chance.random() < 0.5
    if field.kind == "date":
        return START + chance.randint(0, 3) * 500
    if field.kind == "integer":
        return chance.choice(NUMBERS)
    text = chance.choice(WORDS)
    if field.kind.startswith("lo"):
        return text.lower()
    return text.upper() if field.kind.startswith("up") else text


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


texts = st.one_of(
    st.sampled_from(WORDS).map(quoted),
    st.lists(st.sampled_from(["a", "b", "*", "?", ".", "é", "\\*"]), min_size=1, max_size=4).map(
        lambda s: f'"{"".join(s)}"'
    ),
    st.sampled_from(
        ["/a.*/", "/.*b/", "/[a-c]+/", "/(a|B).?/", r"/\w*/", "/a.b/", "/[^a]*/", "/é|tcp/", r"/a\*b/", "/.{1,3}/"]
    ),
)
numbers = st.one_of(st.sampled_from(NUMBERS).map(str), st.sampled_from(["0-7", "80-443", "-1", "2-65535"]))
times = st.sampled_from([str(START), str(START + 500), "1700000000", "2023/11/14", "now", "-1s"])
addresses = st.one_of(
    st.sampled_from(ADDRESSES),
    st.sampled_from(["10", "10.0", "10.0.0.0/31", "0.0.0.0/0", "::/0", "2001:db8::/33", "2001::/16", "ipv4", "ipv6"]),
    st.sampled_from(["10.0.0.1-10.0.0.2", "::-2001:db8::", "10.0.0.1:80", "::1.443", "[::]:0", "10:"]),
)
KINDS = {"ip": addresses, "integer": numbers, "date": times, "boolean": st.sampled_from(["true", "false"])}


@st.composite
def comparisons(draw: st.DrawFn) -> str:
    field = draw(st.sampled_from(FIELDS))
    values = KINDS.get(field.kind, texts)
    if field.kind.startswith("lotext"):
        values = st.sampled_from(["a", "b", '"a b"', "tcp", "50"])
    shape = draw(st.sampled_from(["one", "one", "order", "list", "all", "exists"]))
    equal = draw(st.sampled_from(["==", "!=", "="]))
    if shape == "exists":
        return f"{field.expression}{equal}EXISTS!"
    if shape in ("list", "all"):
        inner = ",".join(draw(st.lists(values, min_size=1, max_size=3)))
        return f"{field.expression}{equal}" + (f"[{inner}]" if shape == "list" else f"]{inner}[")
    ordered = shape == "order" and field.kind in ("ip", "integer", "date")
    operator = draw(st.sampled_from(["<", "<=", ">", ">="])) if ordered else equal
    return f"{field.expression} {operator} {draw(plain(values) if ordered else values)}"


def plain(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Values that an order can be asked of."""
    return values.filter(
        lambda text: not any(mark in text[1:] for mark in ("-", ":8", ".443", "]:0")) and text[:3] != "ipv"
    )


expressions = st.recursive(
    comparisons(),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda parts: f"({' '.join(parts)})"),
        inner.map(lambda text: f"!({text})"),
    ),
    max_leaves=6,
)

DOCUMENTS = documents(seed=1, number=60)


@pytest.fixture(scope="module", params=PARAMETERS)
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Asks the filled store: a function from a query to ids."""
    folder: Path = tmp_path_factory.mktemp("differential")
    store: Store = STORES[request.param](folder, address_for(request))
    with store.writer("one") as writer:
        writer.add(batch(*DOCUMENTS[:20]))
        writer.add(batch(*DOCUMENTS[20:]))
        writer.commit()
    with asyncio.Runner() as runner:
        runner.run(store.open())
        yield lambda query: {item["id"] for item in runner.run(store.find(query)).items}
        runner.run(store.close())
    clean(request, folder)


@settings(max_examples=150)
@given(text=expressions)
def test_a_store_finds_what_a_plain_evaluation_finds(asked: Any, text: str) -> None:
    try:
        node = parse_expression(text, CATALOGUE, now_ms=START + 1000)
    except ExpressionError:  # such as a port on an address that has none
        reject()
    wanted = {document["id"] for document in DOCUMENTS if holds(node, document)}
    assert asked(Query(node, limit=1000, fields=("id",))) == wanted
