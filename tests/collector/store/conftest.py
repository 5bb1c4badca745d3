"""Every store that the contract suite runs against. A new store adds itself here and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.collector.catalogue import CATALOGUE
from tests.collector.store.sessions import Batches, expression

from hayrick_collector.store import Page, Query, Store
from hayrick_collector.store.embedded import EmbeddedStore

T = TypeVar("T")
MakeStore = Callable[[Path], Store]
STORES: dict[str, MakeStore] = {"embedded": lambda folder: EmbeddedStore(folder / "store", CATALOGUE, grace_s=0)}
DEADLINE_S = 60


class Subject:
    """The store under test, each question asked of it opened afresh: nothing may live in memory only."""

    def __init__(self, make: MakeStore, folder: Path) -> None:
        self._make, self._folder = make, folder

    def store(self) -> Store:
        return self._make(self._folder)

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


@pytest.fixture(params=STORES)
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    return Subject(STORES[request.param], tmp_path)
