"""The catalog: what a call has returned from is durable, and no chunk is ever in two hands."""

from __future__ import annotations

import errno
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hayrick_collector import owner
from hayrick_collector.catalog import Catalog
from hayrick_common.chunk import ChunkId


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog(tmp_path / "catalog.sqlite")
    yield opened
    opened.close()


def chunk(sequence: int, *, sensor: str = "alpha", fill: str = "a") -> ChunkId:
    return ChunkId(sensor, "eth0", sequence, fill * 64)


def land(catalog: Catalog, *sequences: int) -> None:
    for sequence in sequences:
        assert catalog.landed(chunk(sequence), size=100, path=f"archive/{sequence}.pcap")


def test_chunk_lands_once_and_keeps_what_it_was(catalog: Catalog) -> None:
    land(catalog, 1)
    assert not catalog.landed(chunk(1), size=999, path="elsewhere", tags=["other"])
    row = catalog.get(chunk(1).key)
    assert row is not None
    assert (row.size, row.path, row.tags, row.state) == (100, "archive/1.pcap", (), "landed")


def test_landed_chunk_is_on_disk_before_the_call_returns(catalog: Catalog, tmp_path: Path) -> None:
    land(catalog, 1)
    other = sqlite3.connect(f"file:{tmp_path}/catalog.sqlite?mode=ro", uri=True)
    assert other.execute("SELECT count(*) FROM chunks").fetchone() == (1,)
    other.close()
    assert catalog._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert catalog._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_chunk_is_claimed_by_one_and_oldest_first(catalog: Catalog) -> None:
    land(catalog, 1, 2)
    claimed = [catalog.claim(), catalog.claim(), catalog.claim()]
    assert [row and row.sequence for row in claimed] == [1, 2, None]


def test_summary_of_indexed_chunk_is_kept_and_counted(catalog: Catalog) -> None:
    land(catalog, 1, 2)
    for sequence in (1, 2):
        catalog.claim()
        summary = {
            "packets": 5,
            "sessions": 2,
            "first_packet": 10,
            "last_packet": 20,
            "anomalies": {"truncated": sequence},
        }
        catalog.indexed(chunk(sequence).key, summary)
    assert catalog.counts() == {"landed": 0, "indexing": 0, "indexed": 2, "failed": 0}
    totals = catalog.totals()
    assert (totals["packets"], totals["sessions"], totals["bytes"], totals["backlog_bytes"]) == (10, 4, 200, 0)
    assert catalog.anomalies() == {"truncated": 3}


def test_chunk_fails_after_its_last_attempt_and_says_why(catalog: Catalog) -> None:
    land(catalog, 1)
    outcomes = []
    for _ in range(3):
        assert catalog.claim() is not None
        outcomes.append(catalog.attempt_failed(chunk(1).key, "died", attempts_allowed=3))
    assert outcomes == [True, True, False]
    row = catalog.get(chunk(1).key)
    assert row is not None
    assert (row.state, row.error, row.attempts) == ("failed", "died", 3)
    assert catalog.claim() is None


def test_chunk_of_a_dead_process_waits_again_without_losing_an_attempt(tmp_path: Path, catalog: Catalog) -> None:
    land(catalog, 1)
    script = (
        "import sys; from pathlib import Path; from hayrick_collector.catalog import Catalog;"
        "assert Catalog(Path(sys.argv[1])).claim(); import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    )
    died = subprocess.run([sys.executable, "-c", script, str(tmp_path / "catalog.sqlite")], check=False, timeout=30)
    assert died.returncode == -9
    assert catalog.counts()["indexing"] == 1
    assert catalog.recover() == 1
    row = catalog.claim()
    assert row is not None
    assert row.attempts == 0


def test_chunk_of_a_living_process_is_left_alone(catalog: Catalog) -> None:
    land(catalog, 1)
    catalog.claim()
    assert catalog.recover() == 0
    assert catalog.counts()["indexing"] == 1


def test_token_of_another_boot_or_time_is_dead() -> None:
    number, ticks, boot = owner.token().split(".")
    assert owner.alive(owner.token())
    assert not owner.alive(f"{number}.{int(ticks) + 1}.{boot}")
    assert not owner.alive(f"{number}.{ticks}.00000000")
    assert not owner.alive(None)
    assert not owner.alive("nonsense")


def test_gap_in_sequence_numbers_is_shown(catalog: Catalog) -> None:
    land(catalog, 2, 3, 7)
    assert catalog.gaps("alpha", "eth0") == [(1, 1), (4, 6)]


def test_what_retention_took_is_no_gap(catalog: Catalog) -> None:
    land(catalog, 1, 2, 3, 5)
    catalog.forget(chunk(1).key)
    catalog.forget(chunk(2).key)
    assert catalog.gaps("alpha", "eth0") == [(4, 4)]
    catalog.sensor_seen("alpha", {})
    assert catalog.sensors()[0]["gaps"] == {"eth0": [(4, 4)]}


def test_heartbeat_without_words_keeps_the_last_ones(catalog: Catalog) -> None:
    catalog.sensor_seen("alpha", {"backlog": 3}, public_key="key")
    catalog.sensor_seen("alpha")
    land(catalog, 1)
    (sensor,) = catalog.sensors()
    assert (sensor["heartbeat"], sensor["public_key"], sensor["chunks"]) == ({"backlog": 3}, "key", {"landed": 1})


def test_second_delivery_with_other_bytes_is_seen_under_its_number(catalog: Catalog) -> None:
    land(catalog, 1)
    row = catalog.holding("alpha", "eth0", 1)
    assert row is not None
    assert row.sha256 == "a" * 64
    assert catalog.holding("alpha", "eth0", 2) is None


def test_full_disk_is_told_as_such_and_leaves_the_catalog_usable(catalog: Catalog) -> None:
    land(catalog, 1)
    pages = catalog._db.execute("PRAGMA page_count").fetchone()[0]
    catalog._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(OSError, match="no room on the disk") as raised:
        catalog.sensor_seen("alpha", {"much": "x" * 100_000})
    assert raised.value.errno == errno.ENOSPC
    catalog._db.execute("PRAGMA max_page_count = 100000")
    land(catalog, 2)
