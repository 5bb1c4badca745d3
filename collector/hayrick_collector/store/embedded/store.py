"""The embedded store: questions become SQL over the segments of one snapshot, in threads that can be interrupted."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from hayrick_collector.expression import Catalogue
from hayrick_collector.store import questions
from hayrick_collector.store.embedded import maintenance, tags
from hayrick_collector.store.embedded.duck import Engine, Limits, is_missing_file
from hayrick_collector.store.embedded.layout import Layout
from hayrick_collector.store.embedded.maintenance import Compaction
from hayrick_collector.store.embedded.search import Place, Search
from hayrick_collector.store.embedded.snapshot import Snapshot, Snapshots
from hayrick_collector.store.embedded.summaries import Summaries
from hayrick_collector.store.embedded.view import View
from hayrick_collector.store.embedded.writer import EmbeddedWriter
from hayrick_collector.store.interface import (
    Bucket,
    Document,
    Facet,
    Graph,
    Page,
    Positions,
    Query,
    SegmentWriter,
    Store,
    Value,
    Waiting,
    Weight,
)
from hayrick_common.errors import StoreError

T = TypeVar("T")
V = TypeVar("V", bound=View)
_ATTEMPTS = 4
_PORTION = 5_000  # sessions whose packets are read at once
_UPKEEP_DEADLINE_S = 3600.0
_LOOK_UP_DEADLINE_S = 30.0
GRACE_S = 300.0  # longer than any query may run


class EmbeddedStore(Store):
    """Parquet segments under `root`, any number of readers and writers in any number of processes."""

    def __init__(
        self,
        root: Path,
        catalogue: Catalogue,
        *,
        limits: Limits | None = None,
        compaction: Compaction | None = None,
        grace_s: float = GRACE_S,
    ) -> None:
        self._layout = Layout(root.absolute())
        self._catalogue = catalogue
        self._limits = limits or Limits()
        self._compaction = compaction or Compaction()
        self._grace_s = grace_s
        self._snapshots = Snapshots(self._layout)
        self._lock = threading.Lock()
        self._engine: Engine | None = None

    async def open(self, *, patient: bool = False) -> None:
        """Creates the folders; StoreError if they are of a format that this version does not know."""
        await asyncio.to_thread(self._layout.create)
        self._engine = Engine(self._layout.root, self._layout.spill, self._limits)

    async def close(self) -> None:
        """Waits for queries that still run."""
        if self._engine is not None:
            engine, self._engine = self._engine, None
            await asyncio.to_thread(engine.close)

    def writer(self, chunk_key: str, waiting: Waiting = lambda reason: None) -> SegmentWriter:
        """Needs no open store; a disk takes or refuses, it does not make wait."""
        return EmbeddedWriter(self._layout.root, chunk_key)

    async def find(self, query: Query) -> Page:
        """A page of documents."""
        return await self._ask(lambda search: search.find(query), query.deadline_s)

    async def count(self, query: Query) -> int:
        """How many sessions the query finds."""
        return await self._ask(lambda search: search.count(query), query.deadline_s)

    async def get(self, session_id: str) -> Document | None:
        """One document by id."""
        return await self._ask(lambda search: search.get(session_id), _LOOK_UP_DEADLINE_S)

    async def positions(self, query: Query) -> AsyncIterator[Positions]:
        """The packets of all sessions found."""
        places = await self._ask(lambda search: search.places(query), query.deadline_s)
        async for each in self._positions(places, query.deadline_s):
            yield each

    async def positions_of(self, ids: Sequence[str]) -> AsyncIterator[Positions]:
        """The packets of these sessions."""
        places = await self._ask(lambda search: search.places_of(ids), _LOOK_UP_DEADLINE_S)
        async for each in self._positions(places, _LOOK_UP_DEADLINE_S):
            yield each

    async def facets(self, query: Query, field: str, limit: int = 20, order: Weight = "sessions") -> list[Facet]:
        """The commonest values of a field."""
        return await self._sum(lambda sums: sums.facets(query, field, limit, order), query)

    def unique(self, query: Query, field: str, limit: int | None = None) -> AsyncIterator[tuple[Value, int]]:
        """Every value of a field in order; each portion is of the store as it is by then."""

        async def portion(left: int | None, after: Any) -> tuple[list[tuple[Value, int]], Any]:
            return await self._sum(lambda sums: sums.unique(query, field, left, after), query)

        return questions.portions(portion, limit)

    async def histogram(
        self, query: Query, interval_ms: int, metric: str = "sessions", split: str | None = None, limit: int = 10
    ) -> list[Bucket]:
        """A metric by the time sessions began."""
        return await self._sum(lambda sums: sums.histogram(query, interval_ms, metric, split, limit), query)

    async def graph(
        self,
        query: Query,
        source: str = "ip.src",
        destination: str = "ip.dst",
        limit: int = 100,
        order: Weight = "sessions",
    ) -> Graph:
        """Which values of two fields come together."""
        return await self._sum(lambda sums: sums.graph(query, source, destination, limit, order), query)

    async def tag(self, query: Query, add: Iterable[str] = (), remove: Iterable[str] = ()) -> int:
        """Written beside the segments, which stay as they are."""
        added, removed = questions.tag_names(add), questions.tag_names(remove)

        def work(cursor: duckdb.DuckDBPyConnection) -> int:
            ids = self._attempts(cursor, Search, lambda search: search.ids(query))
            if ids and (added or removed):
                tags.write(cursor, self._layout, ids, added, removed)
            return len(ids)

        return await self._run(work, query.deadline_s)

    async def has_chunk(self, chunk_key: str) -> bool:
        """Whether the chunk was committed and not deleted since."""
        return (await asyncio.to_thread(self._snapshot)).holds(chunk_key)

    async def delete_chunk(self, chunk_key: str) -> bool:
        """At once for readers; its files go in `maintain`."""
        return await self._run(
            lambda cursor: maintenance.delete_chunk(self._layout, self._snapshot(), cursor, chunk_key),
            _UPKEEP_DEADLINE_S,
        )

    async def delete_before(self, before_ms: int) -> int:
        """Whole segments only: a merged day goes when its last session is old enough."""
        return await asyncio.to_thread(lambda: maintenance.delete_before(self._layout, self._snapshot(), before_ms))

    async def maintain(self) -> dict[str, int]:
        """Compaction, then removal of what was replaced long enough ago."""

        def work(cursor: duckdb.DuckDBPyConnection) -> dict[str, int]:
            merged = maintenance.compact(self._layout, self._snapshot(), cursor, self._compaction)
            removed = maintenance.sweep(self._layout, self._snapshot(), self._grace_s)
            changes = tags.merge(cursor, self._layout, self._grace_s)
            return {"segments_merged": merged, "segments_removed": removed, "tag_files_removed": changes}

        return await self._run(work, _UPKEEP_DEADLINE_S)

    async def health(self) -> dict[str, Any]:
        """From the manifests and the file system alone."""
        return await asyncio.to_thread(self._health)

    def _health(self) -> dict[str, Any]:
        snapshot = self._snapshot()
        live = list(snapshot.live())
        free = shutil.disk_usage(self._layout.root).free
        return {
            "ok": True,
            "kind": "embedded",
            "path": str(self._layout.root),
            "sessions": sum(each.manifest.rows for each in live),
            "chunks": sum(snapshot.holds(chunk) for chunk in snapshot.owners),
            "segments": len(live),
            "segments_replaced": sum(1 for _ in snapshot.replaced()),
            "tag_files": len(tags.listed(self._layout)),
            "bytes": sum(each.manifest.size for each in snapshot.segments),
            "disk_free": free,
            "queries_running": self._engine.running if self._engine else 0,
            "first_ms": min((each.manifest.first_packet[0] for each in live), default=None),
            "last_ms": max((each.manifest.last_packet[1] for each in live), default=None),
        }

    def _snapshot(self, *, afresh: bool = False) -> Snapshot:
        with self._lock:
            return self._snapshots.current(afresh=afresh)

    async def _ask(self, question: Callable[[Search], T], deadline_s: float) -> T:
        return await self._run(lambda cursor: self._attempts(cursor, Search, question), deadline_s)

    async def _sum(self, question: Callable[[Summaries], T], query: Query) -> T:
        return await self._run(lambda cursor: self._attempts(cursor, Summaries, question), query.deadline_s)

    def _attempts(self, cursor: duckdb.DuckDBPyConnection, view: type[V], question: Callable[[V], T]) -> T:
        """Ask again when a file went away in the middle: somebody deleted or compacted, and the list is new."""
        for attempt in range(_ATTEMPTS):
            try:
                snapshot = self._snapshot(afresh=attempt > 0)
                return question(view(cursor, self._catalogue, snapshot, tags.listed(self._layout)))
            except (OSError, duckdb.IOException) as error:
                if not is_missing_file(error):
                    raise StoreError(f"the store cannot be read: {error}") from error
        raise StoreError("the store's files change faster than they can be read; try again")

    async def _positions(self, places: Sequence[Place], deadline_s: float) -> AsyncIterator[Positions]:
        """A portion at a time: a slow taker holds no query open, and no more is in memory."""
        for start in range(0, len(places), _PORTION):
            portion = places[start : start + _PORTION]
            for each in await self._portion(portion, deadline_s):
                yield each

    async def _portion(self, places: Sequence[Place], deadline_s: float) -> list[Positions]:
        return await self._ask(lambda search: search.positions(places), deadline_s)

    async def _run(self, work: Callable[[duckdb.DuckDBPyConnection], T], deadline_s: float) -> T:
        if self._engine is None:
            raise StoreError("the store is not open")
        return await self._engine.run(work, deadline_s)
