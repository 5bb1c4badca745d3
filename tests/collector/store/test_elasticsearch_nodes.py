"""Three real nodes, one of them killed in the middle of indexing: each session is there exactly once at the end."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.collector.elasticsearch import START_S, Server, cluster_of, free_port
from tests.collector.store.sessions import batch, session
from tests.collector.store.test_elasticsearch import ids, put, stored

from hayrick_collector.store.elasticsearch import Cluster
from hayrick_collector.store.elasticsearch.connection import connected
from hayrick_common.errors import StoreAwayError

pytestmark = [pytest.mark.long, pytest.mark.timeout(START_S + 600)]
CHUNKS, SESSIONS, WRITERS = 60, 15, 3
DEADLINE_S = 240.0


@pytest.fixture
def nodes() -> Iterator[list[Server]]:
    ports: list[int] = []
    while len(ports) < 3:
        port = free_port()
        ports += [port] if port not in ports else []
    started = [Server(own=True, port=port, together=ports) for port in ports]
    try:
        for each in started:
            each.url = each.address()
        yield started
    finally:
        for each in started:
            each.stop()


class Ingest:
    """Writers that try each chunk again until it is taken, as the pool does."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._left = [f"chunk{number:02d}" for number in range(CHUNKS)]
        self.refused: list[str] = []
        self.done: list[str] = []

    def write(self) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while self._left and time.monotonic() < deadline:
            try:
                chunk = self._left.pop()
            except IndexError:
                return
            try:
                put(self._cluster, chunk, batch(*(session(f"{chunk}-{n}", chunk) for n in range(SESSIONS))))
                self.done.append(chunk)
            except (StoreAwayError, TimeoutError) as error:
                self.refused.append(str(error))
                self._left.append(chunk)
                time.sleep(0.5)


def healthy(cluster: Cluster, nodes: int) -> None:
    """Waits until so many nodes are one cluster with every copy in place."""
    asked = connected(cluster).options(request_timeout=150)
    state = asked.cluster.health(wait_for_nodes=str(nodes), wait_for_status="green", timeout="120s")
    assert not state["timed_out"], state


def test_a_killed_node_loses_and_doubles_nothing(nodes: list[Server], tmp_path: Path) -> None:
    addresses = tuple(each.url for each in nodes)
    cluster = replace(cluster_of(tmp_path, nodes[0].url), urls=addresses, replicas=1, shards=3, patience_seconds=60)
    healthy(cluster, 3)
    ingest = Ingest(cluster)
    writers = [threading.Thread(target=ingest.write) for _ in range(WRITERS)]
    for each in writers:
        each.start()
    deadline = time.monotonic() + DEADLINE_S
    while len(ingest.done) < CHUNKS // 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    nodes[0].signal(signal.SIGKILL)
    killed_after = len(ingest.done)
    for each in writers:
        each.join(DEADLINE_S)
    wanted = sorted(f"231114-chunk{chunk:02d}-{n}" for chunk in range(CHUNKS) for n in range(SESSIONS))
    assert killed_after < CHUNKS
    assert len(ingest.done) == CHUNKS, ingest.refused
    assert ids(cluster) == wanted
    assert stored(cluster) == len(wanted)
    nodes[0].again()
    healthy(cluster, 3)
    assert ids(cluster) == wanted
    assert stored(cluster) == len(wanted)
