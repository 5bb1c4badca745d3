"""A real `hayrick collector run` for system tests: started on free ports, asked over HTTP, killed by number."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

MAIN = "import sys; from hayrick_common.cli import main; sys.exit(main())"
READY_SECONDS = 40.0


@dataclass
class Running:
    """A collector process and where it listens."""

    process: subprocess.Popen[str]
    url: str
    landing: str

    def get(self, path: str, **parameters: Any) -> Any:
        answer = httpx.get(self.url + path, params=parameters, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def workers(self) -> list[int]:
        """Process numbers of its ingest workers."""
        pid = self.process.pid
        children = [
            int(word)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for word in (task / "children").read_text().split()
        ]
        return [each for each in children if b"ingest.worker" in Path(f"/proc/{each}/cmdline").read_bytes()]

    def kill(self) -> None:
        """As a power cut would: no handler runs."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


@contextlib.contextmanager
def collector(data: Path, log: Path, *words: str) -> Iterator[Running]:
    """A collector on `data` once it serves; ended at the end if it still runs."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HAYRICK_")}
    command = [
        sys.executable, "-c", MAIN, "collector", "run", "--data", str(data),
        "--listen", "127.0.0.1:0", "--landing", "tcp://127.0.0.1:*", *words,
    ]  # fmt: skip
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, text=True, env=environment)
    try:
        url, landing = _addresses(process, log)
        yield Running(process, url, landing)
        if process.poll() is None:
            process.terminate()
            assert process.wait(20) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)


def wait_until(what: Callable[[], object], why: str, seconds: float = 60.0) -> None:
    """Poll until true; a failure says what was waited for."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {why}"
        time.sleep(0.02)


def _addresses(process: subprocess.Popen[str], log: Path) -> tuple[str, str]:
    pattern = re.compile(r"sensors dial (\S+).*page and API at (\S+)", re.DOTALL)
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if found := pattern.search(log.read_text()):
            return found[2], found[1]
        time.sleep(0.05)
    raise AssertionError(f"the collector did not start: {log.read_text()}")
