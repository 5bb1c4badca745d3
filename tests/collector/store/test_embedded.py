"""The embedded store on disk: any process reads while others write, merge, delete and die; old files stay readable."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.collector.catalogue import CATALOGUE, ENTRIES, entry
from tests.collector.store.batches import DocumentBatch
from tests.collector.store.sessions import ALL, DAY, START, WEB, batch, expression, session

from hayrick_collector.expression import Catalogue
from hayrick_collector.store import Query, Store
from hayrick_collector.store.embedded import Compaction, EmbeddedStore, Limits
from hayrick_common.errors import StoreError

ROOT = Path(__file__).resolve().parents[3]
EAGER = Compaction(at_least=2)

DYING_WRITER = """
import sys, os, signal, pathlib
from hayrick_collector.store.embedded import EmbeddedWriter
from tests.collector.store.sessions import WEB, batch
writer = EmbeddedWriter(pathlib.Path(sys.argv[1]), "one")
writer.add(batch(WEB))
os.kill(os.getpid(), signal.SIGKILL)
"""
READER = """
import asyncio, sys, pathlib, time
from hayrick_collector.store import Query
from hayrick_collector.store.embedded import EmbeddedStore
from tests.collector.catalogue import CATALOGUE
from tests.collector.store.sessions import expression
async def main():
    async with EmbeddedStore(pathlib.Path(sys.argv[1]), CATALOGUE) as store:
        print("ready", flush=True)
        until = time.monotonic() + float(sys.argv[2])
        rounds = 0
        while time.monotonic() < until:
            page = await store.find(Query(expression("http.method==GET"), limit=100))
            ids = [item["id"] for item in page.items]
            assert len(ids) == len(set(ids)) == page.total == 12, (page.total, sorted(ids))
            rounds += 1
        print(rounds)
asyncio.run(main())
"""


def make(folder: Path, catalogue: Catalogue = CATALOGUE, **more: Any) -> EmbeddedStore:
    return EmbeddedStore(folder, catalogue, **{"compaction": EAGER, "grace_s": 0, **more})


def fill(store: Store, chunks: int) -> None:
    for number in range(chunks):
        put(store, f"chunk{number:02d}", batch(web(number)))


def web(number: int) -> dict[str, Any]:
    return {**WEB, "id": f"231114-{number:03d}", "chunk": f"chunk{number:02d}"}


def put(store: Store, chunk: str, *batches: DocumentBatch) -> None:
    with store.writer(chunk) as writer:
        for each in batches:
            writer.add(each)
        writer.commit()


async def ids(store: Store, text: str = "") -> list[str]:
    page = await store.find(Query(expression(text), limit=1000))
    assert page.total == len(page.items)
    return sorted(item["id"] for item in page.items)


def test_merging_keeps_every_session_once_and_removes_what_it_replaced(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with make(tmp_path) as store:
            fill(store, 6)
            put(store, "later", batch(session("later", "later", START + 3 * DAY)))
            before = await ids(store)
            assert (await store.maintain())["segments_merged"] == 6
            assert await ids(store) == before
            assert await ids(store, "http.method==GET") == before[:-1]
            await store.maintain()
            health = await store.health()
            assert (health["segments"], health["segments_replaced"], health["chunks"]) == (2, 0, 7)
            assert await store.has_chunk("chunk03")
            assert (await store.get("231114-003") or {})["http"] == WEB["http"]

    asyncio.run(scenario())


def test_a_chunk_indexed_again_after_merging_leaves_the_merged_rows_unread(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with make(tmp_path) as store:
            fill(store, 3)
            await store.maintain()
            put(store, "chunk01", batch({**web(1), "http": {"method": ["POST"]}}))
            assert await ids(store, "http.method==GET") == ["231114-000", "231114-002"]
            assert await ids(store, "http.method==POST") == ["231114-001"]
            assert await store.delete_chunk("chunk02")
            assert await ids(store) == ["231114-000", "231114-001"]
            await store.maintain()
            await store.maintain()
            assert await ids(store, "http.method==POST") == ["231114-001"]
            assert await ids(store) == ["231114-000", "231114-001"]

    asyncio.run(scenario())


def test_a_chunk_indexed_again_while_it_is_merged_wins(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with make(tmp_path) as store:
            fill(store, 2)
            stale = EmbeddedStore._snapshot(store)
            put(store, "chunk00", batch({**web(0), "http": {"method": ["POST"]}}))
            from hayrick_collector.store.embedded import maintenance

            await store._run(lambda cursor: maintenance.compact(store._layout, stale, cursor, EAGER), 60)
            assert await ids(store, "http.method==POST") == ["231114-000"]
            assert await ids(store, "http.method==GET") == ["231114-001"]

    asyncio.run(scenario())


def test_readers_in_another_process_see_all_sessions_through_merging_and_indexing_again(tmp_path: Path) -> None:
    store = make(tmp_path)
    fill(store, 12)
    command = [sys.executable, "-c", READER, str(tmp_path), "6"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        churn(store, reader)
        out, errors = reader.communicate(timeout=60)
    assert reader.returncode == 0, errors
    assert int(out) > 0


def churn(store: EmbeddedStore, reader: subprocess.Popen[str]) -> None:
    """Merge, sweep without grace and index again for as long as the reader reads."""

    async def scenario() -> None:
        async with store:
            deadline, turn = time.monotonic() + 60, 0
            while reader.poll() is None and time.monotonic() < deadline:
                await asyncio.to_thread(put, store, f"chunk{turn % 12:02d}", batch(web(turn % 12)))
                await store.maintain()
                turn += 1

    asyncio.run(scenario())


def test_a_killed_writer_leaves_nothing_that_is_read_and_its_remains_are_swept(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", DYING_WRITER, str(tmp_path)], cwd=ROOT, timeout=60, check=False)
    assert done.returncode == -9
    remains = list((tmp_path / "segments").iterdir())
    assert len(remains) == 1

    async def scenario() -> None:
        async with make(tmp_path) as store:
            with store.writer("two") as writing:
                writing.add(batch(session("two", "two")))
                assert await ids(store) == []
                await store.maintain()
                assert not remains[0].exists()
                writing.commit()
            assert await ids(store) == ["231114-two"]

    asyncio.run(scenario())


def test_files_of_another_version_of_the_catalogue_unite_by_name(tmp_path: Path) -> None:
    older = Catalogue.from_dicts([each for each in ENTRIES if each["expression"] not in ("http.method", "user")])
    newer = Catalogue.from_dicts(
        [entry("http.method", "http.method", "termfield", "http") if each["expression"] == "http.method" else each
         for each in ENTRIES]
    )  # fmt: skip
    with EmbeddedStore(tmp_path, older).writer("old") as writer:
        writer.add(DocumentBatch([{**WEB, "id": "231114-old", "chunk": "old"}], older))
        writer.commit()
    with EmbeddedStore(tmp_path, newer).writer("new") as writer:
        writer.add(DocumentBatch([{**WEB, "id": "231114-new", "chunk": "new", "user": ["u"]}], newer))
        writer.commit()
    put(make(tmp_path), "now", batch({**WEB, "id": "231114-now", "chunk": "now"}))

    async def scenario() -> None:
        async with make(tmp_path) as store:
            for _ in range(2):
                assert await ids(store, "http.method==GET") == ["231114-new", "231114-now"]
                assert await ids(store, "user==u") == ["231114-new"]
                assert len(await ids(store, "http.statuscode==404")) == 3
                await store.maintain()

    asyncio.run(scenario())


def test_a_cancelled_query_stops_at_once_and_a_late_one_at_its_deadline(tmp_path: Path) -> None:
    endless = "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE hash(a.range + b.range) = 0"

    async def scenario() -> None:
        async with make(tmp_path) as store:
            for deadline, failure in ((60.0, asyncio.CancelledError), (0.3, TimeoutError)):
                work = store._run(lambda cursor: cursor.execute(endless).fetchall(), deadline)
                task = asyncio.create_task(work)
                await asyncio.sleep(0.2)
                if failure is asyncio.CancelledError:
                    task.cancel()
                begun = time.monotonic()
                with pytest.raises(failure):
                    await task
                assert time.monotonic() - begun < 5
            assert await ids(store) == []

    asyncio.run(scenario())


def test_queries_beyond_the_slots_wait_for_them(tmp_path: Path) -> None:
    put(make(tmp_path), "one", batch(*ALL))

    async def scenario() -> None:
        async with make(tmp_path, limits=Limits(queries=2)) as store:
            found = await asyncio.gather(*(ids(store, "http.method==GET") for _ in range(10)))
            assert found == [[WEB["id"]]] * 10

    asyncio.run(scenario())


def test_two_writers_of_one_chunk_leave_one_of_them(tmp_path: Path) -> None:
    store = make(tmp_path)
    threads = [threading.Thread(target=put, args=(store, "one", batch(*ALL))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    async def scenario() -> None:
        async with store:
            assert len(await ids(store)) == 3

    asyncio.run(scenario())


def test_a_store_of_an_unknown_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text('{"format": 99}')
    with pytest.raises(StoreError, match="format 99"):
        asyncio.run(make(tmp_path).open())


def test_sql_reaches_no_file_outside_the_store(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with make(tmp_path / "store") as store:
            with pytest.raises(Exception, match="disabled by configuration"):
                await store._run(lambda cursor: cursor.execute("SELECT * FROM read_text('/etc/hostname')"), 10)

    asyncio.run(scenario())
