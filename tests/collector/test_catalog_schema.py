"""A catalog of an older version is brought to this one with nothing lost; what is kept beside the chunks fits them."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hayrick_collector.catalog import Catalog
from hayrick_collector.catalog_schema import VERSION
from hayrick_common.chunk import ChunkId
from hayrick_common.errors import ConfigError

V1 = Path(__file__).parent / "fixtures" / "catalog-v1.sql"


def old_catalog(path: Path) -> Path:
    db = sqlite3.connect(path)
    db.executescript(V1.read_text("utf-8"))
    db.close()
    return path


def chunk(sequence: int, stream: str = "eth0") -> ChunkId:
    return ChunkId("alpha", stream, sequence, "a" * 64)


def test_catalog_of_version_1_is_brought_to_this_one(tmp_path: Path) -> None:
    path = old_catalog(tmp_path / "catalog.sqlite")
    catalog = Catalog(path)
    assert catalog.counts() == {"landed": 2, "indexing": 1, "indexed": 3, "failed": 1}
    assert catalog.gaps("alpha", "eth0") == [(6, 7)]
    assert catalog.next_numbers("alpha") == {"eth0": 10}
    assert catalog.anomalies() == {"truncated": 3}
    totals = catalog.totals()
    assert (totals["packets"], totals["sessions"], totals["bytes"]) == (30, 6, 3009)
    assert (totals["first_packet"], totals["last_packet"]) == (1_780_000_120_000, 1_780_000_299_000)
    spans = catalog._db.execute("SELECT starts_ms, ends_ms FROM chunks WHERE sequence = 9").fetchone()
    assert spans == (1_780_000_540_000, 1_780_000_599_000)
    assert catalog.sensors()[0]["heartbeat"] == {"backlog": 3}
    catalog.close()
    again = Catalog(path)
    assert again._db.execute("PRAGMA user_version").fetchone() == (VERSION,)
    assert again.counts()["indexed"] == 3
    again.close()


def test_migration_that_breaks_leaves_version_1_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = old_catalog(tmp_path / "catalog.sqlite")
    from hayrick_collector import catalog_schema

    good = catalog_schema._V2
    monkeypatch.setattr(catalog_schema, "_V2", good + "INSERT INTO nowhere VALUES (1);\n")
    with pytest.raises(sqlite3.OperationalError):
        Catalog(path)
    monkeypatch.setattr(catalog_schema, "_V2", good)
    catalog = Catalog(path)
    assert catalog.counts()["indexed"] == 3
    catalog.close()


def test_catalog_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    Catalog(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ConfigError, match="99"):
        Catalog(path)


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(1, 13)), st.integers(0, 12), st.lists(st.integers(1, 12), max_size=6))
def test_missing_numbers_and_totals_are_those_of_the_chunks(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], landing: int, forgotten: list[int]
) -> None:
    catalog = Catalog(tmp_path_factory.mktemp("catalog") / "catalog.sqlite")
    catalog._db.execute("PRAGMA synchronous = OFF")
    here = order[:landing]
    for number in here:
        catalog.landed(chunk(number), size=number, path=f"{number}")
    for number in here[::2]:
        catalog.claim(chunk(number).key)
        catalog.indexed(chunk(number).key, {"packets": 3, "sessions": 1, "anomalies": {"odd": 2}})
    gone = {number for number in forgotten if number in here}
    for number in gone:
        catalog.forget(chunk(number).key)
    missing = {number for first, last in catalog.gaps("alpha", "eth0") for number in range(first, last + 1)}
    assert missing == set(range(1, max(here, default=0) + 1)) - set(here)
    rows = catalog.chunks(limit=100)
    assert catalog.counts() == {**dict.fromkeys(catalog.counts(), 0), **Counter(row.state for row in rows)}
    indexed = [row for row in rows if row.state == "indexed"]
    totals = catalog.totals()
    assert totals["bytes"] == sum(row.size for row in indexed)
    assert totals["packets"] == 3 * len(indexed)
    assert catalog.anomalies().get("odd", 0) == 2 * len(indexed)
    catalog.close()


def test_removed_chunk_is_still_known_by_its_bytes_and_is_not_taken_again_as_new(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog.sqlite")
    catalog.landed(chunk(1), size=10, path="x", meta={"packets": 4, "first_ms": 1000, "last_ms": 2000})
    assert catalog.held("alpha", "eth0", 1) == ("a" * 64, "landed")
    catalog.forget(chunk(1).key, why="bytes")
    assert catalog.held("alpha", "eth0", 1) == ("a" * 64, "removed")
    assert catalog.held("alpha", "eth0", 2) is None
    assert catalog.next_numbers("alpha") == {"eth0": 2}
    assert catalog.history.retention() == [
        {"what": "sessions", "why": "bytes", "chunks": 1, "packets": 4, "bytes": 10, "first_ms": 1000, "last_ms": 2000}
    ]
    catalog.close()


def test_file_of_records_that_goes_takes_no_packets_with_it(tmp_path: Path) -> None:
    """They are on the sensor still, or not, as before: what went is told apart, and the time line stays as it was."""
    catalog = Catalog(tmp_path / "catalog.sqlite")
    span = {"packets": 4, "first_ms": 1000, "last_ms": 2000}
    for number, more in ((1, {}), (2, {"content": "records", "content_size": 3})):
        catalog.landed(chunk(number, f"eth{number}"), size=10, path="x", meta={**span, **more})
        catalog.claim()
        catalog.indexed(chunk(number, f"eth{number}").key, {"packets": 4, "sessions": 1})
        for _ in range(2):
            catalog.packets_removed(chunk(number, f"eth{number}").key, why="age")
    taken = {each["what"]: (each["chunks"], each["packets"], each["bytes"]) for each in catalog.history.retention()}
    assert taken == {"packets": (1, 4, 10), "records": (1, 0, 3)}
    for stream, state in (("eth1", "packets_removed"), ("eth2", "indexed")):
        assert state in catalog.history.coverage("alpha", stream, 1000, 2000, buckets=1, gaps=10)["states"]
    catalog.close()
