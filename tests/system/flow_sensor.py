"""A real sensor with an adopted folder, beside a real collector, for tests of flow-record mode."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.system.collector_process import MAIN, Running

HAYRICK = [sys.executable, "-c", MAIN]


class FlowSensor:
    """A sensor process called `name` whose stream `lan` takes what is put into `ring`."""

    def __init__(self, root: Path, name: str, ship: str, stream: str = "", more: str = "") -> None:
        self.root, self.name, self.ring = root / name, name, root / name / "ring"
        self.ring.mkdir(parents=True)
        self.spool = self.root / "spool"
        self._stream, self._ship, self._more = stream, ship, more
        self._process: subprocess.Popen[bytes] | None = None

    def enrol(self, data: Path, running: Running | str) -> None:
        """Write the settings, make keys and let them in."""
        self.aim(data, running)
        subprocess.run([*HAYRICK, "sensor", "keygen", "--config", self.config], check=True, capture_output=True)
        (data / "keys" / "sensors").mkdir(exist_ok=True)
        public = self.spool / "keys" / "sensor.public"
        (data / "keys" / "sensors" / f"{self.name}.public").write_bytes(public.read_bytes())

    def aim(self, data: Path, running: Running | str) -> None:
        """Write the settings for this collector (or its address)."""
        landing = running if isinstance(running, str) else running.landing
        self.config.write_text(
            f'name = "{self.name}"\nspool = "{self.spool}"\nheartbeat_seconds = 1\nkeep_free_megabytes = 0\n'
            f"{self._more}"
            f'[collector]\naddress = "{landing}"\npublic_key_file = "{data / "keys" / "collector.public"}"\n'
            f'[[streams]]\nname = "lan"\nship = "{self._ship}"\nfolder = "{self.ring}"\n'
            f'keep = "place"\ndelete = true\n{self._stream}'
        )

    @property
    def config(self) -> Path:
        return self.root / "sensor.toml"

    def start(self) -> None:
        with (self.root / "log").open("ab") as log:
            command = [*HAYRICK, "sensor", "run", "--config", str(self.config)]
            environment = {name: value for name, value in os.environ.items() if not name.startswith("HAYRICK_")}
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(20)
            self._process = None

    def log(self) -> str:
        return (self.root / "log").read_text()[-3000:]

    def put(self, capture: Path, name: str) -> Path:
        """Let a real tcpdump write the capture into the ring."""
        target = self.ring / name
        subprocess.run(["tcpdump", "-Z", "root", "-r", capture, "-w", target], check=True, capture_output=True)
        return target

    def report(self) -> dict[str, Any]:
        """What the sensor last said of itself."""
        try:
            return dict(json.loads((self.spool / "status.json").read_text()))
        except (OSError, ValueError):
            return {}
