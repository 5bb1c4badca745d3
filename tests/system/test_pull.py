"""Packets on demand with real processes: one session's packets out of many, over the sensor's own connection."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import dpkt
import httpx
import pytest
from tests.collector.captures import dns_query, ethernet, http_exchange, ipv4, write_pcap
from tests.collector.landing.throttle import Throttle
from tests.system.collector_process import Running, wait_until
from tests.system.flow_sensor import HAYRICK, FlowSensor
from tests.system.test_flow import indexed

PACKETS = 100_000
WANTED = "http.uri == *needle*"


@pytest.fixture
def flow(tmp_path: Path, running: Running) -> Iterator[FlowSensor]:
    """A sensor that keeps 100,000 packets, whose sessions are searchable."""
    sensor = FlowSensor(tmp_path, "flow", "records")
    sensor.enrol(tmp_path / "data", running)
    sensor.start()
    needle = http_exchange("/needle", port=51_000)
    frames = [dns_query("hay.example", port=20_000 + each % 500) for each in range(PACKETS - len(needle))]
    for number, frame in enumerate(needle):
        frames.insert(7_000 + 9_000 * number, frame)
    sensor.put(write_pcap(tmp_path / "x.pcap", frames, step=0.00001), "x.pcap")
    wait_until(partial(indexed, running, "flow"), sensor.log())
    yield sensor
    sensor.kill()


def export(running: Running, out: Path, wanted: str = WANTED) -> subprocess.CompletedProcess[str]:
    command = [*HAYRICK, "export", wanted, "--server", running.url, "-o", str(out)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def udp(payload: bytes, port: int) -> bytes:
    datagram = dpkt.udp.UDP(sport=port, dport=7777, data=payload)
    datagram.ulen = len(datagram)
    return ethernet(ipv4("10.1.0.5", "10.7.7.7", 17, bytes(datagram)))


def frames_of(path: Path) -> list[bytes]:
    with path.open("rb") as file:
        return [frame for _, frame in dpkt.pcap.Reader(file)]


def test_just_a_sessions_packets_are_fetched_and_kept_for_a_while(
    tmp_path: Path, running: Running, flow: FlowSensor
) -> None:
    done = export(running, tmp_path / "out.pcap")
    assert done.returncode == 0, done.stderr
    assert "8 packets of 1 sessions" in done.stderr
    assert frames_of(tmp_path / "out.pcap") == http_exchange("/needle", port=51_000)
    (pieces,) = (tmp_path / "data" / "cache").rglob("*.pieces")
    assert pieces.stat().st_size < 2 * (tmp_path / "out.pcap").stat().st_size
    wait_until(lambda: flow.report()["counters"].get("pulls"), "the sensor's report")
    assert flow.report()["bytes_sent"] < (flow.ring / "x.pcap").stat().st_size / 50
    flow.kill()
    assert export(running, tmp_path / "again.pcap").returncode == 0
    assert (tmp_path / "again.pcap").read_bytes() == (tmp_path / "out.pcap").read_bytes()


def test_what_a_sensor_cannot_give_is_said(tmp_path: Path, running: Running, flow: FlowSensor) -> None:
    """First its ring has moved on, then it is away, then no collector runs."""
    (flow.ring / "x.pcap").unlink()
    done = export(running, tmp_path / "out.pcap")
    assert done.returncode == 1
    assert "8 packets are missing" in done.stderr
    assert "moved on" in done.stderr
    flow.kill()
    wait_until(lambda: "not connected" in export(running, tmp_path / "out.pcap").stderr, "the connection to be missed")
    answer = httpx.get(f"{running.url}/api/sessions.pcap", params={"expression": WANTED}, timeout=60)
    assert answer.status_code == 410
    assert "flow" in answer.json()["error"]["message"]
    command = [*HAYRICK, "export", WANTED, "--data", str(tmp_path / "data"), "-o", str(tmp_path / "out.pcap")]
    direct = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert direct.returncode == 1
    assert "only a running collector can ask it" in direct.stderr


def test_a_sensor_killed_while_it_sends_is_said_and_asked_again_once_it_is_back(
    tmp_path: Path, running: Running
) -> None:
    """Of a pcapng too large to be asked for at once, on a sensor so slow that it is killed between two answers."""
    sensor = FlowSensor(tmp_path, "flow", "records", 'pattern = "*.pcapng"\n', "pull_kilobytes = 64\n")
    sensor.enrol(tmp_path / "data", running)
    sensor.start()
    frames = [udp(os.urandom(1200), port=20_000 + each % 50) for each in range(2500)]
    write_pcap(tmp_path / "x.pcap", frames, step=0.001)
    command = ["editcap", "-F", "pcapng", str(tmp_path / "x.pcap"), str(sensor.ring / "x.pcapng")]
    subprocess.run(command, check=True, capture_output=True)
    wait_until(partial(indexed, running, "flow"), sensor.log())
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(export, running, tmp_path / "out.pcap", "port == 7777")
        wait_until(lambda: list((tmp_path / "data" / "cache").rglob("*.pieces")), "the first packets")
        sensor.kill()
        done = asking.result(60)
    assert done.returncode == 1
    assert "sensor flow went away" in done.stderr
    kept = sum(each.stat().st_size for each in (tmp_path / "data" / "cache").rglob("*.pieces"))
    assert 0 < kept < (sensor.ring / "x.pcapng").stat().st_size / 2
    sensor.config.write_text(sensor.config.read_text().replace("pull_kilobytes = 64", "pull_kilobytes = 100000"))
    sensor.start()
    try:
        wait_until(
            lambda: export(running, tmp_path / "out.pcap", "port == 7777").returncode == 0, "the sensor to be back"
        )
    finally:
        sensor.kill()
    assert frames_of(tmp_path / "out.pcap") == frames


@pytest.mark.long
def test_packets_come_over_a_line_that_takes_longer_for_them_than_anybody_waits_in_silence(
    tmp_path: Path, running: Running
) -> None:
    """A megabyte of noise at 20 kB/s; heartbeats have their turn between its pieces, so the connection stands."""
    host, _, port = running.landing.rpartition(":")
    line = Throttle(("127.0.0.1", int(port)), 20_000)
    sensor = FlowSensor(tmp_path, "flow", "records")
    sensor.enrol(tmp_path / "data", f"{host}:{line.port}")
    sensor.start()
    frames = [udp(os.urandom(1200), port=20_000 + each % 50) for each in range(800)]
    sensor.put(write_pcap(tmp_path / "x.pcap", frames, step=0.001), "x.pcap")
    try:
        wait_until(partial(indexed, running, "flow"), sensor.log())
        done = export(running, tmp_path / "out.pcap", "port == 7777")
    finally:
        sensor.kill()
        line.close()
    assert done.returncode == 0, done.stderr
    assert frames_of(tmp_path / "out.pcap") == frames
    assert line.connections == 1
