"""People's SQL over the embedded store: sessions as people write them; nothing outside, for ever or unbounded."""

from __future__ import annotations

import datetime
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.collector.catalogue import CATALOGUE
from tests.collector.store.sessions import ALL, START, WEB, batch

from hayrick_collector.store.embedded import EmbeddedStore, Limits, duck, views
from hayrick_common.errors import StoreError, UsageError

ENDLESS = "SELECT count(*) FROM range(1000000000000000000) WHERE hash(range) = 0"  # holds nothing: only time ends it
GREEDY = "SELECT list(md5(a.range::VARCHAR)) FROM range(10000000) a"
REFUSED = [
    "DELETE FROM sessions",
    "COPY (SELECT 1) TO 'x.csv'",
    "ATTACH 'x.db'",
    "INSTALL httpfs",
    "SET memory_limit = '90GB'",
    "CREATE TABLE t AS SELECT 1",
    "SELECT 1; SELECT 2",
    "",
    "SELEKT",
    "SELECT * FROM nowhere",
    "SELECT * FROM catalogue",
]
OUTSIDE = [
    "SELECT * FROM read_text('{path}')",
    "SELECT * FROM '{path}'",
    "SELECT * FROM glob('{path}')",
    "SELECT * FROM read_csv('{store}/../outside.csv')",
    "SELECT * FROM query('SELECT * FROM read_text(''{path}'')')",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sql") / "store"
    with EmbeddedStore(made, CATALOGUE).writer("one") as writer:
        writer.add(batch(*ALL))
        writer.commit()
    (made.parent / "outside.csv").write_text("a,b\n1,2\n")
    return made


def ask(folder: Path, statement: str, *, memory: str = "256MB", deadline_s: float = 60.0) -> list[tuple[Any, ...]]:
    answer = views.ask(folder, CATALOGUE, statement, Limits(memory=memory, spill="16MB"), deadline_s=deadline_s)
    return [row for page in answer.pages for row in page]


def test_addresses_are_text_and_times_are_timestamps(folder: Path) -> None:
    rows = ask(folder, "SELECT id, source_ip, destination_ip, firstPacket FROM sessions ORDER BY firstPacket")
    began = datetime.datetime.fromtimestamp(START / 1000, datetime.UTC).replace(tzinfo=None)
    assert rows[0] == (WEB["id"], "10.0.0.1", "192.0.2.1", began)
    assert rows[1][2] == "2001:db8::53"
    assert rows[2][2] is None


def test_a_protocol_is_a_table_and_joins_by_id(folder: Path) -> None:
    joined = "SELECT s.source_port, h.method, h.xffIp FROM sessions s JOIN http h USING (id)"
    assert ask(folder, joined) == [(50000, ["GET"], ["198.51.100.7", "2001:db8::7"])]
    assert ask(folder, "FROM dns SELECT status") == [(["NOERROR"],)]


def test_every_table_that_is_described_can_be_asked_for_every_column(folder: Path) -> None:
    for name, columns in views.described(CATALOGUE):
        picked = ", ".join(f'"{column}"' for column, _, _ in columns)
        assert len(ask(folder, f"SELECT {picked} FROM {name}")) <= len(ALL)


def test_a_replaced_chunk_is_seen_once(tmp_path: Path) -> None:
    for _ in range(2):
        with EmbeddedStore(tmp_path, CATALOGUE).writer("one") as writer:
            writer.add(batch(*ALL))
            writer.commit()
    assert ask(tmp_path, "SELECT count(*) FROM sessions") == [(3,)]


def test_only_one_select_is_taken(folder: Path) -> None:
    for statement in REFUSED:
        with pytest.raises(UsageError):
            ask(folder, statement)


def test_no_file_outside_the_store_is_read(folder: Path) -> None:
    for statement in OUTSIDE:
        with pytest.raises(UsageError, match=r"(?i)disabled|not allowed"):
            ask(folder, statement.format(path=folder.parent / "outside.csv", store=folder))


def test_a_statement_ends_at_its_deadline_and_past_its_memory(folder: Path) -> None:
    started = time.monotonic()
    with pytest.raises(StoreError, match="longer than allowed"):
        ask(folder, ENDLESS, deadline_s=0.3)
    assert time.monotonic() - started < 10
    with pytest.raises(StoreError, match="more memory than allowed"):
        ask(folder, GREEDY, memory="48MB")


def test_a_statement_that_fails_leaves_no_database_open(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[duckdb.DuckDBPyConnection] = []

    def connect(*arguments: Any) -> duckdb.DuckDBPyConnection:
        opened.append(duck.connect(*arguments))
        return opened[-1]

    monkeypatch.setattr(views, "connect", connect)
    for statement in ("SELECT 1; SELECT 2", "SELECT * FROM nowhere"):
        with pytest.raises(UsageError):
            ask(folder, statement)
        with pytest.raises(duckdb.ConnectionException):
            opened.pop().execute("SELECT 1")
