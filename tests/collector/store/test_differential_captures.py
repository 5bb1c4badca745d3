"""Random expressions over a capture: what every store finds is what a plain evaluation over its documents finds."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, reject, settings
from tests.collector.captures import write_pcap
from tests.collector.elasticsearch import cluster_of
from tests.collector.store.conftest import ELASTICSEARCH, PARAMETERS, address_for, clean
from tests.collector.store.evaluator import holds
from tests.collector.store.expressions import expressions, pools
from tests.collector.store.varied import frames

import hayrick_decode
from hayrick_collector.expression import Catalogue, Node, parse_expression
from hayrick_collector.store import Query, Store
from hayrick_collector.store.elasticsearch import ElasticsearchStore
from hayrick_collector.store.embedded import EmbeddedStore
from hayrick_common.errors import ExpressionError

CATALOGUE = Catalogue.from_dicts(hayrick_decode.fields())


def decoded() -> list[hayrick_decode.Batch]:
    with tempfile.TemporaryDirectory() as folder:
        capture = write_pcap(Path(folder) / "varied.pcap", frames())
        return list(hayrick_decode.decode(capture, chunk="varied", node="test", file="x.pcap", tags=["two words"]))


BATCHES = decoded()
DOCUMENTS = [json.loads(line) for batch in BATCHES for line in batch.ndjson().splitlines()]


@pytest.fixture(scope="module", params=PARAMETERS)
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Node], set]]:
    """Asks the filled store: a function from a tree to ids."""
    folder = tmp_path_factory.mktemp("varied")
    store: Store = EmbeddedStore(folder, CATALOGUE)
    if request.param == ELASTICSEARCH:
        store = ElasticsearchStore(cluster_of(folder, address_for(request)), CATALOGUE)
    with store.writer("varied") as writer:
        for batch in BATCHES:
            writer.add(batch)
        writer.commit()
    with asyncio.Runner() as runner:
        runner.run(store.open())

        def ids(node: Node) -> set[str]:
            return {item["id"] for item in runner.run(store.find(Query(node, limit=100, fields=("id",)))).items}

        yield ids
        runner.run(store.close())
    clean(request, folder)


@settings(max_examples=300)
@given(text=expressions(CATALOGUE, pools(CATALOGUE, DOCUMENTS)))
def test_a_store_finds_what_a_plain_evaluation_of_the_documents_finds(
    found: Callable[[Node], set[str]], text: str
) -> None:
    try:
        node = parse_expression(text, CATALOGUE)
    except ExpressionError:  # such as a port on an address that has none
        reject()
    assert found(node) == {document["id"] for document in DOCUMENTS if holds(node, document)}
