"""Real processes for tests that kill them: a landing and a sensor, joined by CURVE or by an sshd."""

from __future__ import annotations

import contextlib
import hashlib
import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import zmq

from hayrick_collector.archive.reader import open_file
from hayrick_common.keys import KeyPair, write_pair

LANDING = Path(__file__).with_name("landing_process.py")
SENSOR = [sys.executable, "-c", "import sys; from hayrick_common.cli import main; sys.exit(main())", "sensor"]


class Fleet:
    """One landing and one sensor, as processes; both may be killed and started again.

    `streams` is the sensor's settings for its streams; `namespace` the network namespace that it works in; `address`
    is where the landing listens.
    """

    def __init__(self, root: Path, streams: str, namespace: str = "", address: str = "") -> None:
        self.root, self.data = root, root / "data"
        self.address = address or f"ipc://{root / 'landing'}"
        self.inside = ["ip", "netns", "exec", namespace] if namespace else []
        (self.data / "keys" / "sensors").mkdir(parents=True)
        write_pair(self.data / "keys", "collector", pair())
        self.config = root / "sensor.toml"
        self.config.write_text(
            f'name = "s1"\nspool = "{root / "spool"}"\nheartbeat_seconds = 1\nkeep_free_megabytes = 0\n'
            f'[collector]\naddress = "{self.address}"\n'
            f'public_key_file = "{self.data / "keys" / "collector.public"}"\n'
            f"[[streams]]\n{streams}\n"
        )
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def enrol(self) -> None:
        subprocess.run([*SENSOR, "keygen", "--config", self.config], check=True, timeout=30, capture_output=True)
        public = self.root / "spool" / "keys" / "sensor.public"
        (self.data / "keys" / "sensors" / "s1.public").write_bytes(public.read_bytes())

    def start(self, name: str) -> None:
        command = (
            [sys.executable, str(LANDING), str(self.data), self.address]
            if name == "landing"
            else [*self.inside, *SENSOR, "run", "--config", str(self.config)]
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

    def counters(self) -> dict[str, int]:
        """The landing's counters, as last written."""
        with contextlib.suppress(OSError, ValueError):
            return dict(json.loads((self.data / "counters.json").read_text()))
        return {}

    def states(self) -> set[str]:
        """The states that chunks have in the sensor's journal."""
        with contextlib.closing(sqlite3.connect(self.root / "spool" / "journal.sqlite")) as journal:
            return {state for (state,) in journal.execute("SELECT state FROM chunks")}

    def logs(self) -> str:
        return "\n".join(path.read_text()[-3000:] for path in self.root.glob("*.log"))


@contextlib.contextmanager
def adopting(root: Path, name: str) -> Iterator[Fleet]:
    """A fleet not yet started, whose sensor's one stream is of the files in this folder of `root`."""
    (root / name).mkdir()
    fleet = Fleet(root, f'name = "{name}"\nfolder = "{root / name}"')
    fleet.enrol()
    try:
        yield fleet
    finally:
        fleet.close()


def stored(row: dict) -> str:
    """The SHA-256 of what is stored of a landed chunk."""
    with open_file(Path(row["path"])) as file:
        return hashlib.sha256(file.read()).hexdigest()


def pair() -> KeyPair:
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())


def wait_until(what: Callable[[], bool], seconds: float, fleet: Fleet) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, fleet.logs()
        time.sleep(0.005)
