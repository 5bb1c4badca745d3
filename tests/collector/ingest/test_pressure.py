"""A store that takes nothing pauses the ingest queue: no chunk pays for it, and nothing is lost or doubled."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.collector.captures import dns_query, mixed_frames, write_pcap
from tests.collector.conftest import Hayrick
from tests.collector.elasticsearch import START_S, Server, cluster_of, wipe
from tests.system.collector_process import Running, collector, wait_until

from hayrick_collector.catalog import Catalog
from hayrick_collector.ingest.pressure import LONGEST_PAUSE_S, Pressure
from hayrick_collector.store.elasticsearch import Cluster
from hayrick_collector.store.elasticsearch.connection import connected
from hayrick_common.chunk import ChunkId

MANY = 9_000
PATIENCE_S = 9


def test_pauses_double_up_to_a_bound_and_one_served_chunk_ends_them() -> None:
    pressure, now, pauses = Pressure(spread=lambda low, high: high), 1000.0, []
    for _ in range(9):
        pressure.refused(now, "full")
        pauses.append(pressure.retry_at - now)
        now = pressure.retry_at
    assert pauses == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    assert pressure.as_dict() == {
        "state": "paused", "reason": "full", "since": 1000.0, "retry_at": now, "put_off": 9,
    }  # fmt: skip
    pressure.moved()
    assert pressure.paused
    pressure.served()
    assert pressure.as_dict() == {"state": "running", "reason": "", "since": None, "retry_at": None, "put_off": 9}


def test_a_worker_that_waits_is_told_of_until_it_moves() -> None:
    pressure = Pressure()
    pressure.waiting(5.0, "red")
    pressure.waiting(6.0, "overloaded")
    told = pressure.as_dict()
    assert (told["state"], told["since"], told["reason"]) == ("waiting", 5.0, "overloaded")
    pressure.moved()
    assert pressure.as_dict()["state"] == "running"


def test_the_chunk_that_was_put_off_last_is_not_the_next_one_tried(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog")
    keys = []
    for number in (1, 2):
        chunk = ChunkId("sensor", "eth0", number, f"{number:064x}")
        catalog.landed(chunk, size=1, path=f"{number}")
        keys.append(chunk.key)
    first = catalog.claim()
    assert first is not None
    assert first.key == keys[0]
    catalog.release(first.key)
    claimed = [catalog.claim(last=first.key), catalog.claim(last=first.key), catalog.claim(last=first.key)]
    assert [each.key if each else None for each in claimed] == [keys[1], keys[0], None]
    catalog.close()


@pytest.fixture
def shared(server: Server, tmp_path: Path) -> Iterator[Cluster]:
    cluster = cluster_of(tmp_path, server.url)
    (tmp_path / "shared.toml").write_text(
        f"[store]\nkind = '{cluster.kind}'\nurls = ['{server.url}']\nprefix = '{cluster.prefix}'\nreplicas = 0\n"
        f"patience_seconds = {PATIENCE_S}\n"
    )
    yield cluster
    wipe(cluster)


def put(running: Running, path: Path) -> str:
    """Upload a capture; its chunk's key."""
    answer = httpx.post(f"{running.url}/api/ingest", content=path.read_bytes(), timeout=30)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["key"])


def interrupted(running: Running, capture: Path, begin: Callable[[], None]) -> dict[str, Any]:
    """Trouble begins while the chunk is being sent; returns the chunk once it was put off, unharmed."""
    before = running.get("/api/status")["ingest"]["put_off"]
    key = put(running, capture)
    wait_until(lambda: running.get(f"/api/chunks/{key}")["progress"], f"sessions of {key} to be sent")
    begin()
    wait_until(lambda: running.get("/api/status")["ingest"]["put_off"] > before, "the chunk to be put off")
    chunk: dict[str, Any] = running.get(f"/api/chunks/{key}")["chunk"]
    return chunk


def many(path: Path, client: str) -> Path:
    """Many sessions of one client."""
    return write_pcap(path, (dns_query(f"{n}.example", client=client, port=1024 + n) for n in range(MANY)), step=0.001)


def settled(running: Running, sessions: int) -> None:
    """All chunks are indexed, at the first attempt as far as the catalog counts, and the queue runs."""
    wait_until(lambda: running.get("/api/status")["backlog"] == 0, "the queue to be empty", 120)
    assert [each["attempts"] for each in running.get("/api/chunks")["items"] if each["state"] == "indexed"]
    assert not any(each["attempts"] for each in running.get("/api/chunks")["items"])
    assert running.get("/api/status")["ingest"]["state"] == "running"
    assert running.get("/api/sessions", limit=0)["total"] == sessions


@pytest.mark.timeout(START_S + 120)
def test_a_full_cluster_pauses_the_queue_and_costs_no_attempt(
    shared: Cluster, server: Server, hayrick: Hayrick, data: Path, tmp_path: Path
) -> None:
    client = connected(shared)
    with collector(data, tmp_path / "log", "--config", str(tmp_path / "shared.toml")) as running:
        put(running, write_pcap(tmp_path / "a.pcap", mixed_frames()))
        settled(running, 3)
        client.indices.put_settings(index=shared.sessions, settings={"index.blocks.read_only_allow_delete": True})
        key = put(running, write_pcap(tmp_path / "b.pcap", mixed_frames("10.1.0.6")))
        wait_until(lambda: running.get("/api/status")["ingest"]["state"] == "paused", "a full disk to pause the queue")
        told = hayrick("status", "--server", running.url).stdout
        assert "PAUSED" in told
        assert "disk is too full" in told
        assert "hayrick_ingest_paused 1" in httpx.get(f"{running.url}/metrics").text
        assert running.get(f"/api/chunks/{key}")["chunk"]["attempts"] == 0
        client.indices.put_settings(index=shared.sessions, settings={"index.blocks.read_only_allow_delete": None})
        settled(running, 6)


@pytest.mark.long
@pytest.mark.timeout(START_S + 240)
def test_a_frozen_and_a_killed_cluster_pause_the_queue_and_cost_no_attempt(
    shared: Cluster, server: Server, data: Path, tmp_path: Path
) -> None:
    client = connected(shared)
    with collector(data, tmp_path / "log", "--config", str(tmp_path / "shared.toml")) as running:
        freeze = lambda: server.signal(signal.SIGSTOP)  # noqa: E731
        chunk = interrupted(running, many(tmp_path / "c.pcap", "10.1.0.7"), freeze)
        assert (chunk["attempts"], chunk["error"]) == (0, None)
        assert not running.get("/api/status")["store"]["ok"]
        server.signal(signal.SIGCONT)
        settled(running, MANY)

        kill = lambda: server.signal(signal.SIGKILL)  # noqa: E731
        chunk = interrupted(running, many(tmp_path / "d.pcap", "10.1.0.8"), kill)
        assert (chunk["attempts"], chunk["error"]) == (0, None)
        assert "cannot be reached" in running.get("/api/status")["store"]["error"]
    with collector(data, tmp_path / "log", "--config", str(tmp_path / "shared.toml")) as running:  # starts all the same
        server.again()
        settled(running, 2 * MANY)
    client.indices.refresh(index=shared.sessions)
    assert client.count(index=shared.sessions)["count"] == 2 * MANY
