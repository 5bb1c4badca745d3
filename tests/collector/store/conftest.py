"""Every store that the contract suite runs against. A new store adds itself here and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.collector.catalogue import CATALOGUE
from tests.collector.elasticsearch import START_S, cluster_of, wipe
from tests.collector.store.sessions import ALL, Batches, batch, expression

from hayrick_collector.store import Page, Query, Store
from hayrick_collector.store.elasticsearch import Cluster, ElasticsearchStore
from hayrick_collector.store.embedded import EmbeddedStore

T = TypeVar("T")
MakeStore = Callable[[Path, str], Store]
ELASTICSEARCH = "elasticsearch"
STORES: dict[str, MakeStore] = {
    "embedded": lambda folder, _: EmbeddedStore(folder / "store", CATALOGUE, grace_s=0),
    ELASTICSEARCH: lambda folder, address: ElasticsearchStore(cluster_of(folder, address), CATALOGUE),
}
# The first one waits until the server is fetched and started.
PARAMETERS = ["embedded", pytest.param(ELASTICSEARCH, marks=pytest.mark.timeout(START_S + 120))]
DEADLINE_S = 60


class Subject:
    """The store under test, each question asked of it opened afresh: nothing may live in memory only."""

    def __init__(self, make: MakeStore, folder: Path, address: str) -> None:
        self._make, self._folder, self._address = make, folder, address

    def store(self) -> Store:
        return self._make(self._folder, self._address)

    def ask(self, question: Callable[[Store], Coroutine[Any, Any, T]]) -> T:
        async def asked() -> T:
            async with asyncio.timeout(DEADLINE_S), self.store() as store:
                return await question(store)

        return asyncio.run(asked())

    def index(self, chunk: str, *batches: Batches) -> int:
        """Commit one chunk with these batches."""
        with self.store().writer(chunk) as writer:
            for batch in batches:
                writer.add(batch)
            return writer.commit()

    def find(self, query: Query) -> Page:
        return self.ask(lambda store: store.find(query))

    def get(self, name: str) -> dict[str, Any]:
        """The document of the session with this name, which must be there."""
        found = self.ask(lambda store: store.get(f"231114-{name}"))
        assert found is not None
        return found

    def tag(self, text: str, add: Iterable[str] = (), remove: Iterable[str] = ()) -> int:
        return self.ask(lambda store: store.tag(Query(expression(text), limit=1), add, remove))

    def found(self, text: str = "", **more: Any) -> list[str]:
        """Ids of all sessions found, each once."""
        page = self.find(Query(expression(text), limit=1000, **more))
        ids = [item["id"] for item in page.items]
        assert page.total == len(ids) == len(set(ids))
        return sorted(ids)


@pytest.fixture(params=PARAMETERS)
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    yield Subject(STORES[request.param], tmp_path, address_for(request))
    clean(request, tmp_path)


@pytest.fixture(scope="module", params=PARAMETERS)
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """A store with all the usual sessions, for tests that only ask it."""
    folder = tmp_path_factory.mktemp("filled")
    made = Subject(STORES[request.param], folder, address_for(request))
    made.index("one", batch(*ALL))
    yield made
    clean(request, folder)


@pytest.fixture
def cluster(elasticsearch: str, tmp_path: Path) -> Iterator[Cluster]:
    """A prefix of its own on the test's Elasticsearch."""
    yield cluster_of(tmp_path, elasticsearch)
    wipe(cluster_of(tmp_path, elasticsearch))


def address_for(request: pytest.FixtureRequest) -> str:
    """The server's address, for a store that has one."""
    return request.getfixturevalue("elasticsearch") if request.param == ELASTICSEARCH else ""


def clean(request: pytest.FixtureRequest, folder: Path) -> None:
    """Take away what the test left on the server."""
    if request.param == ELASTICSEARCH:
        wipe(cluster_of(folder, request.getfixturevalue("elasticsearch")))
