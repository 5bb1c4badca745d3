"""Flow records through a real sshd: each session once, whatever is cut; and who cannot be asked for packets."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.collector.landing.sshd import Sshd
from tests.system.collector_process import Running, wait_until
from tests.system.sftp_flow_sensor import SftpFlowSensor
from tests.system.test_flow import capture, indexed
from tests.system.test_pull import export

import hayrick_decode


@pytest.fixture
def flow(tmp_path: Path, running: Running) -> Iterator[SftpFlowSensor]:
    sshd = Sshd(tmp_path / "sshd")
    sensor = SftpFlowSensor(tmp_path, "far", sshd)
    sensor.enrol(tmp_path / "data", running)
    yield sensor
    sensor.kill()
    sshd.close()


def test_records_by_sftp_are_searchable_once_and_their_packets_cannot_be_asked_for(
    tmp_path: Path, running: Running, flow: SftpFlowSensor
) -> None:
    put = [flow.put(capture(tmp_path / "x.pcap", 40 + number), f"x{number}.pcap") for number in range(3)]
    for delay in (1.0, 1.3):
        flow.start()
        time.sleep(delay)
        flow.sshd.cut()
        flow.kill()
    flow.start()
    wait_until(lambda: len(indexed(running, "far")) == 3, flow.log())
    wait_until(lambda: not list((flow.spool / "records").glob("*/*")), "records that have served to go")
    chunks = {each["sequence"]: each for each in indexed(running, "far")}
    assert {each["meta"]["content"] for each in chunks.values()} == {"records"}
    ids = [
        json.loads(line)["id"]
        for path, number in zip(put, sorted(chunks), strict=True)
        for batch in hayrick_decode.decode(path, chunk=chunks[number]["key"])
        for line in batch.ndjson().splitlines()
    ]
    found = running.get("/api/sessions", expression="node == far", limit=1000)
    assert sorted(each["id"] for each in found["items"]) == sorted(ids)
    out = tmp_path / "out.pcap"
    wait_until(lambda: "delivers by SFTP" in export(running, out, "protocols == http").stderr, "its report", 30)
    answer = httpx.get(f"{running.url}/api/sessions/{ids[0]}.pcap", timeout=60)
    assert answer.status_code == 410
    assert "sensor far, which delivers by SFTP" in answer.json()["error"]["message"]
