"""kill -9 of sensor and landing in the middle of real transfers: every chunk lands exactly once, byte for byte."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dpkt
import pytest
import zmq

from hayrick_common.keys import KeyPair, write_pair

LANDING = Path(__file__).with_name("landing_process.py")
SENSOR = [sys.executable, "-c", "import sys; from hayrick_common.cli import main; sys.exit(main())", "sensor"]


class Fleet:
    """One landing and one sensor that adopts a folder, as processes; both may be killed and started again."""

    def __init__(self, root: Path) -> None:
        self.root, self.data, self.pcaps = root, root / "data", root / "pcaps"
        for folder in (self.data / "keys" / "sensors", self.pcaps):
            folder.mkdir(parents=True)
        write_pair(self.data / "keys", "collector", pair())
        self.config = root / "sensor.toml"
        self.config.write_text(
            f'name = "s1"\nspool = "{root / "spool"}"\nheartbeat_seconds = 1\nkeep_free_megabytes = 0\n'
            f'[collector]\naddress = "ipc://{root / "landing"}"\n'
            f'public_key_file = "{self.data / "keys" / "collector.public"}"\n'
            f'[[streams]]\nname = "adopted"\nfolder = "{self.pcaps}"\n'
        )
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def enrol(self) -> None:
        subprocess.run([*SENSOR, "keygen", "--config", self.config], check=True, timeout=30, capture_output=True)
        public = self.root / "spool" / "keys" / "sensor.public"
        (self.data / "keys" / "sensors" / "s1.public").write_bytes(public.read_bytes())

    def start(self, name: str) -> None:
        command = (
            [sys.executable, str(LANDING), str(self.data), f"ipc://{self.root / 'landing'}"]
            if name == "landing"
            else [*SENSOR, "run", "--config", str(self.config)]
        )
        with (self.root / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        process = self.processes.pop(name)
        process.send_signal(number)
        return process.wait(20)

    def close(self) -> None:
        for name in list(self.processes):
            self.kill(name)

    def landed(self) -> list[dict]:
        path = self.data / "landed.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def parts(self) -> int:
        """Bytes of chunks that are half received."""
        total = 0
        for path in self.data.glob("incoming/*.part"):
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
        return total

    def logs(self) -> str:
        return "\n".join(path.read_text()[-3000:] for path in self.root.glob("*.log"))


def pair() -> KeyPair:
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path)
    made.enrol()
    yield made
    made.close()


def write_capture(path: Path, size: int, seed: int) -> str:
    """A capture of about `size` random bytes; returns its SHA-256."""
    source = random.Random(seed)
    with path.open("wb") as stream:
        writer = dpkt.pcap.Writer(stream)
        for number in range(size // 1400):
            writer.writepkt(source.randbytes(1400), ts=1_700_000_000 + number / 1000)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def wait_until(what, seconds: float, fleet: Fleet) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, fleet.logs()
        time.sleep(0.005)


def test_each_chunk_lands_once_whoever_is_killed_in_mid_transfer(fleet: Fleet) -> None:
    hashes = {write_capture(fleet.pcaps / f"{n}.pcap", 12_000_000, n) for n in range(4)}
    fleet.start("landing")
    fleet.start("sensor")
    killed_midway = 0
    for name in ("landing", "sensor", "landing", "sensor"):
        wait_until(lambda: fleet.parts() > 0 or len(fleet.landed()) == 4, 30, fleet)
        killed_midway += fleet.parts() > 0
        fleet.kill(name)
        fleet.start(name)
    wait_until(lambda: len(fleet.landed()) >= 4, 60, fleet)
    wait_until(lambda: journal_states(fleet) == {"indexed"}, 30, fleet)
    assert killed_midway >= 2
    rows = fleet.landed()
    assert sorted(row["sha256"] for row in rows) == sorted(hashes)
    assert {hashlib.sha256(Path(row["path"]).read_bytes()).hexdigest() for row in rows} == hashes
    assert len(list(fleet.data.glob("archive/**/*.pcap"))) == 4
    assert fleet.parts() == 0
    assert fleet.kill("sensor", signal.SIGTERM) == 0


def test_sensor_with_an_unknown_key_is_refused_and_counted_until_it_is_allowed(fleet: Fleet) -> None:
    allowed = fleet.data / "keys" / "sensors" / "s1.public"
    key = allowed.read_bytes()
    allowed.unlink()
    write_capture(fleet.pcaps / "a.pcap", 10_000, 1)
    fleet.start("landing")
    fleet.start("sensor")
    wait_until(lambda: counters(fleet).get("refused_key", 0) > 0, 20, fleet)
    assert fleet.landed() == []
    allowed.write_bytes(key)
    wait_until(lambda: len(fleet.landed()) == 1, 30, fleet)


def counters(fleet: Fleet) -> dict[str, int]:
    with contextlib.suppress(OSError, ValueError):
        return json.loads((fleet.data / "counters.json").read_text())
    return {}


def journal_states(fleet: Fleet) -> set[str]:
    import sqlite3

    with contextlib.closing(sqlite3.connect(fleet.root / "spool" / "journal.sqlite")) as journal:
        return {state for (state,) in journal.execute("SELECT state FROM chunks")}
