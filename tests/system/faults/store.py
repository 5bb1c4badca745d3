"""A real Elasticsearch inside our namespaces, which can be killed and comes back with the data it had."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.system.faults.keeper import kill_all

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "elasticsearch"
SECONDS = 600


@dataclass
class Elasticsearch:
    """`start`, then `kill` and `again` as often as wanted, and `stop`."""

    folder: Path
    port: int = 19200

    def _run(self, word: str) -> None:
        environment = {
            **os.environ, "HAYRICK_ELASTICSEARCH_PORT": str(self.port), "HAYRICK_ELASTICSEARCH_HEAP": "512m",
            "HAYRICK_ELASTICSEARCH_NODE": str(self.folder),
        }  # fmt: skip
        environment.pop("HAYRICK_TEST_ELASTICSEARCH", None)
        done = subprocess.run(
            [SCRIPT, word], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"scripts/elasticsearch {word}: {done.stderr}")

    def start(self) -> None:
        """An empty node; returns when it answers."""
        self._run("start")

    def again(self) -> None:
        """The node that was killed; returns when it answers."""
        self._run("again")

    def kill(self) -> bool:
        """All its processes at once; False if it does not run."""
        return kill_all(self._pids()) > 0

    def stop(self) -> None:
        """End it and take its data away."""
        self._run("stop")

    def _pids(self) -> list[int]:
        found, mine = [], str(self.folder).encode()
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and entry.name != str(os.getpid()):
                try:
                    said = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                except OSError:
                    continue
                if mine in said:
                    found.append(int(entry.name))
        return found
