"""The backend on a data folder: what the API serves, and what the commands use when no collector runs."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import hayrick_decode
from hayrick_collector import completing
from hayrick_collector.archive import export as exporting
from hayrick_collector.archive import keylog
from hayrick_collector.backend import (
    Backend,
    Capture,
    CaptureFormat,
    Document,
    Export,
    Found,
    HuntAction,
    Ingested,
    Progress,
    Search,
    Table,
    TableFormat,
    Upload,
    Weight,
    file_pieces,
    outcome,
)
from hayrick_collector.catalog import Catalog, ChunkRow
from hayrick_collector.config import CollectorConfig
from hayrick_collector.dataout import columns, lines, parquet, stream
from hayrick_collector.desk import saved
from hayrick_collector.desk.database import Desk
from hayrick_collector.desk.hunts import Hunt, Hunts
from hayrick_collector.desk.people import LOCAL, Person
from hayrick_collector.desk.schedules import Schedule, Schedules
from hayrick_collector.expression import Catalogue, Node, conjunction, parse_expression
from hayrick_collector.expression.completion import complete
from hayrick_collector.expression.literal import written
from hayrick_collector.hunts import runner as hunting
from hayrick_collector.hunts.spec import Spec, check_name
from hayrick_collector.ingest.imports import intake
from hayrick_collector.ingest.pool import IngestPool
from hayrick_collector.ondemand import Fetcher
from hayrick_collector.ondemand.peers import Peers
from hayrick_collector.schedules.action import Action, check_interval
from hayrick_collector.schedules.run import run as run_now
from hayrick_collector.standing import Standing
from hayrick_collector.store import Query, Store, open_store
from hayrick_collector.timespan import zone_of
from hayrick_common.errors import CaptureError, HayrickError, UsageError

Answer = TypeVar("Answer")


class DirectBackend(Backend):
    """A data folder's catalog, store and archive. With `serving`, the pool takes everything that has landed; without,
    only what this process brings."""

    def __init__(
        self,
        config: CollectorConfig,
        catalog: Catalog,
        store: Store,
        desk: Desk,
        catalogue: Catalogue,
        *,
        serving: bool,
    ) -> None:
        self.config = config
        self.catalog = catalog
        self.desk = desk
        self.store = store
        self.pool = IngestPool(config, catalog)
        self.fetcher = Fetcher(
            config.folder.cache,
            cache_bytes=config.pull.megabytes * 1_000_000,
            seconds=config.pull.seconds,
            keys=config.archive.keys,
        )
        self.catalogue = catalogue
        self.peers = Peers(config.peers, config.node, catalog, store)
        self.fetcher.elsewhere = self.peers.find
        self._serving = serving
        self.arrivals: dict[str, Counter[str]] = {}
        self._standing = Standing(config, catalog, store, self.pool, self.peers)

    @classmethod
    async def open(cls, config: CollectorConfig, *, serving: bool = False) -> DirectBackend:
        """Open what the settings name; makes a data folder that is not there yet."""
        await asyncio.to_thread(config.folder.create)
        if serving:
            await asyncio.to_thread(shutil.rmtree, config.folder.scratch, ignore_errors=True)
        catalog = await asyncio.to_thread(Catalog, config.folder.catalog)
        if not serving:
            await asyncio.to_thread(catalog.recover)
        desk = await asyncio.to_thread(Desk, config.folder.desk)
        catalogue = Catalogue.from_dicts(hayrick_decode.fields())
        store = open_store(config, catalogue)
        await store.open(patient=serving)
        backend = cls(config, catalog, store, desk, catalogue, serving=serving)
        await asyncio.to_thread(backend.fetcher.prepare)
        return backend

    async def close(self) -> None:
        await self.pool.stop()
        await self.peers.close()
        await self.store.close()
        self.catalog.close()
        self.desk.close()

    async def check(self) -> None:
        """Raises StoreError when the store cannot answer."""
        await self.store.health()

    # --- sessions -------------------------------------------------------------------------------------------------

    async def search(self, search: Search) -> Found:
        page = await _asked(self.store.find(await self.query_of(search)))
        return Found(page.items, page.total or 0, page.cursor)

    async def session(self, session_id: str, person: Person = LOCAL) -> Document | None:
        if person.limited and not await self._shows(session_id, person):
            return None
        return await self.store.get(session_id)

    async def _shows(self, session_id: str, person: Person) -> bool:
        """Whether the session is one of those that the person may see."""
        found = await self.search(Search(f"id == {written(session_id)}", limit=0, person=person))
        return found.total > 0

    async def export(
        self, search: Search, file_format: CaptureFormat | None = None, *, session_id: str | None = None
    ) -> Export:
        if session_id is not None and search.person.limited and not await self._shows(session_id, search.person):
            return exporting.start(exporting.Plan(), file_format)
        if session_id is None:
            positions = self.store.positions(await self.query_of(search))
        else:
            positions = self.store.positions_of([session_id])
        planned = await _asked(exporting.plan(self.config, self.catalog, positions, self.fetcher))
        return exporting.start(planned, file_format)

    async def table(self, search: Search, file_format: TableFormat) -> Table:
        fields = columns.chosen(self.catalogue, search.fields)
        query = replace(await self.query_of(search), fields=[field.document for field in fields] or None)
        sessions = await _asked(self.store.count(query))
        pages = stream.documents(self.store, self.catalogue, query)
        if file_format == "ndjson":
            return Table("ndjson", sessions, lines.ndjson(pages))
        if file_format == "csv":
            return Table("csv", sessions, lines.csv_text(pages, fields or columns.usual(self.catalogue)))
        return Table("parquet", sessions, parquet.parquet(pages, self.catalogue, fields, self.config.folder.scratch))

    async def tag(self, search: Search, add: tuple[str, ...], remove: tuple[str, ...]) -> int:
        if not add and not remove:
            raise UsageError("no tags to add or remove")
        return await _asked(self.store.tag(await self.query_of(search), add, remove))

    async def facets(self, search: Search, field: str, limit: int, order: Weight = "sessions") -> list[Document]:
        return [
            asdict(each) for each in await _asked(self.store.facets(await self.query_of(search), field, limit, order))
        ]

    async def unique(self, search: Search, field: str, limit: int | None = None) -> AsyncGenerator[Document]:
        found = self.store.unique(await self.query_of(search), field, limit)
        try:
            async for value, sessions in found:
                yield {"value": value, "sessions": sessions}
        except ValueError as error:
            raise UsageError(str(error)) from error

    async def histogram(
        self, search: Search, interval_ms: int, metric: str = "sessions", split: str = "", limit: int = 10
    ) -> list[Document]:
        asked = self.store.histogram(await self.query_of(search), interval_ms, metric, split or None, limit)
        return [
            {"start": each.start_ms, "value": each.value, **({"split": each.split} if split else {})}
            for each in await _asked(asked)
        ]

    async def graph(
        self, search: Search, source: str, destination: str, limit: int, order: Weight = "sessions"
    ) -> Document:
        return asdict(await _asked(self.store.graph(await self.query_of(search), source, destination, limit, order)))

    async def fields(self) -> list[Document]:
        return [dict(each) for each in hayrick_decode.fields()]

    async def query_of(self, search: Search) -> Query:
        """The store's question: what is asked, of what the person may see. Raises ExpressionError, UsageError."""
        return await asyncio.to_thread(self._query, search)

    def _query(self, search: Search) -> Query:
        person = search.person
        parts = [self._parsed(search)] if search.expression.strip() else []
        if person.expression.strip():  # without saved names, which the person might make
            parts.append(parse_expression(person.expression, self.catalogue))
        start_ms, stop_ms = person.within(search.start_ms, search.stop_ms)
        return Query(
            expression=conjunction(parts) if parts else None,
            start_ms=start_ms,
            stop_ms=stop_ms,
            sort=[(name, "desc" if direction == "desc" else "asc") for name, direction in search.sort],
            limit=search.limit,
            cursor=search.cursor,
            fields=search.fields or None,
            deadline_s=self.config.store.query_seconds,
        )

    def check_expression(self, expression: str) -> None:
        """Raises ExpressionError for one that cannot limit a person: without saved names, which mean nothing then."""
        if expression.strip():
            parse_expression(expression, self.catalogue)

    def _parsed(self, search: Search) -> Node:
        try:
            zone = zone_of(search.zone or self.config.zone)
        except ValueError as error:
            raise UsageError(str(error)) from error
        return parse_expression(search.expression, self.catalogue, zone=zone, **self._saved(search))

    def _saved(self, search: Search) -> dict[str, Any]:
        return {"lists": saved.lists(self.desk, search.person), "views": saved.views(self.desk, search.person)}

    async def complete(self, search: Search, cursor: int, *, values: bool = False) -> Document:
        names = self._saved(search)
        found = await asyncio.to_thread(complete, search.expression, cursor, self.catalogue, **names)
        field = completing.field_of_values(found) if values else None
        if field is None:
            return completing.as_document(found, in_time=True)
        narrow = replace(search, expression=completing.narrowing(field, found.typed))
        found, in_time = await completing.with_values(found, field, self.store, await self.query_of(narrow))
        return completing.as_document(found, in_time=in_time)

    # --- hunts ----------------------------------------------------------------------------------------------------

    async def add_hunt(self, name: str, search: Search, spec: Spec) -> Document:
        await self.query_of(search)
        await hunting.check(self, spec)
        times = search.start_ms, search.stop_ms
        hunt = Hunt(check_name(name), asdict(search.person), search.expression, asdict(spec), *times, search.zone)
        return (await asyncio.to_thread(Hunts(self.desk).add, hunt)).public()

    async def hunts(self) -> list[Document]:
        return [each.public() for each in await asyncio.to_thread(Hunts(self.desk).all)]

    async def hunt(self, name: str) -> Document:
        return (await asyncio.to_thread(Hunts(self.desk).get, name)).public()

    async def change_hunt(self, name: str, action: HuntAction) -> None:
        table = Hunts(self.desk)
        changes: dict[HuntAction, Callable[[str], object]] = {
            "pause": table.pause, "resume": table.resume, "remove": table.remove,
        }  # fmt: skip
        await asyncio.to_thread(changes[action], name)

    async def work_on_hunt(self, name: str) -> None:
        """Run it here, unless another process does."""
        claimed = await asyncio.to_thread(Hunts(self.desk).claim, name)
        if claimed is not None:
            await hunting.HuntRunner(self).run(claimed)

    # --- schedules ------------------------------------------------------------------------------------------------

    async def add_schedule(
        self, name: str, search: Search, every_s: int, action: Action, *, stored: bool = False
    ) -> Document:
        await self.query_of(search)
        action.check(self.config.schedule.webhooks)
        since = 0.0 if stored else time.time()
        made = Schedule(
            check_name(name), asdict(search.person), search.expression, check_interval(every_s), asdict(action),
            search.zone, since,
        )  # fmt: skip
        return (await asyncio.to_thread(Schedules(self.desk).add, made)).public()

    async def schedules(self) -> list[Document]:
        return [each.public() for each in await asyncio.to_thread(Schedules(self.desk).all)]

    async def remove_schedule(self, name: str) -> None:
        await asyncio.to_thread(Schedules(self.desk).remove, name)

    async def run_schedule(self, name: str) -> Document:
        if not await run_now(self, name):
            raise UsageError(f"schedule {name} runs already")
        return (await asyncio.to_thread(Schedules(self.desk).get, name)).public()

    # --- the collector itself -------------------------------------------------------------------------------------

    async def sensors(self) -> list[Document]:
        return await asyncio.to_thread(self.catalog.sensors)

    async def chunks(self, *, state: str | None = None, limit: int = 100, offset: int = 0) -> list[Document]:
        rows = await asyncio.to_thread(self.catalog.chunks, state=state, limit=limit, offset=offset)
        return [row.public() for row in rows]

    async def chunk(self, key: str) -> tuple[Document | None, int | None]:
        """One chunk, and how many sessions were found in it so far while it is being indexed."""
        row = await asyncio.to_thread(self.catalog.get, key)
        return (row.public() if row else None), self.pool.progress(key)

    async def status(self) -> Document:
        return await self._standing.status(self.arrivals)

    async def coverage(
        self, start_ms: int, stop_ms: int, *, sensor: str = "", stream: str = "", buckets: int = 200, gaps: int = 1000
    ) -> Document:
        return await self._standing.coverage(start_ms, stop_ms, sensor, stream, buckets=buckets, gaps=gaps)

    # --- ingest ---------------------------------------------------------------------------------------------------

    async def receive(
        self, pieces: AsyncIterator[bytes], *, name: str, tags: tuple[str, ...] = (), force: bool = False
    ) -> Upload:
        """Make a capture durable in the archive and queue it. Raises CaptureError when it is none."""
        with intake(self.config) as taking:
            async for piece in pieces:
                await asyncio.to_thread(taking.feed, piece)
            landed = await asyncio.to_thread(taking.finish, self.catalog, name=name, tags=tags)
        row = landed.row
        added = () if landed.new else tuple(tag for tag in tags if tag not in row.tags)
        if not landed.new:
            await self._known_again(row, (*row.tags, *added), again=force or row.state == "failed")
        self.pool.wake()
        current = await asyncio.to_thread(self.catalog.get, row.key) or row
        return Upload(row.key, landed.new, row.size, current.state, added)

    async def add_secrets(self, key: str, key_log: bytes) -> None:
        """Keep a key log beside a chunk, and index it again with it. Raises UsageError when it is no key log,
        LookupError when there is no such chunk or its packets are gone."""
        row = await asyncio.to_thread(self.catalog.get, key)
        if row is None or row.packets_removed_at is not None:
            raise LookupError(f"no packets of a chunk {key[:200]}")
        stored = self.config.folder.absolute(row.path)
        try:
            await asyncio.to_thread(keylog.add, stored, key_log, self.config.archive.form)
        except ValueError as error:
            raise UsageError(str(error)) from error
        await asyncio.to_thread(self.catalog.again, key)
        self.pool.wake()

    async def ingest(
        self, capture: Capture, *, tags: tuple[str, ...] = (), force: bool = False, progress: Progress | None = None,
        key_log: bytes | None = None,
    ) -> Ingested:  # fmt: skip
        started = time.monotonic()
        report = progress or (lambda phase, amount: None)
        try:
            pieces = file_pieces(capture.open, lambda read: report("copy", read))
            upload = await self.receive(pieces, name=Path(capture.name).name, tags=tags, force=force)
            if key_log is not None:
                await self.add_secrets(upload.key, key_log)
                upload = replace(upload, state="landed")
        except (CaptureError, OSError) as error:
            return Ingested(capture.name, "failed", error=_reason(error), seconds=time.monotonic() - started)
        row = await self._finished(upload.key, lambda sessions: report("index", sessions))
        return outcome(capture.name, upload, row.public(), seconds=time.monotonic() - started)

    async def _finished(self, key: str, progress: Callable[[int], None]) -> ChunkRow:
        if self._serving:
            return await self.pool.finished(key)
        return await self.pool.index_one(key, progress)

    async def _known_again(self, row: ChunkRow, tags: tuple[str, ...], *, again: bool) -> None:
        if again:
            await asyncio.to_thread(self.catalog.again, row.key, tags=tags)
        elif tags != row.tags:
            await asyncio.to_thread(self.catalog.set_tags, row.key, tags)
            if row.state == "indexed":
                chunk = parse_expression(f'chunk == "{row.key}"', self.catalogue)
                await self.store.tag(Query(expression=chunk), tags)


async def _asked(answer: Awaitable[Answer]) -> Answer:
    """Await a store's answer; a question that is wrong in itself is the asker's to mend."""
    try:
        return await answer
    except ValueError as error:
        raise UsageError(str(error)) from error


def _reason(error: HayrickError | OSError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
