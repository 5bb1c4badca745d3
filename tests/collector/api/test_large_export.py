"""An export of any size is streamed: the collector holds where its packets lie, and never the packets."""

from __future__ import annotations

import hashlib
import itertools
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.collector.captures import START, ethernet, ipv4
from tests.system.collector_process import Running, collector, wait_until

MOST_MEGABYTES = 40
PAYLOAD = 1_400


def packets(megabytes: int) -> Iterator[bytes]:
    """The bytes of a capture, packet by packet: datagrams of a few hundred flows, each with a number in it."""
    yield struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)
    flows = []
    for number in range(300):
        head = struct.pack(">HHHH", 20_000 + number, 9_999, 8 + PAYLOAD, 0)
        flows.append(ethernet(ipv4("10.3.0.1", "10.3.0.2", 17, head + bytes(PAYLOAD)))[:-8])
    for number in range(megabytes * 1_000_000 // (16 + len(flows[0]) + 8)):
        frame = flows[number % len(flows)] + struct.pack(">Q", number)
        yield struct.pack("<IIII", START + number // 10_000, number % 10_000 * 100, len(frame), len(frame)) + frame


@contextmanager
def filled(folder: Path, megabytes: int) -> Iterator[tuple[Running, str]]:
    """A collector that has the capture, and the SHA-256 of that."""
    digest = hashlib.sha256()

    def sent() -> Iterator[bytes]:
        while piece := b"".join(itertools.islice(stream, 1_000)):
            digest.update(piece)
            yield piece

    stream = packets(megabytes)
    with collector(folder / "data", folder / "log") as running:
        answer = httpx.post(f"{running.url}/api/ingest", params={"name": "large.pcap"}, content=sent(), timeout=300)
        key = answer.raise_for_status().json()["key"]
        done = f"/api/chunks/{key}"
        wait_until(lambda: running.get(done)["chunk"]["state"] == "indexed", "the capture to be indexed", 300)
        yield running, digest.hexdigest()


def highest(pid: int) -> float:
    """Megabytes that the process had in memory at most since `begin_anew`."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1000


def begin_anew(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


@pytest.mark.parametrize(
    "megabytes",
    [80, pytest.param(1_000, marks=(pytest.mark.long, pytest.mark.timeout(900)))],
)
def test_an_export_is_the_capture_and_the_collector_holds_little_of_it(tmp_path: Path, megabytes: int) -> None:
    with filled(tmp_path, megabytes) as (running, sha256):
        pid = running.process.pid
        one = {"expression": "port.src == 20001"}
        httpx.get(f"{running.url}/api/sessions.pcap", params=one, timeout=60).raise_for_status()  # all code is loaded
        begin_anew(pid)
        before = highest(pid)
        digest, size = hashlib.sha256(), 0
        with httpx.stream("GET", f"{running.url}/api/sessions.pcap", timeout=60) as answer:
            for piece in answer.iter_bytes():
                digest.update(piece)
                size += len(piece)
        held = highest(pid) - before
    assert digest.hexdigest() == sha256
    assert size > megabytes * 990_000
    assert held < MOST_MEGABYTES + megabytes / 10
