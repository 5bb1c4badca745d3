"""One real Elasticsearch for a whole run of the tests, started while other tests run, or the cluster that
HAYRICK_TEST_ELASTICSEARCH names. Each test has a prefix of its own on it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from hayrick_collector.store.elasticsearch import Cluster
from hayrick_collector.store.elasticsearch.connection import connected

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "elasticsearch"
START_S = 900  # the first time, 928 MB are fetched
STOP_S = 90
# A run that is killed must not leave a node behind: this outlives it, and ends the node once tests and start are over.
WATCHER = 'while kill -0 "$1" || kill -0 "$2"; do sleep 2; done 2>/dev/null; exec "$3" stop'


class Server:
    """A node on a port of its own, so that two runs of the tests never share one; or one of several `together`."""

    def __init__(self, *, own: bool = False, port: int = 0, together: Sequence[int] = ()) -> None:
        self.url = ""
        self._environment = {**os.environ, "HAYRICK_ELASTICSEARCH_PORT": str(port or free_port())}
        if together:
            ports = " ".join(map(str, together))
            self._environment |= {"HAYRICK_ELASTICSEARCH_CLUSTER": ports, "HAYRICK_ELASTICSEARCH_HEAP": "512m"}
        if own:
            self._environment.pop("HAYRICK_TEST_ELASTICSEARCH", None)
        self._starting = subprocess.Popen(
            [SCRIPT, "start"], env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        pids = [str(os.getpid()), str(self._starting.pid)]
        self._watcher = subprocess.Popen(
            ["bash", "-c", WATCHER, "_", *pids, SCRIPT],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def address(self) -> str:
        """Where it answers; waits until it does."""
        out, errors = self._starting.communicate(timeout=START_S)
        assert self._starting.returncode == 0, errors
        return out.split()[-1]

    def signal(self, number: signal.Signals) -> None:
        """SIGKILL, SIGSTOP, SIGCONT: what happens to a node."""
        pid = subprocess.run([SCRIPT, "pid"], env=self._environment, timeout=10, check=True, capture_output=True)
        os.killpg(int(pid.stdout), number)

    def again(self) -> None:
        """Start the killed node with the data it had."""
        subprocess.run([SCRIPT, "again"], env=self._environment, timeout=START_S, check=True, capture_output=True)

    def stop(self) -> None:
        """End the node, or its start."""
        if self._starting.poll() is None:
            self._starting.terminate()
        with contextlib.suppress(ValueError):  # the pipes were read already
            self._starting.communicate(timeout=STOP_S)
        subprocess.run([SCRIPT, "stop"], env=self._environment, timeout=STOP_S, check=True)
        self._watcher.terminate()
        self._watcher.wait(STOP_S)


def free_port() -> int:
    """One whose neighbour a hundred further, for the nodes among themselves, is free too."""
    for _ in range(100):
        port = random.randrange(19300, 19399)
        with socket.socket() as one, socket.socket() as other, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            other.bind(("127.0.0.1", port + 100))
            return port
    raise OSError("no free port for Elasticsearch")


def cluster_of(folder: Path, address: str) -> Cluster:
    """The prefix of the test that has this folder."""
    prefix = f"t{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}_"
    return Cluster((address,), kind=kind_of(address), prefix=prefix, replicas=0)


@functools.cache
def kind_of(address: str) -> str:
    """What answers there: elasticsearch or opensearch."""
    with urllib.request.urlopen(address, timeout=30) as answer:
        return str(json.load(answer)["version"].get("distribution", "elasticsearch"))


def wipe(cluster: Cluster) -> None:
    """Remove every index and template of a prefix."""
    client = connected(cluster)
    names = list(client.indices.get(index=f"{cluster.prefix}*", features="aliases"))
    if names:
        client.indices.delete(index=names)
    client.options(ignore_status=404).indices.delete_index_template(name=cluster.template)
