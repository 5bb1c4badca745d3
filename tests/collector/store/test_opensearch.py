"""The whole contract of a store once more, on a real OpenSearch: only the client's seam knows that it is one."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.collector.catalogue import CATALOGUE
from tests.collector.elasticsearch import START_S, cluster_of, free_port, wipe
from tests.collector.store.conftest import Subject
from tests.collector.store.sessions import ALL, batch
from tests.collector.store.test_contract_find import *  # noqa: F403 - each of its tests is one of this module
from tests.collector.store.test_contract_life import *  # noqa: F403
from tests.collector.store.test_contract_sums import *  # noqa: F403

from hayrick_collector.store.elasticsearch import Cluster, ElasticsearchStore
from hayrick_common.errors import StoreError

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "opensearch"
pytestmark = pytest.mark.timeout(START_S)


@pytest.fixture(scope="module")
def opensearch() -> Iterator[str]:
    """The address of a node of this module's own."""
    environment = {**os.environ, "HAYRICK_OPENSEARCH_PORT": str(free_port())}
    try:
        started = subprocess.run([SCRIPT, "start"], env=environment, stdout=subprocess.PIPE, text=True, check=True)
        yield started.stdout.split()[-1]
    finally:
        subprocess.run([SCRIPT, "stop"], env=environment, check=True)


def at(address: str, folder: Path) -> Subject:
    return Subject(lambda below, _: ElasticsearchStore(cluster_of(below, address), CATALOGUE), folder, address)


@pytest.fixture
def subject(opensearch: str, tmp_path: Path) -> Iterator[Subject]:
    yield at(opensearch, tmp_path)
    wipe(cluster_of(tmp_path, opensearch))


@pytest.fixture(scope="module")
def filled(opensearch: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    folder = tmp_path_factory.mktemp("filled")
    made = at(opensearch, folder)
    made.index("one", batch(*ALL))
    yield made
    wipe(cluster_of(folder, opensearch))


def test_the_cluster_says_which_it_is(filled: Subject) -> None:
    health = filled.ask(lambda store: store.health())
    assert (health["ok"], health["kind"], health["sessions"]) == (True, "opensearch", len(ALL))
    assert all("disk" in each for each in filled.ask(lambda store: store.advice()))


def test_another_product_than_the_settings_say_is_refused_with_what_to_do(opensearch: str) -> None:
    async def opened() -> None:
        async with ElasticsearchStore(Cluster((opensearch,), replicas=0), CATALOGUE):
            pass

    with pytest.raises(StoreError, match=r"set store\.kind = 'opensearch'"):
        asyncio.run(opened())


def test_an_index_is_made_anew_with_all_its_sessions(subject: Subject) -> None:
    subject.index("one", batch(*ALL))
    before = subject.found()
    store = subject.store()
    assert isinstance(store, ElasticsearchStore)

    async def reindexed() -> dict[str, int]:
        async with store:
            return await store.reindex(everything=True)

    assert sum(asyncio.run(reindexed()).values()) == len(ALL)
    assert subject.found() == before
