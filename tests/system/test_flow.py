"""Flow-record mode with real processes: the sessions of PCAP mode exactly, through kills, at a part of the bytes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.collector.captures import dns_query, http_exchange, mixed_frames, write_pcap
from tests.system.collector_process import Running, wait_until
from tests.system.flow_sensor import HAYRICK, FlowSensor

import hayrick_decode

OWN = ("@timestamp", "file", "id", "chunk", "node", "rootId")


@pytest.fixture
def flow(tmp_path: Path, running: Running) -> Iterator[FlowSensor]:
    sensor = FlowSensor(tmp_path, "flow", "records")
    sensor.enrol(tmp_path / "data", running)
    yield sensor
    sensor.kill()


def capture(path: Path, sessions: int = 30) -> Path:
    frames = [*mixed_frames(), *(dns_query(f"n{each}.example", port=30_000 + each) for each in range(sessions))]
    frames += [dns_query("many.example", port=29_999)] * 11_000  # two segments
    return write_pcap(path, [*frames, *http_exchange("/last", port=51_000)], step=0.001)


def indexed(running: Running, sensor: str) -> list[dict[str, Any]]:
    chunks = running.get("/api/chunks")["items"]
    return [each for each in chunks if each["state"] == "indexed" and each["sensor"] == sensor]


def documents(running: Running, sensor: str) -> list[dict[str, Any]]:
    found = running.get("/api/sessions", expression=f"node == {sensor}", limit=1000)
    assert found["total"] == len(found["items"])
    return sorted((_plain(each) for each in found["items"]), key=json.dumps)


def _plain(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in OWN}


def test_records_are_the_sessions_of_packets_exactly(tmp_path: Path, running: Running, flow: FlowSensor) -> None:
    packets = FlowSensor(tmp_path, "packets", "packets")
    packets.enrol(tmp_path / "data", running)
    for sensor in (flow, packets):
        sensor.start()
        sensor.put(capture(tmp_path / "x.pcap"), "x.pcap")
    try:
        for sensor in (flow, packets):
            wait_until(partial(indexed, running, sensor.name), sensor.log())
    finally:
        packets.kill()
    by_records, by_packets = documents(running, "flow"), documents(running, "packets")
    assert len(by_packets) == 36
    assert by_records == by_packets
    (one,), (other,) = indexed(running, "flow"), indexed(running, "packets")
    assert one["meta"]["content"] == "records"
    assert one["sha256"] == other["sha256"]
    for name in ("size", "packets", "sessions", "first_packet", "last_packet"):
        assert one[name] == other[name]
    assert one["summary"] == {name: value for name, value in other["summary"].items() if name != "nanoseconds"}


def said(running: Running) -> str:
    command = [*HAYRICK, "status", "--server", running.url]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def test_ids_are_those_that_packets_would_have(tmp_path: Path, running: Running, flow: FlowSensor) -> None:
    flow.start()
    put = flow.put(capture(tmp_path / "x.pcap"), "x.pcap")
    wait_until(lambda: indexed(running, "flow"), flow.log())
    (chunk,) = indexed(running, "flow")
    ids = {each["id"] for each in running.get("/api/sessions", limit=1000)["items"]}
    decoded = hayrick_decode.decode(put, chunk=chunk["key"])
    assert ids == {json.loads(line)["id"] for batch in decoded for line in batch.ndjson().splitlines()}


def test_what_was_saved_on_the_wire_is_told(tmp_path: Path, running: Running, flow: FlowSensor) -> None:
    flow.start()
    put = flow.put(capture(tmp_path / "x.pcap"), "x.pcap")
    wait_until(lambda: indexed(running, "flow"), flow.log())

    def stream() -> dict[str, Any]:
        return dict(flow.report().get("streams", {}).get("lan", {}))

    wait_until(lambda: (stream().get("records") or {}).get("chunks") == 1, flow.log())
    assert stream()["records"]["packet_bytes"] == put.stat().st_size
    assert 0 < stream()["records"]["bytes"] < put.stat().st_size / 10
    line = "  records  lan: 1 chunks, "
    wait_until(lambda: line in said(running), "the heartbeat to tell it")
    assert flow.report()["bytes_sent"] < put.stat().st_size / 4
    wait_until(lambda: not list((flow.spool / "records").glob("*/*")), "records that have served to go")
    assert put.exists(), "the packets stay in the ring"


def test_a_sensor_killed_at_any_step_ships_each_chunk_once(tmp_path: Path, running: Running, flow: FlowSensor) -> None:
    """Killed again and again, sooner and later after it has started: while it decodes, renames, ships."""
    for number in range(6):
        flow.put(capture(tmp_path / "x.pcap", 40 + number), f"x{number}.pcap")
    for delay in (0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.3):
        flow.start()
        time.sleep(delay)
        flow.kill()
    flow.start()
    wait_until(lambda: len(indexed(running, "flow")) == 6, flow.log())
    assert sorted(each["sequence"] for each in indexed(running, "flow")) == [1, 2, 3, 4, 5, 6]
    assert all(each["meta"]["content"] == "records" for each in indexed(running, "flow"))
    total = running.get("/api/sessions", expression="node == flow", limit=1)["total"]
    assert total == sum(46 + number for number in range(6))
    wait_until(lambda: not list((flow.spool / "records").glob("*/*")), "records that have served to go")


def test_a_chunk_that_kills_the_decoder_is_shipped_as_packets(tmp_path: Path, running: Running) -> None:
    """Its memory bound stands for a decoder that does not live: nothing of the chunk may be lost by that."""
    flow = FlowSensor(tmp_path, "small", "records")
    flow.enrol(tmp_path / "data", running)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "hayrick_decode.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = f"{broken}:{before}"
    try:
        flow.start()
    finally:
        os.environ["PYTHONPATH"] = before
    try:
        flow.put(capture(tmp_path / "x.pcap"), "x.pcap")
        wait_until(lambda: indexed(running, "small"), flow.log())
    finally:
        flow.kill(signal.SIGTERM)
    (chunk,) = indexed(running, "small")
    assert chunk["meta"].get("content", "pcap") == "pcap"
