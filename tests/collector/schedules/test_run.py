"""A schedule tags, tells and exports each new session once: across restarts, crashes and chunks that come late."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import dpkt
import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from tests.collector.captures import dns_query, http_exchange, write_pcap
from tests.collector.hunts.conftest import on_loop

from hayrick_collector import jobs
from hayrick_collector.backend import Capture, Search
from hayrick_collector.config import CollectorConfig, ScheduleConfig
from hayrick_collector.desk.schedules import OVERLAP_SECONDS, Schedules
from hayrick_collector.direct import DirectBackend
from hayrick_collector.schedules import webhook
from hayrick_collector.schedules.action import Action
from hayrick_collector.schedules.run import run
from hayrick_common.errors import UsageError


@asynccontextmanager
async def _opened(data: Path, **settings: Any) -> AsyncIterator[DirectBackend]:
    backend = await DirectBackend.open(CollectorConfig(data=data, schedule=ScheduleConfig(**settings)))
    try:
        yield backend
    finally:
        await backend.close()


async def _ingest(backend: DirectBackend, folder: Path, number: int) -> None:
    """One more chunk: a page /new/NUMBER and a DNS question."""
    frames = [*http_exchange(f"/new/{number}", port=50_000 + number), dns_query(f"n{number}.example")]
    path = write_pcap(folder / f"{number}.pcap", frames)
    await backend.ingest(Capture(path.name, lambda: path.open("rb")))


async def _count(backend: DirectBackend, expression: str) -> int:
    return (await backend.search(Search(expression, limit=0))).total


@on_loop
async def test_only_what_is_new_is_tagged_and_each_once(data: Path, tmp_path: Path) -> None:
    async with _opened(data) as backend:
        await _ingest(backend, tmp_path, 0)
        await backend.add_schedule("web", Search("protocols == http"), 60, Action(tags=("seen",)))
        await backend.add_schedule("all", Search("protocols == http"), 60, Action(tags=("ever",)), stored=True)
        for number in (1, 2):
            await _ingest(backend, tmp_path, number)
        assert (await backend.run_schedule("web"))["found"] == 2
        assert (await backend.run_schedule("all"))["found"] == 3
        assert (await backend.run_schedule("web"))["found"] == 2, "nothing is new"
    async with _opened(data) as backend:
        await _ingest(backend, tmp_path, 3)
        told = await backend.run_schedule("web")
        assert (told["found"], told["runs"], told["error"]) == (3, 3, "")
        assert await _count(backend, "tags == seen") == 3
        assert await _count(backend, "tags == ever") == 3


@on_loop
async def test_a_chunk_whose_indexing_is_seen_late_is_not_missed(data: Path, tmp_path: Path) -> None:
    """Its time of indexing is before that of one that is done already."""
    async with _opened(data) as backend:
        await backend.add_schedule("web", Search("protocols == http"), 60, Action(tags=("seen",)), stored=True)
        for number in (1, 2):
            await _ingest(backend, tmp_path, number)
        await backend.run_schedule("web")
        await _ingest(backend, tmp_path, 3)
        late = "UPDATE chunks SET indexed_at = indexed_at - ? WHERE original_name = '3.pcap'"
        backend.catalog._write(late, (OVERLAP_SECONDS / 2,))
        assert (await backend.run_schedule("web"))["found"] == 3


@on_loop
async def test_a_run_that_is_cut_short_is_done_again_whole(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the act and its being ticked off: the export is the same file, the message has the same number."""
    sent: list[dict[str, Any]] = []

    async def post(url: str, message: dict[str, Any], **more: Any) -> None:
        sent.append({**message, "number": more["delivery"]})

    monkeypatch.setattr(webhook, "post", post)
    action = Action(tags=("t",), webhook="https://hooks.example/in", export="ndjson")
    async with _opened(data, webhooks=("https://hooks.example/",)) as backend:
        await backend.add_schedule("web", Search("protocols == http"), 60, action, stored=True)
        await _ingest(backend, tmp_path, 1)
        with monkeypatch.context() as broken:

            def killed(*values: Any) -> None:
                raise RuntimeError("power cut")

            broken.setattr(Schedules, "finish", killed)
            with pytest.raises(RuntimeError):
                await run(backend, "web")
        await _ingest(backend, tmp_path, 2)
        assert (await backend.run_schedule("web"))["found"] == 2
        assert await _count(backend, "tags == t") == 2
        files = sorted((data / "exports" / "web").iterdir())
        lines = [json.loads(line) for path in files for line in path.read_text().splitlines()]
        assert sorted(each["http"]["uri"][0][-1] for each in lines) == ["1", "2"], "none twice"
    assert [each["number"] for each in sent[:2]] == [sent[0]["number"]] * 2 != [sent[2]["number"]] * 2
    assert sent[2]["found"] == 1
    assert sent[2]["sessions"][0]["tags"] == ["t"]


@on_loop
async def test_packets_are_exported(data: Path, tmp_path: Path) -> None:
    async with _opened(data) as backend:
        await backend.add_schedule("dns", Search("protocols == dns"), 60, Action(export="pcapng"), stored=True)
        await _ingest(backend, tmp_path, 1)
        await backend.run_schedule("dns")
        (path,) = (data / "exports" / "dns").iterdir()
        with path.open("rb") as file:
            assert len(list(dpkt.pcapng.Reader(file))) == 1


@on_loop
async def test_what_was_exported_is_there_after_the_collector_starts_again(data: Path, tmp_path: Path) -> None:
    async with _opened(data) as backend:
        await backend.add_schedule("dns", Search("protocols == dns"), 60, Action(export="ndjson"), stored=True)
        await _ingest(backend, tmp_path, 1)
        await backend.run_schedule("dns")
    await (await DirectBackend.open(CollectorConfig(data=data), serving=True)).close()
    assert len(list((data / "exports" / "dns").iterdir())) == 1


@on_loop
async def test_a_webhook_that_fails_is_tried_again_at_the_next_run(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "PAUSES", ())
    hook = "http://127.0.0.1:9/hook"
    async with _opened(data, webhooks=(hook,)) as backend:
        await backend.add_schedule("web", Search(), 60, Action(webhook=hook), stored=True)
        await _ingest(backend, tmp_path, 1)
        told = await backend.run_schedule("web")
        assert told["found"] == 0
        assert hook in told["error"]
        assert Schedules(backend.desk).get("web").pending
        with pytest.raises(UsageError, match="not allowed"):
            await backend.add_schedule("x", Search(), 60, Action(webhook="http://127.0.0.1:9/other"))
        with pytest.raises(UsageError, match="every"):
            await backend.add_schedule("x", Search(), 1, Action(tags=("t",)))
        with pytest.raises(UsageError, match="what the schedule does"):
            await backend.add_schedule("x", Search(), 60, Action())


@on_loop
async def test_the_collector_runs_what_the_desk_has(data: Path, tmp_path: Path) -> None:
    async with _opened(data) as backend:
        await _ingest(backend, tmp_path, 1)
        made = await backend.add_schedule("web", Search("protocols == http"), 10, Action(tags=("t",)), stored=True)
        with backend.desk.write() as db:
            db.execute("UPDATE schedules SET created_ms = ?", (made["created_ms"] - 60_000,))
        scheduler = AsyncIOScheduler(timezone="UTC")
        scheduler.start()
        try:
            await jobs.follow_schedules(scheduler, backend)
            deadline = asyncio.get_running_loop().time() + 20
            while not await _count(backend, "tags == t"):
                assert asyncio.get_running_loop().time() < deadline
                await asyncio.sleep(0.05)
            await backend.remove_schedule("web")
            await jobs.follow_schedules(scheduler, backend)
            assert not scheduler.get_jobs()
        finally:
            scheduler.shutdown(wait=False)
