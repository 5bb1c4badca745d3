"""The shared store on a real server: writers die, meet and wait; nothing half is seen, nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.collector.captures import mixed_frames, write_pcap
from tests.collector.catalogue import CATALOGUE, ENTRIES
from tests.collector.conftest import Hayrick
from tests.collector.elasticsearch import START_S, cluster_of, wipe
from tests.collector.store.batches import DocumentBatch
from tests.collector.store.sessions import ALL, BARE, DAY, DNS, START, WEB, batch, expression, session

import hayrick_decode
from hayrick_collector.expression import And, Catalogue, Not, Or, parse_expression
from hayrick_collector.store import Query, Store
from hayrick_collector.store.elasticsearch import Cluster, ElasticsearchStore, ElasticsearchWriter, bulk, parts
from hayrick_collector.store.elasticsearch.connection import connected
from hayrick_collector.store.elasticsearch.mapping import path, properties
from hayrick_collector.store.elasticsearch.prepare import prepare
from hayrick_collector.store.elasticsearch.upkeep import Upkeep
from hayrick_common.errors import ConfigError, StoreAwayError, StoreError

pytestmark = pytest.mark.timeout(START_S + 120)  # the first one waits for the server
T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[3]
DYING_WRITER = """
import os, signal, sys
from hayrick_collector.store.elasticsearch import Cluster, ElasticsearchWriter
from tests.collector.catalogue import CATALOGUE
from tests.collector.store.sessions import DNS, WEB, batch
url, prefix, kind = sys.argv[1:]
writer = ElasticsearchWriter(Cluster((url,), prefix=prefix, replicas=0, kind=kind), CATALOGUE, "one")
writer.add(batch(WEB, DNS))
writer._bulk.flush()
writer._client.indices.refresh(index=writer._cluster.sessions)
os.kill(os.getpid(), signal.SIGKILL)
"""


def ask(cluster: Cluster, question: Callable[[ElasticsearchStore], Coroutine[Any, Any, T]]) -> T:
    async def asked() -> T:
        async with asyncio.timeout(60), ElasticsearchStore(cluster, CATALOGUE) as store:
            return await question(store)

    return asyncio.run(asked())


def put(cluster: Cluster, chunk: str, *batches: DocumentBatch, patience_s: float = 10) -> int:
    with ElasticsearchWriter(cluster, CATALOGUE, chunk, patience_s=patience_s) as writer:
        for each in batches:
            writer.add(each)
        return writer.commit()


def ids(cluster: Cluster, text: str = "") -> list[str]:
    page = ask(cluster, lambda store: store.find(Query(expression(text), limit=1000)))
    assert page.total == len(page.items)
    return sorted(item["id"] for item in page.items)


def stored(cluster: Cluster) -> int:
    """Sessions in the indices, seen or not."""
    connected(cluster).indices.refresh(index=cluster.sessions)
    return int(connected(cluster).count(index=cluster.sessions)["count"])


def block(cluster: Cluster, *, full: bool) -> None:
    """As Elasticsearch does by itself when a disk is full."""
    connected(cluster).indices.put_settings(
        index=cluster.sessions, settings={"index.blocks.read_only_allow_delete": full or None}
    )


def test_a_killed_writer_leaves_nothing_seen_and_the_next_attempt_is_whole(cluster: Cluster) -> None:
    command = [sys.executable, "-c", DYING_WRITER, cluster.urls[0], cluster.prefix, cluster.kind]
    done = subprocess.run(command, cwd=ROOT, timeout=60, check=False, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    assert stored(cluster) == 2
    assert ids(cluster) == []
    assert not ask(cluster, lambda store: store.has_chunk("one"))
    assert put(cluster, "one", batch(WEB)) == 1
    assert ids(cluster) == [WEB["id"]]
    assert stored(cluster) == 1


def test_what_a_writer_left_that_died_a_day_ago_goes(cluster: Cluster) -> None:
    put(cluster, "kept", batch(session("kept", "kept")))
    writer = ElasticsearchWriter(cluster, CATALOGUE, "one")
    writer.add(batch(*ALL))
    writer._bulk.flush()

    async def tidied(store: ElasticsearchStore, later_ms: int) -> dict[str, int]:
        upkeep: Upkeep = store._upkeep()
        return await upkeep.maintain(time.time_ns() // 1_000_000 + later_ms)

    assert ask(cluster, lambda store: tidied(store, 0)) == {"chunks_removed": 0}
    assert stored(cluster) == 4
    assert ask(cluster, lambda store: tidied(store, 2 * DAY)) == {"chunks_removed": 1}
    assert stored(cluster) == 1
    assert ids(cluster) == ["231114-kept"]


def test_of_two_writers_of_one_chunk_at_once_the_chunk_is_whole_or_tried_again(cluster: Cluster) -> None:
    outcomes: list[int | StoreError] = []

    def write() -> None:
        try:
            outcomes.append(put(cluster, "one", batch(*ALL)))
        except StoreError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(outcomes) == 3
    again = (
        each for each in outcomes if each != 3
    )  # StoreAwayError: an index that three make at once was not there yet
    assert all(isinstance(each, StoreAwayError) or "another writer" in str(each) for each in again), outcomes
    put(cluster, "one", batch(*ALL))
    assert ids(cluster) == sorted(each["id"] for each in ALL)
    assert stored(cluster) == 3


def test_pages_and_walks_go_past_ten_thousand(cluster: Cluster) -> None:
    number = 10_500
    made = [session(f"{each:05d}", at=START + each % 7) for each in range(number)]
    assert put(cluster, "one", batch(*made[:6000]), batch(*made[6000:])) == number

    async def walked(store: Store) -> tuple[list[str], list[str], int]:
        seen: list[str] = []
        cursor = None
        while True:
            page = await store.find(Query(limit=4_000, cursor=cursor, fields=("id",), total=False))
            seen += [each["id"] for each in page.items]
            cursor = page.cursor
            if cursor is None:
                break
        positions = [each.id async for each in store.positions(Query())]
        return seen, positions, await store.count(Query())

    seen, positions, count = ask(cluster, walked)
    assert count == number
    assert seen == [each["id"] for each in sorted(made, key=lambda each: (-each["firstPacket"], each["id"]))]
    assert positions == sorted(seen)


def test_a_full_disk_is_waited_for_and_then_told_plainly(cluster: Cluster) -> None:
    put(cluster, "one", batch(WEB))
    block(cluster, full=True)
    with pytest.raises(StoreError, match="disk is too full"):
        put(cluster, "two", batch(session("two", "two")), patience_s=0.5)
    health = ask(cluster, lambda store: store.health())
    assert not health["ok"]
    assert health["indices_without_room"]
    later = threading.Timer(1.0, lambda: block(cluster, full=False))
    later.start()
    assert put(cluster, "two", batch(session("two", "two")), patience_s=30) == 1
    later.join()
    assert ids(cluster) == ["231114-two", WEB["id"]]


def test_bodies_that_a_cluster_refuses_are_sent_again_until_all_of_them_is_there(
    cluster: Cluster, tmp_path: Path
) -> None:
    capture, reasons = tmp_path / "x.pcap", list[str]()
    write_pcap(capture, mixed_frames())

    def waiting(reason: str) -> None:
        reasons.append(reason)
        block(cluster, full=False)

    for chunk in ("one", "two"):
        with ElasticsearchWriter(cluster, CATALOGUE, chunk, patience_s=60, waiting=waiting) as writer:
            for each in hayrick_decode.decode(capture, chunk=chunk):
                writer.add(each)
            written = writer.commit()
        block(cluster, full=True)
    block(cluster, full=False)
    assert written == len(ids(cluster, "chunk == two")) == len(ids(cluster, "chunk == one"))
    assert reasons
    assert "full" in reasons[0]


def test_answers_to_items_are_read_one_by_one() -> None:
    items = [bulk.Item(b"{}", b"{}", str(number)) for number in range(3)]
    good: dict[str, Any] = {"index": {"status": 201}}
    busy = {"index": {"status": 429, "error": {"type": "es_rejected_execution_exception", "reason": "queue"}}}
    red = {"index": {"status": 503, "error": {"type": "unavailable_shards_exception", "reason": "[x][0]"}}}
    wrong = {"index": {"status": 400, "error": {"type": "document_parsing_exception", "reason": "no"}}}
    denied = {"index": {"status": 403, "error": {"type": "security_exception", "reason": "no right"}}}
    assert bulk.refused(items, [good, busy, good]) == ([items[1]], "Elasticsearch is overloaded: queue")
    left, reason = bulk.refused(items, [red, good, red])
    assert [each.id for each in left] == ["0", "2"]
    assert "red" in reason
    dying: dict[str, Any] = {"index": {"status": 500, "error": {"type": "node_closed_exception", "reason": "bye"}}}
    assert bulk.refused(items, [good, good, dying]) == ([items[2]], "bye")
    closed: dict[str, Any] = {"index": {"status": 400, "error": {"type": "index_closed_exception", "reason": "closed"}}}
    with pytest.raises(StoreAwayError, match="closed"):
        bulk.refused(items, [good, closed, good])
    with pytest.raises(ValueError, match="session 2: no"):
        bulk.refused(items, [good, busy, wrong])
    with pytest.raises(StoreError, match="credentials"):
        bulk.refused(items, [denied, good, good])


def test_a_cluster_that_does_not_answer_is_told_by_name(cluster: Cluster) -> None:
    nowhere = replace(cluster, urls=("http://127.0.0.1:1",))
    with pytest.raises(StoreError, match="cannot be reached"):
        ask(nowhere, lambda store: store.health())
    with pytest.raises(StoreError, match="cannot be reached"):
        ElasticsearchWriter(nowhere, CATALOGUE, "one")
    with pytest.raises(ConfigError, match=r"store\.api_key_file"):
        ask(replace(cluster, api_key_file="/nonexistent/key"), lambda store: store.health())
    with pytest.raises(TimeoutError):
        ask(cluster, lambda store: store.count(Query(deadline_s=0.0001)))


PATTERNS = [
    'a"b', "a|", "|a", "(|a)b?", "(a|)(b||c)", "()", "#@&<>~", r'["#\-\]]+', r"[^a-c\n]+", r"\t\w+", "a{2,}", "é.*|ü",
]  # fmt: skip
TEXTS = ["", "a", "b", "ab", "aa", "aaa", "c", 'a"b', "#@&<>~", '"', "]-#", "xyz", "d\ne", "\tword", "éa", "ü", "ü\n"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_regexes_mean_what_python_means(cluster_with_texts: Cluster, pattern: str) -> None:
    node = parse_expression(f"http.uri == /{pattern}/", CATALOGUE)
    (condition,) = node.tests  # type: ignore[union-attr]
    wanted = [text for text in TEXTS if re.fullmatch(condition.pattern, text, re.DOTALL)]  # type: ignore[union-attr]
    found = ask(cluster_with_texts, lambda store: store.find(Query(node, limit=100)))
    assert sorted(item["http"]["uri"][0] for item in found.items) == sorted(wanted)


@pytest.fixture(scope="module")
def cluster_with_texts(elasticsearch: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    cluster = cluster_of(tmp_path_factory.mktemp("texts"), elasticsearch)
    put(cluster, "one", batch(*(session(f"{n:03d}", http={"uri": [text]}) for n, text in enumerate(TEXTS))))
    yield cluster
    wipe(cluster)


def test_an_expression_as_deep_as_the_grammar_allows_is_answered(cluster: Cluster) -> None:
    put(cluster, "one", batch(*ALL))
    node = expression("http.method==GET")
    for _ in range(60):
        node = Not(Or((And((node, expression("protocols==tcp"))), expression("protocols==dns"))))
    page = ask(cluster, lambda store: store.find(Query(node)))
    assert [item["id"] for item in page.items] == [WEB["id"]]


def test_an_older_collector_takes_no_field_away_from_a_newer_one(cluster: Cluster) -> None:
    older = Catalogue.from_dicts([each for each in ENTRIES if each["expression"] != "http.method"])
    prepare(cluster, older)
    with ElasticsearchWriter(cluster, older, "old") as writer:
        writer.add(batch(session("old", "old")))
        writer.commit()
    assert prepare(cluster, CATALOGUE) == [cluster.template, cluster.day("231114-old")]
    assert prepare(cluster, older) == prepare(cluster, CATALOGUE) == []
    put(cluster, "one", batch(WEB))
    assert ids(cluster, "http.method==GET") == [WEB["id"]]


def test_a_list_longer_than_one_query_takes_is_answered(cluster: Cluster) -> None:
    put(cluster, "one", batch(*ALL))
    lists = {"many": [str(port) for port in range(1_000_000, 1_060_000)] + ["53"], "none": []}
    node = parse_expression("port.dst == $many", CATALOGUE, lists=lists)
    assert [item["id"] for item in ask(cluster, lambda store: store.find(Query(node))).items] == [DNS["id"]]


def test_a_hostile_pattern_is_answered_or_refused_in_time(cluster: Cluster) -> None:
    put(cluster, "one", batch(*ALL))
    for text in (f'http.uri=="{"*a?" * 300}"', "http.uri==/(.*a){12}.{0,60}(b|c)*(.*d){12}/", "http.uri==/(a?){900}b/"):
        begun = time.monotonic()
        with contextlib.suppress(ValueError):
            assert ids(cluster, text) == []
        assert time.monotonic() - begun < 30


def test_days_that_are_old_go_as_whole_indices(cluster: Cluster) -> None:
    old = {**session("old", "old", START - 9 * DAY), "id": "231105-old"}
    put(cluster, "old", batch(old))
    put(cluster, "one", batch(WEB, BARE))
    assert len(connected(cluster).indices.get(index=cluster.sessions)) == 2
    assert ask(cluster, lambda store: store.delete_before(START - DAY)) == 1
    assert list(connected(cluster).indices.get(index=cluster.sessions)) == [cluster.day(WEB["id"])]
    assert not ask(cluster, lambda store: store.has_chunk("old"))
    assert ask(cluster, lambda store: store.has_chunk("one"))


LATER = session("later", "two")


def test_a_day_that_has_grown_goes_on_in_another_index_and_a_chunk_stays_where_it_was(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "FRESH_S", 0)
    small = replace(cluster, rollover_gigabytes=1e-9)
    put(small, "one", batch(WEB, DNS))
    put(small, "two", batch(LATER))
    put(small, "three", batch(session("three", "three")))
    day = cluster.day(WEB["id"])
    assert sorted(connected(cluster).indices.get(index=cluster.sessions)) == [day, f"{day}-001", f"{day}-002"]
    ask(small, lambda store: store.tag(Query(expression("protocols==dns")), ["kept"]))
    for chunk, again in (("one", (WEB, DNS)), ("two", (LATER,))):
        put(small, chunk, batch(*again))
    assert len(connected(cluster).indices.get(index=cluster.sessions)) == 3
    assert stored(cluster) == 4
    assert ids(small) == sorted([WEB["id"], DNS["id"], LATER["id"], "231114-three"])
    assert ids(small, "tags==kept") == [DNS["id"]]
    assert ask(small, lambda store: store.get("231114-three")) is not None
    assert ask(small, lambda store: store.delete_chunk("two"))
    assert stored(cluster) == 3


def test_a_writer_that_died_before_a_day_went_on_is_replaced_where_it_wrote(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "FRESH_S", 0)
    small = replace(cluster, rollover_gigabytes=1e-9)
    dead = ElasticsearchWriter(small, CATALOGUE, "one")
    dead.add(batch(WEB))
    dead._bulk.flush()
    put(small, "two", batch(LATER))
    assert put(small, "one", batch(WEB, DNS)) == 2
    assert stored(cluster) == 3
    dead._bulk.add(dead._item(batch(WEB).ndjson().splitlines()[0]))
    with pytest.raises(StoreError, match="another writer"):
        dead.commit()


def test_every_field_of_the_decoder_is_indexed_under_its_name_in_documents() -> None:
    catalogue = Catalogue.from_dicts(hayrick_decode.fields())
    made = properties(catalogue)
    for field in catalogue.fields:
        at: dict[str, Any] = {"properties": made}
        for name in path(field).split(".") if field.column else ():
            at = at["properties"][name]
        assert not field.column or at["type"] in ("keyword", "long", "ip", "date", "boolean")


def settings(folder: Path, cluster: Cluster, data: Path) -> Path:
    """A settings file that names the cluster."""
    config = folder / "shared.toml"
    config.write_text(
        f"data = '{data}'\n[store]\nkind = '{cluster.kind}'\nurls = ['{cluster.urls[0]}']\n"
        f"prefix = '{cluster.prefix}'\nreplicas = 0\n"
    )
    return config


def test_commands_give_the_same_answers_on_both_stores(
    hayrick: Hayrick, cluster: Cluster, tmp_path: Path, data: Path
) -> None:
    config = settings(tmp_path, cluster, tmp_path / "shared")
    capture = write_pcap(tmp_path / "x.pcap", mixed_frames())
    answers = []
    for where in (["--data", data], ["--config", config]):
        hayrick("ingest", capture, "-t", "case", *where)
        hayrick("tag", "protocols == dns", "+seen", *where)
        hayrick("export", "protocols == dns", "-o", tmp_path / "out.pcap", *where)
        found = hayrick("search", "tags == seen && host.dns == *.top", *where).stdout
        answers.append((found, hayrick("search", *where).stdout, (tmp_path / "out.pcap").read_bytes()))
        (tmp_path / "out.pcap").unlink()
    assert answers[0] == answers[1]
    assert DNS["id"] not in answers[0][1]


def test_moving_from_the_embedded_store_keeps_sessions_packets_and_tags(
    hayrick: Hayrick, cluster: Cluster, tmp_path: Path, data: Path
) -> None:
    capture = write_pcap(tmp_path / "x.pcap", mixed_frames())
    hayrick("ingest", capture, "-t", "case", "--data", data)
    hayrick("tag", "protocols == dns", "+seen", "-case", "--data", data)
    hayrick("export", "--data", data, "-o", tmp_path / "before.pcap", "")
    config = settings(tmp_path, cluster, data)
    hayrick("store", "init", "--config", config)
    assert "3 sessions of 1 chunks moved" in hayrick("store", "migrate", "--config", config).stdout
    assert "0 sessions of 0 chunks moved; 1 " in hayrick("store", "migrate", "--config", config).stdout
    for words in ("", "tags == seen", "tags != case"):
        assert hayrick("search", words, "--config", config).stdout == hayrick("search", words, "--data", data).stdout
    hayrick("export", "--config", config, "-o", tmp_path / "after.pcap", "")
    assert (tmp_path / "after.pcap").read_bytes() == (tmp_path / "before.pcap").read_bytes()
    assert "sessions: 3" in hayrick("store", "check", "--config", config).stdout
