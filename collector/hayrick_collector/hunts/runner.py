"""Runs hunts: the sessions of an expression in a stable order, some at a time, each step durable before the next.

A hunt is about the sessions that were indexed when it was made. Its place is a time (of first packets) and the ids at
that time, so that it goes on after a restart, or in another process, where it stopped; what was in hand then is
searched again, and found once. What kills the hunting process costs the one session that does it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from hayrick_collector.backend import Search
from hayrick_collector.desk.hunts import Hunt, Hunts
from hayrick_collector.desk.people import Person
from hayrick_collector.expression import Interval, Match, Node, Term
from hayrick_collector.expression.tree import conjunction, negation
from hayrick_collector.hunts.match import matcher
from hayrick_collector.hunts.places import Client, places
from hayrick_collector.hunts.spec import Spec
from hayrick_collector.ingest.process import WorkerError, WorkerProcess
from hayrick_collector.store import Page, Query
from hayrick_collector.store.documents import values
from hayrick_collector.store.questions import known
from hayrick_common.errors import HayrickError, StoreError, UsageError

if TYPE_CHECKING:
    from hayrick_collector.direct import DirectBackend

LOG = logging.getLogger(__name__)
PAGE = 5_000  # sessions asked of the store at once
STEP_SESSIONS = 1_000  # sessions searched between two steps
STEP_PACKETS = 100_000
STEP_BYTES = 128 << 20  # on the wire: the hunting process may hold so much at once
CHECK_SECONDS = 30.0
STALL_SECONDS = 180.0  # a hunting process that says nothing for so long is killed: it has sessions to tell of
LOOK_SECONDS = 2.0  # how often hunts are looked for that another process added
RETRY_SECONDS = (1.0, 5.0, 15.0, 60.0)
MOST_FAULTS = 20  # sessions in a row that end the hunting process before the hunt is given up
FIELDS = ("id", "firstPacket", "source.ip", "source.port", "network.packets", "network.bytes")
WORKER = "hayrick_collector.hunts.worker"
Told = Callable[[Hunt], None]


@dataclass(slots=True)
class Step:
    """What came of searching some sessions."""

    found: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unread: Counter[str] = field(default_factory=Counter)
    packets: int = 0
    bytes: int = 0

    def add(self, answer: dict[str, Any]) -> None:
        """Take in what the hunting process answered."""
        self.found.update({identity: tuple(labels) for identity, labels in answer["found"].items()})
        self.unread.update(answer["unread"])
        self.packets += answer["packets"]
        self.bytes += answer["bytes"]


async def check(backend: DirectBackend, spec: Spec) -> None:
    """Compile the pattern; filters and rules where they would be used. Raises UsageError with what is wrong."""
    if spec.kind not in ("bpf", "yara"):
        matcher(spec)
        return
    process = WorkerProcess(backend.config.as_dict(), stall_seconds=CHECK_SECONDS, module=WORKER)
    try:
        await process.do({"check": asdict(spec)}, lambda sessions: None)
    except WorkerError as error:
        raise UsageError(str(error)) from None
    finally:
        await process.stop()


class HuntRunner:
    """Runs the hunts of one data folder, as many at a time as the settings say, until it is cancelled."""

    def __init__(self, backend: DirectBackend) -> None:
        self._backend = backend
        self._hunts = Hunts(backend.desk)

    async def serve(self) -> None:
        """Take up hunts as they come, whoever adds them."""
        parallel = self._backend.config.hunt.parallel
        async with asyncio.TaskGroup() as group:
            for _ in range(parallel):
                group.create_task(self._serve())

    async def run(self, hunt: Hunt, told: Told = lambda hunt: None) -> None:
        """Run one hunt, which this process has claimed, to its end or until it is to stop."""
        process = WorkerProcess(self._backend.config.as_dict(), stall_seconds=STALL_SECONDS, module=WORKER)
        try:
            ended = await _Run(self._backend, self._hunts, hunt, process, told).run()
            if ended:
                await asyncio.to_thread(self._hunts.end, hunt.id)
        except (HayrickError, ValueError) as error:
            await asyncio.to_thread(self._hunts.end, hunt.id, str(error) or type(error).__name__)
        finally:
            await process.stop()
            self._hunts.release(hunt.id)

    async def _serve(self) -> None:
        while True:
            hunt = await asyncio.to_thread(self._hunts.claim)
            if hunt is None:
                await asyncio.sleep(LOOK_SECONDS)
                continue
            try:
                await self.run(hunt)
            except Exception:
                LOG.exception("hunt %s", hunt.name)
                await asyncio.to_thread(self._hunts.end, hunt.id, "an internal error: see the collector's log")


class _Run:
    """One hunt being run."""

    def __init__(
        self, backend: DirectBackend, hunts: Hunts, hunt: Hunt, process: WorkerProcess, told: Told
    ) -> None:  # fmt: skip
        self._backend = backend
        self._hunts = hunts
        self._hunt = hunt
        self._process = process
        self._told = told
        self._at_ms = hunt.at_ms
        self._at_ids = list(hunt.at_ids)
        self._faults = 0

    async def run(self) -> bool:
        """True when every session was searched, False when the hunt is to stop."""
        if self._hunt.total is None:
            everything = await self._query(None, ())
            total = await self._patiently(partial(self._backend.store.count, everything))
            await asyncio.to_thread(self._hunts.counted, self._hunt.id, total)
        while page := await self._page():
            for sessions in _steps(page):
                if not await self._search(sessions):
                    return False
        return True

    async def _page(self) -> list[dict[str, Any]]:
        rest = await self._query(self._at_ms, self._at_ids)
        page: Page = await self._patiently(partial(self._backend.store.find, rest))
        return page.items

    async def _search(self, sessions: Sequence[dict[str, Any]]) -> bool:
        step = await self._step(sessions)
        await self._mark(step.found)
        last = _first_ms(sessions[-1])
        same = [each["id"] for each in sessions if _first_ms(each) == last]
        self._at_ids = [*(self._at_ids if last == self._at_ms else ()), *same]
        self._at_ms = last
        going = await asyncio.to_thread(
            self._hunts.advance, self._hunt.id, at_ms=last, at_ids=self._at_ids, sessions=len(sessions),
            found=len(step.found), packets=step.packets, size=step.bytes, unread=step.unread,
        )  # fmt: skip
        with suppress(LookupError):
            self._told(await asyncio.to_thread(self._hunts.get, self._hunt.name))
        return going

    async def _step(self, sessions: Sequence[dict[str, Any]]) -> Step:
        ids = [each["id"] for each in sessions]
        clients = {each["id"]: _client(each) for each in sessions}

        async def positions() -> list[Any]:
            return [each async for each in self._backend.store.positions_of(ids)]

        found = await self._patiently(positions)
        where = await places(self._backend.config, self._backend.catalog, self._backend.fetcher, found, clients)
        step = Step(unread=where.unread)
        if where.chunks:
            await self._ask(where.chunks, step)
        return step

    async def _ask(self, chunks: list[dict[str, Any]], step: Step) -> None:
        """Halve what the hunting process did not survive, down to the session that it is."""
        try:
            answer = await self._process.do({"spec": self._hunt.spec, "chunks": chunks}, lambda sessions: None)
        except WorkerError as error:
            halves = _halves(chunks)
            if halves is None:
                self._fault(chunks, step, error)
                return
            for half in halves:
                await self._ask(half, step)
            return
        self._faults = 0
        step.add(answer)

    def _fault(self, chunks: list[dict[str, Any]], step: Step, error: WorkerError) -> None:
        self._faults += 1
        if self._faults >= MOST_FAULTS:
            raise HayrickError(f"{self._faults} sessions in a row could not be searched: {error}")
        step.unread[str(error)] += sum(len(each["positions"]) for chunk in chunks for each in chunk["sessions"])

    async def _mark(self, found: dict[str, tuple[str, ...]]) -> None:
        tags: dict[tuple[str, ...], list[str]] = {}
        for identity, labels in found.items():
            rules = tuple(f"yara:{label}"[:100] for label in labels if label)
            tags.setdefault(rules, []).append(identity)
        for rules, ids in tags.items():
            query = Query(expression=self._field("id", *ids))
            await self._patiently(partial(self._tag, query, rules))

    async def _tag(self, query: Query, rules: tuple[str, ...]) -> int:
        return await self._backend.store.tag(query, [f"hunt:{self._hunt.name}", *rules])

    async def _query(self, at_ms: int | None, at_ids: Iterable[str]) -> Query:
        hunt = self._hunt
        person = Person(**hunt.person)
        search = Search(hunt.expression, hunt.start_ms, hunt.stop_ms, zone=hunt.zone, person=person)
        asked = await self._backend.query_of(search)
        nodes: list[Node] = [asked.node, self._between("@timestamp", None, hunt.created_ms)]
        if at_ms is not None:
            nodes.append(self._between("firstPacket", at_ms, None))
        if ids := list(at_ids):
            nodes.append(negation(self._field("id", *ids)))
        return Query(
            expression=conjunction(nodes), start_ms=asked.start_ms, stop_ms=asked.stop_ms,
            sort=(("firstPacket", "asc"), ("id", "asc")), limit=PAGE, fields=FIELDS, total=False,
        )  # fmt: skip

    def _field(self, name: str, *words: str) -> Match:
        return Match(known(self._backend.catalogue, name), tuple(map(Term, words)))

    def _between(self, name: str, low: int | None, high: int | None) -> Match:
        return Match(known(self._backend.catalogue, name), (Interval(low, high),))

    async def _patiently(self, ask: Callable[[], Any]) -> Any:
        """A store that is away or slow is asked again for some minutes."""
        for pause in RETRY_SECONDS:
            try:
                return await ask()
            except (StoreError, TimeoutError) as error:
                LOG.warning("hunt %s: %s; asking again in %g s", self._hunt.name, error, pause)
                await asyncio.sleep(pause)
        try:
            return await ask()
        except TimeoutError as error:
            raise StoreError(str(error) or "the store did not answer in time") from error


def _steps(page: list[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    """Sessions by steps, bounded by their packets and bytes too."""
    step: list[dict[str, Any]] = []
    packets = size = 0
    for each in page:
        step.append(each)
        packets += _number(each, "network.packets")
        size += _number(each, "network.bytes")
        if len(step) >= STEP_SESSIONS or packets >= STEP_PACKETS or size >= STEP_BYTES:
            yield step
            step, packets, size = [], 0, 0
    if step:
        yield step


def _halves(chunks: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]] | None:
    """The sessions in two halves; None when there is one only."""
    each = [(chunk, session) for chunk in chunks for session in chunk["sessions"]]
    if len(each) < 2:
        return None
    middle = len(each) // 2
    return _chunks(each[:middle]), _chunks(each[middle:])


def _chunks(each: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> list[dict[str, Any]]:
    made: dict[str, dict[str, Any]] = {}
    for chunk, session in each:
        made.setdefault(chunk["path"], {**chunk, "sessions": []})["sessions"].append(session)
    return list(made.values())


def _first_ms(session: dict[str, Any]) -> int:
    return int(session["firstPacket"])


def _number(session: dict[str, Any], name: str) -> int:
    return int(next(iter(values(session, name)), 0))


def _client(session: dict[str, Any]) -> Client:
    address = next(iter(values(session, "source.ip")), None)
    return None if address is None else (str(address), _number(session, "source.port"))
