"""kill -9 of sensor, collector and ingest workers in one moment, in mid-transfer: nothing lost, nothing twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.collector.captures import START, dns_query, write_pcap
from tests.system.collector_process import MAIN, Running, collector, wait_until

ROUNDS, CHUNKS, SESSIONS = 2, 8, 700
FILLER = 1200  # random bytes in each packet, so that a chunk takes a while on its way
SETTINGS = """\
name = "s1"
spool = "{root}/spool"
keep_free_megabytes = 0
heartbeat_seconds = 1
[collector]
address = "{landing}"
public_key_file = "{data}/keys/collector.public"
[[streams]]
name = "a"
folder = "{root}/pcaps"
"""


def frames(number: int) -> Iterator[bytes]:
    """A session a frame: another address and port each time, with bytes that do not compress."""
    frame, chance = bytearray(dns_query("needle.example")), random.Random(number)
    for each in range(SESSIONS):
        frame[26:30] = bytes((10, 1, number, each % 250 + 1))
        frame[34:36] = (1024 + each // 250).to_bytes(2, "big")
        yield bytes(frame) + chance.randbytes(FILLER)


class Site:
    """A sensor that adopts a folder, and where its collector is to listen."""

    def __init__(self, root: Path) -> None:
        self.root, self.data, self.config = root, root / "data", root / "sensor.toml"
        (root / "pcaps").mkdir()
        (root / "waiting").mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.landing = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        for number in range(ROUNDS * CHUNKS):
            write_pcap(root / "waiting" / f"{number:03}.pcap", frames(number), start=START + number * 100, step=0.001)
        self.config.write_text(SETTINGS.format(root=root, data=self.data, landing=self.landing))
        self._hayrick("collector", "init", "--data", str(self.data))
        public = self._hayrick("sensor", "keygen", "--config", str(self.config))
        (self.data / "keys" / "sensors" / "s1.public").write_text(public)

    def _hayrick(self, *words: str) -> str:
        command = [sys.executable, "-c", MAIN, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    @contextlib.contextmanager
    def sensor(self) -> Iterator[subprocess.Popen[bytes]]:
        """Runs until the block ends."""
        with (self.root / "sensor.log").open("ab") as log:
            command = [sys.executable, "-c", MAIN, "sensor", "run", "--config", str(self.config)]
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait(10)

    def close(self, count: int) -> None:
        """The next so many captures are closed now."""
        for path in sorted((self.root / "waiting").iterdir())[:count]:
            path.rename(self.root / "pcaps" / path.name)

    def half_here(self) -> bool:
        """A chunk is in the middle of its way."""
        parts = list((self.data / "incoming").glob("*.part"))
        return any(size_of(each) > 0 for each in parts)

    def journal(self) -> dict[str, int]:
        """State -> chunks, as the sensor knows them."""
        with contextlib.closing(sqlite3.connect(self.root / "spool" / "journal.sqlite", timeout=10)) as journal:
            return dict(journal.execute("SELECT state, count(*) FROM chunks GROUP BY state"))


def size_of(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def kill_all_at_once(running: Running, sensor: subprocess.Popen[bytes]) -> None:
    pids = [running.process.pid, sensor.pid, *running.workers()]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    running.process.wait(10)
    sensor.wait(10)


def test_sensor_collector_and_workers_killed_together_lose_and_double_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path)
    for turn in range(ROUNDS):
        with (
            collector(site.data, tmp_path / f"log{turn}", "--landing", site.landing) as running,
            site.sensor() as sensor,
        ):
            site.close(2)
            wait_until(running.workers, "ingest workers")
            site.close(CHUNKS - 2)
            deadline = time.monotonic() + 30
            while not site.half_here():
                assert time.monotonic() < deadline, "no chunk was caught on its way"
            kill_all_at_once(running, sensor)
    total = ROUNDS * CHUNKS
    with collector(site.data, tmp_path / "last", "--landing", site.landing) as running, site.sensor():
        wait_until(lambda: running.get("/api/status")["chunks"]["indexed"] == total, "all to be indexed")
        assert running.get("/api/sessions", limit=1)["total"] == total * SESSIONS
        facet = running.get("/api/facets", field="chunk", limit=100)["items"]
        assert [item["sessions"] for item in facet] == [SESSIONS] * total
        wait_until(lambda: set(site.journal()) <= {"landed", "indexed"}, "every receipt")
        assert sum(site.journal().values()) == total
