"""The backend on a data folder: what the API serves, and what the commands use when no collector runs."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import hayrick_decode
from hayrick_collector import completing
from hayrick_collector.archive import export as exporting
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
from hayrick_collector.schedules.action import Action, check_interval
from hayrick_collector.schedules.run import run as run_now
from hayrick_collector.store import Query, Store, open_store
from hayrick_collector.timespan import zone_of
from hayrick_common.clock import epoch_ms
from hayrick_common.errors import CaptureError, HayrickError, StoreError, UsageError

Answer = TypeVar("Answer")
_DAY_MS = 86_400_000
_STATUS_GAPS = 50
_COVERAGE_SECONDS = 5.0
_HEALTH_SECONDS = 5.0


class DirectBackend(Backend):
    """A data folder's catalog, store and archive. With `serving`, the pool takes everything that has landed; without,
    only what this process brings."""

    def __init__(self, config: CollectorConfig, catalog: Catalog, store: Store, desk: Desk, *, serving: bool) -> None:
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
        self._catalogue = Catalogue.from_dicts(hayrick_decode.fields())
        self._serving = serving
        self.arrivals: dict[str, Counter[str]] = {}
        self._coverage: list[Document] = []
        self._coverage_until = 0.0

    @classmethod
    async def open(cls, config: CollectorConfig, *, serving: bool = False) -> DirectBackend:
        """Open what the settings name; makes a data folder that is not there yet."""
        await asyncio.to_thread(config.folder.create)
        if serving:
            await asyncio.to_thread(shutil.rmtree, config.folder.scratch, ignore_errors=True)
        catalog = await asyncio.to_thread(Catalog, config.folder.catalog)
        await asyncio.to_thread(catalog.recover)
        desk = await asyncio.to_thread(Desk, config.folder.desk)
        store = open_store(config)
        await store.open(patient=serving)
        backend = cls(config, catalog, store, desk, serving=serving)
        await asyncio.to_thread(backend.fetcher.prepare)
        return backend

    async def close(self) -> None:
        await self.pool.stop()
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
        fields = columns.chosen(self._catalogue, search.fields)
        query = replace(await self.query_of(search), fields=[field.document for field in fields] or None)
        sessions = await _asked(self.store.count(query))
        pages = stream.documents(self.store, self._catalogue, query)
        if file_format == "ndjson":
            return Table("ndjson", sessions, lines.ndjson(pages))
        if file_format == "csv":
            return Table("csv", sessions, lines.csv_text(pages, fields or columns.usual(self._catalogue)))
        return Table("parquet", sessions, parquet.parquet(pages, self._catalogue, fields, self.config.folder.scratch))

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
            parts.append(parse_expression(person.expression, self._catalogue))
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
            parse_expression(expression, self._catalogue)

    def _parsed(self, search: Search) -> Node:
        try:
            zone = zone_of(search.zone or self.config.zone)
        except ValueError as error:
            raise UsageError(str(error)) from error
        return parse_expression(search.expression, self._catalogue, zone=zone, **self._saved(search))

    def _saved(self, search: Search) -> dict[str, Any]:
        return {"lists": saved.lists(self.desk, search.person), "views": saved.views(self.desk, search.person)}

    async def complete(self, search: Search, cursor: int, *, values: bool = False) -> Document:
        names = self._saved(search)
        found = await asyncio.to_thread(complete, search.expression, cursor, self._catalogue, **names)
        if not values or found.field is None or not completing.offers_values(found):
            return completing.as_document(found, in_time=True)
        narrow = replace(search, expression=completing.narrowing(found.field, found.typed))
        found, in_time = await completing.with_values(found, self.store, await self.query_of(narrow))
        return completing.as_document(found, in_time=in_time)

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue of fields."""
        return self._catalogue

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
        catalog = self.catalog
        counts, totals, anomalies, sensors = await asyncio.gather(
            asyncio.to_thread(catalog.counts),
            asyncio.to_thread(catalog.totals),
            asyncio.to_thread(catalog.anomalies),
            asyncio.to_thread(catalog.sensors),
        )
        failed = await self.chunks(state="failed", limit=10)
        usage = await asyncio.to_thread(shutil.disk_usage, self.config.data)
        return {
            "node": self.config.node,
            "chunks": counts,
            "backlog": counts["landed"] + counts["indexing"],
            "totals": totals,
            "anomalies": anomalies,
            "sensors": sensors,
            "failed": [{name: row[name] for name in ("key", "original_name", "error", "attempts")} for row in failed],
            "coverage": await self._today(),
            "retention": await asyncio.to_thread(catalog.history.retention),
            "disk": {"total": usage.total, "free": usage.free},
            "store": await self._health(),
            "workers": len(self.pool.worker_pids()),
            "ingest": {
                **self.pool.pressure.as_dict(),
                "oldest_waiting_seconds": await asyncio.to_thread(self._oldest_waiting),
                "close_to_searchable": self.pool.latency.report(),
            },
            "arrivals": {way: dict(counters) for way, counters in self.arrivals.items()},
        }

    async def coverage(
        self, start_ms: int, stop_ms: int, *, sensor: str = "", stream: str = "", buckets: int = 200, gaps: int = 1000
    ) -> Document:
        wanted = await asyncio.to_thread(self._streams, sensor, stream)
        ask = partial(self.catalog.history.coverage, start_ms=start_ms, stop_ms=stop_ms, buckets=buckets, gaps=gaps)
        found = [await asyncio.to_thread(ask, *each) for each in wanted]
        return {"start_ms": start_ms, "stop_ms": stop_ms, "streams": found}

    def _oldest_waiting(self) -> float:
        since = self.catalog.oldest_waiting()
        return 0.0 if since is None else round(max(time.time() - since, 0.0), 3)

    def _streams(self, sensor: str, stream: str) -> list[tuple[str, str]]:
        found = [each for each in self.catalog.history.streams() if sensor in ("", each[0]) and stream in ("", each[1])]
        if sensor and not found:
            raise UsageError(f"nothing was ever heard of {sensor}{'/' if stream else ''}{stream}: see `hayrick status`")
        return found

    async def _today(self) -> list[Document]:
        """The last day's time lines in short, at most a few seconds old: every status asks for them."""
        if time.monotonic() >= self._coverage_until:
            now_ms = epoch_ms()
            found = await self.coverage(now_ms - _DAY_MS, now_ms, buckets=1, gaps=_STATUS_GAPS)
            self._coverage = [
                {name: value for name, value in each.items() if name != "spans"} for each in found["streams"]
            ]
            self._coverage_until = time.monotonic() + _COVERAGE_SECONDS
        return self._coverage

    async def _health(self) -> Document:
        """The store's health, or that it does not answer: the rest of the status matters most then."""
        try:
            async with asyncio.timeout(_HEALTH_SECONDS):
                return await self.store.health()
        except (StoreError, TimeoutError) as error:
            reason = str(error) or f"the store did not answer within {_HEALTH_SECONDS:g} seconds"
            return {"ok": False, "kind": self.config.store.kind, "error": reason}

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

    async def ingest(
        self, capture: Capture, *, tags: tuple[str, ...] = (), force: bool = False, progress: Progress | None = None
    ) -> Ingested:
        started = time.monotonic()
        report = progress or (lambda phase, amount: None)
        try:
            pieces = file_pieces(capture.open, lambda read: report("copy", read))
            upload = await self.receive(pieces, name=Path(capture.name).name, tags=tags, force=force)
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
                chunk = parse_expression(f'chunk == "{row.key}"', self._catalogue)
                await self.store.tag(Query(expression=chunk), tags)


async def _asked(answer: Awaitable[Answer]) -> Answer:
    """Await a store's answer; a question that is wrong in itself is the asker's to mend."""
    try:
        return await answer
    except ValueError as error:
        raise UsageError(str(error)) from error


def _reason(error: HayrickError | OSError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
