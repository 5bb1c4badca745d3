"""kill -9 of an ingest worker and of the collector, each in the middle of work: every chunk indexed exactly once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.collector.captures import START, dns_query, write_pcap
from tests.system.collector_process import Running, collector, wait_until

from hayrick_collector.archive.paths import DataFolder
from hayrick_collector.catalog import Catalog
from hayrick_common.chunk import ChunkId

CHUNKS = 4
SESSIONS = 36_000  # more than two batches: a kill falls into the middle of a chunk


@pytest.fixture(scope="module")
def captures_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The captures of all chunks, written once."""
    folder = tmp_path_factory.mktemp("captures")
    frame = bytearray(dns_query("needle.example"))
    for number in range(1, CHUNKS + 1):
        write_pcap(folder / f"{number}.pcap", _frames(frame, number), start=START + number * 100, step=0.001)
    return folder


def _frames(frame: bytearray, number: int) -> Iterator[bytes]:
    """The same question from another address and port each time: a session a frame."""
    for each in range(SESSIONS):
        frame[26:30] = bytes((10, 1, number, each % 250 + 1))
        frame[34:36] = (1024 + each // 250).to_bytes(2, "big")
        yield bytes(frame)


@pytest.fixture
def data(tmp_path: Path, captures_folder: Path) -> Path:
    """A data folder with chunks that have landed and wait."""
    folder = DataFolder(tmp_path / "data")
    folder.create()
    catalog = Catalog(folder.catalog)
    place = folder.archive / "alpha" / "eth0" / "20231114"
    place.mkdir(parents=True)
    for number in range(1, CHUNKS + 1):
        chunk = ChunkId("alpha", "eth0", number, f"{number:064x}")
        path = place / chunk.file_name
        path.hardlink_to(captures_folder / f"{number}.pcap")
        catalog.landed(chunk, size=path.stat().st_size, path=folder.relative(path))
    catalog.close()
    return folder.root


def indexing(running: Running) -> bool:
    """A worker is in the middle of a chunk."""
    chunks = running.get("/api/chunks", state="indexing")["items"]
    return any((running.get(f"/api/chunks/{chunk['key']}")["progress"] or 0) > 0 for chunk in chunks)


def all_indexed(running: Running) -> bool:
    status = running.get("/api/status")
    assert status["chunks"]["failed"] == 0, status["failed"]
    return bool(status["chunks"]["indexed"] == CHUNKS)


def assert_exactly_once(running: Running) -> None:
    assert running.get("/api/sessions", limit=1)["total"] == CHUNKS * SESSIONS
    facet = running.get("/api/facets", field="chunk", limit=100)["items"]
    assert sorted(item["sessions"] for item in facet) == [SESSIONS] * CHUNKS
    assert running.get("/api/status")["store"]["chunks"] == CHUNKS


def test_killed_worker_costs_an_attempt_and_nothing_else(data: Path, tmp_path: Path) -> None:
    with collector(data, tmp_path / "log") as running:
        wait_until(lambda: indexing(running), "a worker in the middle of a chunk")
        for pid in running.workers():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: all_indexed(running), "all chunks to be indexed")
        assert_exactly_once(running)
        attempts = [chunk["attempts"] for chunk in running.get("/api/chunks")["items"]]
        assert 1 <= sum(attempts) <= 2
        assert all(chunk["error"] is None for chunk in running.get("/api/chunks")["items"])
    assert "SIGKILL" in (tmp_path / "log").read_text()


def test_chunk_that_kills_every_worker_fails_and_the_rest_goes_on(data: Path, tmp_path: Path) -> None:
    config = tmp_path / "collector.toml"
    config.write_text("[ingest]\nworkers = 1\nattempts = 3\n")
    with collector(data, tmp_path / "log", "--config", str(config)) as running:
        for attempt in (1, 2, 3):
            wait_until(lambda: _first(running)["state"] == "indexing" and running.workers(), "a worker on the first")
            (pid,) = running.workers()
            os.kill(pid, signal.SIGKILL)
            wait_until(partial(_tried, running, attempt), "the attempt to be counted")
        wait_until(lambda: running.get("/api/status")["chunks"]["indexed"] == CHUNKS - 1, "the rest to be indexed")
        (failed,) = running.get("/api/status")["failed"]
        assert "SIGKILL" in failed["error"]
        assert failed["attempts"] == 3


def test_killed_collector_takes_up_what_it_was_indexing(data: Path, tmp_path: Path) -> None:
    for time in range(2):
        with collector(data, tmp_path / f"log{time}") as running:
            wait_until(lambda: indexing(running), "a worker in the middle of a chunk")
            workers = running.workers()
            running.kill()
        wait_until(partial(_gone, workers), "its workers to end", 15)
    with collector(data, tmp_path / "last") as running:
        wait_until(lambda: all_indexed(running), "all chunks to be indexed")
        assert_exactly_once(running)
        assert all(chunk["attempts"] == 0 for chunk in running.get("/api/chunks")["items"])


def test_second_collector_on_a_folder_is_refused(data: Path, tmp_path: Path) -> None:
    with (
        collector(data, tmp_path / "log"),
        pytest.raises(AssertionError, match="runs on"),
        collector(data, tmp_path / "second"),
    ):
        pass


def _first(running: Running) -> dict[str, Any]:
    return next(each for each in running.get("/api/chunks")["items"] if each["sequence"] == 1)


def _tried(running: Running, attempts: int) -> bool:
    return bool(_first(running)["attempts"] == attempts)


def _gone(pids: list[int]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)
