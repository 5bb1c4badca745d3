"""What the collector's tests share: one `hayrick` command of this interpreter, and folders of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.collector.elasticsearch import Server

Hayrick = Callable[..., "subprocess.CompletedProcess[str]"]
MAIN = "import sys; from hayrick_common.cli import main; sys.exit(main())"


SERVERS: list[Server] = []


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start Elasticsearch at once where a test will ask for it: other tests run meanwhile."""
    wanted = any(
        "elasticsearch" in item.name or {"cluster", "elasticsearch", "server"} & set(getattr(item, "fixturenames", ()))
        for item in session.items
    )
    if wanted and not session.config.option.collectonly:
        SERVERS.append(Server())


def pytest_sessionfinish() -> None:
    while SERVERS:
        SERVERS.pop().stop()


@pytest.fixture(scope="session")
def elasticsearch() -> str:
    """The address of a real server."""
    SERVERS[0].url = SERVERS[0].address()
    return SERVERS[0].url


@pytest.fixture(scope="session")
def server(elasticsearch: str) -> Iterator[Server]:
    """A server that may be frozen and killed: the tests' own, never a cluster that somebody named."""
    if not os.environ.get("HAYRICK_TEST_ELASTICSEARCH"):
        yield SERVERS[0]
        return
    server = Server(own=True)
    server.url = server.address()
    yield server
    server.stop()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder that is not there yet."""
    return tmp_path / "data"


@pytest.fixture
def hayrick(data: Path, tmp_path: Path) -> Hayrick:
    """Run a command on the data folder; the result, which must have the exit code expected."""
    return hayrick_on(data, tmp_path)


def hayrick_on(data: Path, cwd: Path) -> Hayrick:
    """The same on any data folder, from any folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HAYRICK_")}

    def run(
        *words: str | Path, code: int = 0, stdin: bytes | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-c", MAIN, *map(str, words)],
            input=None if stdin is None else stdin.decode("latin-1"),
            encoding="latin-1" if stdin is not None else "utf-8",
            capture_output=True,
            env={**environment, "HAYRICK_DATA": str(data), **more},
            cwd=cwd,
            timeout=90,
            check=False,
        )
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run
