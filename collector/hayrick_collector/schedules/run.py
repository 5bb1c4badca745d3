"""One run of a schedule: the chunks that were indexed since, some at a time, each batch done and then ticked off.

A batch is written down before anything is done with it. After a crash the same batch is done again: a tag is there
once, a file is written over by the same file, and a message carries the same delivery number.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hayrick_collector.archive import export as exporting
from hayrick_collector.backend import Search
from hayrick_collector.catalog import Catalog
from hayrick_collector.dataout import lines, stream
from hayrick_collector.desk.people import Person
from hayrick_collector.desk.schedules import OVERLAP_SECONDS, Indexing, Schedule, Schedules
from hayrick_collector.expression import Match, Term, conjunction
from hayrick_collector.schedules import webhook
from hayrick_collector.schedules.action import Action
from hayrick_collector.store import Query
from hayrick_collector.store.questions import known
from hayrick_common.errors import HayrickError
from hayrick_common.files import commit_rename, make_folder, part_path, remove

if TYPE_CHECKING:
    from hayrick_collector.direct import DirectBackend

CHUNKS = 200  # of a batch
TOLD = 100  # sessions that a message tells one by one
_TOLD_FIELDS = (
    "id", "firstPacket", "lastPacket", "source", "destination", "network.packets", "network.bytes", "protocol", "node",
    "chunk", "tags",
)  # fmt: skip


async def run(backend: DirectBackend, name: str) -> bool:
    """Run it now, to the end of what there is. False while it runs already. What went wrong is told in its row and
    tried again at its next run. Raises LookupError."""
    table = Schedules(backend.desk)
    schedule = await asyncio.to_thread(table.claim, name)
    if schedule is None:
        return False
    error = "it was cut short"
    try:
        await _Run(backend, table, schedule).run()
        error = ""
    except (HayrickError, ValueError, OSError) as failed:
        error = str(failed) or type(failed).__name__
    finally:
        table.release(schedule.id, error)
    return True


class _Run:
    def __init__(self, backend: DirectBackend, table: Schedules, schedule: Schedule) -> None:
        self._backend = backend
        self._table = table
        self._schedule = schedule
        self._action = Action(**{**schedule.action, "tags": tuple(schedule.action["tags"])})

    async def run(self) -> None:
        number = self._schedule.id
        batch: Sequence[Indexing] = self._schedule.pending
        while batch or (batch := await asyncio.to_thread(self._next)):
            await asyncio.to_thread(self._table.take, number, batch)
            found = await self._act(batch)
            await asyncio.to_thread(self._table.finish, number, batch, found)
            batch = ()

    def _next(self) -> list[Indexing]:
        """Chunks that are not done, the first indexed first."""
        now = self._table.get(self._schedule.name)
        done = self._table.done(now.id)
        at = max(now.since, now.mark - OVERLAP_SECONDS)
        return first(after(self._backend.catalog, at), done)

    async def _act(self, batch: Sequence[Indexing]) -> int:
        query = await self._query(batch)
        store, action = self._backend.store, self._action
        found = await store.count(query)
        if not found:
            return 0
        delivery = _delivery(self._schedule.id, batch)
        if action.tags:
            await store.tag(query, action.tags)
        if action.export:
            await self._export(query, delivery)
        if action.webhook:
            await self._tell(query, found, delivery)
        return found

    async def _query(self, batch: Sequence[Indexing]) -> Query:
        schedule, catalogue = self._schedule, self._backend.catalogue
        search = Search(schedule.expression, zone=schedule.zone, person=Person(**schedule.person))
        asked = await self._backend.query_of(search)
        chunks = Match(known(catalogue, "chunk"), tuple(Term(key) for key, _ in batch))
        return replace(asked, expression=conjunction([asked.node, chunks]))

    async def _export(self, query: Query, delivery: str) -> None:
        folder = self._backend.config.exports / self._schedule.name
        final = folder / f"{self._schedule.name}-{delivery}.{self._action.export}"
        pieces = self._sessions(query) if self._action.export == "ndjson" else self._packets(query)
        hidden = part_path(final)
        await asyncio.to_thread(make_folder, folder)
        try:
            with hidden.open("wb") as file:
                async for piece in pieces:
                    await asyncio.to_thread(file.write, piece)
            await asyncio.to_thread(commit_rename, hidden, final)
        finally:
            await asyncio.to_thread(remove, hidden)

    def _sessions(self, query: Query) -> AsyncIterator[bytes]:
        return lines.ndjson(stream.documents(self._backend.store, self._backend.catalogue, query))

    async def _packets(self, query: Query) -> AsyncIterator[bytes]:
        backend = self._backend
        positions = backend.store.positions(query)
        planned = await exporting.plan(backend.config, backend.catalog, positions, backend.fetcher)
        async for piece in exporting.start(planned, "pcapng").pieces:
            yield piece

    async def _tell(self, query: Query, found: int, delivery: str) -> None:
        page = await self._backend.store.find(replace(query, limit=TOLD, fields=_TOLD_FIELDS, total=False))
        settings = self._backend.config.schedule
        message: dict[str, Any] = {
            "schedule": self._schedule.name, "expression": self._schedule.expression, "delivery": delivery,
            "collector": self._backend.config.node, "found": found, "sessions": page.items,
        }  # fmt: skip
        await webhook.post(
            self._action.webhook, message, allowed=settings.webhooks, secret_file=settings.webhook_secret_file,
            delivery=delivery,
        )  # fmt: skip


def after(catalog: Catalog, at: float) -> Iterator[Indexing]:
    """Chunks indexed from this time on."""
    key = ""
    while rows := catalog.indexed_after(at, key):
        for row in rows:
            at, key = row.indexed_at or 0.0, row.key
            yield key, at


def first(chunks: Iterator[Indexing], done: set[Indexing]) -> list[Indexing]:
    """The first of them that are not done."""
    found: list[Indexing] = []
    for each in chunks:
        if each not in done:
            found.append(each)
        if len(found) == CHUNKS:
            break
    return found


def _delivery(number: int, batch: Sequence[Indexing]) -> str:
    return hashlib.sha256(json.dumps([number, list(batch)]).encode()).hexdigest()[:16]
