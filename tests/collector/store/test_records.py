"""Flow records into a real Elasticsearch: the sessions of packets, packets asked for, and retention of both."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.collector.captures import START, http_exchange
from tests.collector.elasticsearch import cluster_of, wipe
from tests.system.collector_process import Running, collector, wait_until
from tests.system.flow_sensor import FlowSensor
from tests.system.test_flow import capture, documents, indexed
from tests.system.test_pull import export, frames_of

from hayrick_collector.config import load_config
from hayrick_collector.direct import DirectBackend
from hayrick_collector.retention import DAY_MS, Retention
from hayrick_collector.store import Query

CONFIG = """\
[store]
kind = "{kind}"
urls = ["{address}"]
prefix = "{prefix}"
replicas = 0
[retention]
days = 5
packet_days = 3
"""


@pytest.fixture
def config(tmp_path: Path, elasticsearch: str) -> Iterator[Path]:
    cluster = cluster_of(tmp_path, elasticsearch)
    path = tmp_path / "collector.toml"
    path.write_text(CONFIG.format(address=elasticsearch, kind=cluster.kind, prefix=cluster.prefix))
    yield path
    wipe(cluster)


def shipped(root: Path, running: Running) -> None:
    """The same capture as records and as packets; the sensor of records is asked for packets."""
    sensors = [FlowSensor(root, name, name) for name in ("records", "packets")]
    for sensor in sensors:
        sensor.enrol(root / "data", running)
        sensor.start()
        sensor.put(capture(root / "x.pcap"), "x.pcap")
    try:
        for sensor in sensors:
            wait_until(partial(indexed, running, sensor.name), sensor.log())
        done = export(running, root / "out.pcap", "node == records && http.uri == *last*")
        assert done.returncode == 0, done.stderr
    finally:
        for sensor in sensors:
            sensor.kill()


async def retained(config: Path, data: Path, days: int) -> dict[str, int]:
    """What retention takes so many days after the capture."""
    backend = await DirectBackend.open(load_config(config, data=data))
    try:
        retention = Retention(backend.config, backend.catalog, backend.store)
        done = +(await retention.run(now_ms=START * 1000 + days * DAY_MS))
        return {**done, "left": await backend.store.count(Query())}
    finally:
        await backend.close()


def test_records_are_the_sessions_of_packets_and_both_go_by_age(tmp_path: Path, config: Path) -> None:
    with collector(tmp_path / "data", tmp_path / "log", "--config", str(config)) as running:
        shipped(tmp_path, running)
        by_records, by_packets = documents(running, "records"), documents(running, "packets")
        assert len(by_packets) == 36
        assert by_records == by_packets
        assert frames_of(tmp_path / "out.pcap") == http_exchange("/last", port=51_000)
    assert asyncio.run(retained(config, tmp_path / "data", 4)) == {"packets": 1, "records": 1, "left": 72}
    assert asyncio.run(retained(config, tmp_path / "data", 6)) == {"sessions": 2, "left": 0}
