"""Two real collectors on one real Elasticsearch: both find all sessions, each gets the packets that the other has."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest
from tests.collector.captures import http_exchange, mixed_frames, write_pcap
from tests.collector.elasticsearch import cluster_of, kind_of, wipe
from tests.collector.landing.sshd import free_port
from tests.system.collector_process import Running, collector, wait_until
from tests.system.flow_sensor import HAYRICK, FlowSensor
from tests.system.test_pull import frames_of

pytestmark = pytest.mark.timeout(300)
CONFIG = """\
node = "{name}"
[store]
kind = "{kind}"
urls = ["{address}"]
prefix = "{prefix}"
replicas = 0
[archive]
key_file = "{root}/{name}.archive"
[peers]
url = "http://127.0.0.1:{port}"
token_file = "{root}/token"
"""


@dataclass
class Pair:
    """Collectors `one` and `two`; `one` has a capture and a flow-record sensor, `two` a capture."""

    root: Path
    one: Running
    two: Running
    sensor: FlowSensor


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, elasticsearch: str) -> Iterator[Pair]:
    tmp_path = tmp_path_factory.mktemp("peers")
    cluster = cluster_of(tmp_path, elasticsearch)
    (tmp_path / "token").touch(0o600)
    (tmp_path / "token").write_text(secrets.token_hex(24))
    with ExitStack() as stack:
        stack.callback(wipe, cluster)
        running = [stack.enter_context(_started(tmp_path, name, elasticsearch, cluster.prefix)) for name in NAMES]
        sensor = FlowSensor(tmp_path, "flow", "records")
        sensor.enrol(tmp_path / "one", running[0])
        sensor.start()
        stack.callback(sensor.kill)
        write_pcap(sensor.ring / "x.pcap", http_exchange("/flow", client="10.1.0.7"))
        for number, each in enumerate(running, 1):
            capture = write_pcap(tmp_path / f"{number}.pcap", mixed_frames(f"10.1.0.{number}"))
            subprocess.run([*HAYRICK, "ingest", "--server", each.url, capture], check=True, capture_output=True)
        for each in running:
            wait_until(partial(_knows_all, each), "both to find all sessions and to know each other", 180)
        yield Pair(tmp_path, running[0], running[1], sensor)


def _knows_all(running: Running) -> bool:
    return running.get("/api/sessions")["total"] == 7 and len(running.get("/api/status")["collectors"]) == 2


NAMES = ("one", "two")


def _started(root: Path, name: str, address: str, prefix: str) -> AbstractContextManager[Running]:
    port = free_port()
    subprocess.run(
        [*HAYRICK, "archive", "rotate-key", "--config", _config(root, name, address, prefix, port)], check=True
    )
    words = ("--config", str(root / f"{name}.toml"), "--listen", f"127.0.0.1:{port}")
    return collector(root / name, root / f"{name}.log", *words)


def _config(root: Path, name: str, address: str, prefix: str, port: int) -> str:
    path = root / f"{name}.toml"
    path.write_text(
        CONFIG.format(name=name, kind=kind_of(address), address=address, prefix=prefix, root=root, port=port)
    )
    return str(path)


def export(running: Running, out: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [*HAYRICK, "export", *words, "--server", running.url, "-o", str(out)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_packets_come_from_whoever_has_them(pair: Pair) -> None:
    """An archive here, an archive there, and a sensor there."""
    out = pair.root / "out.pcap"
    wanted = sorted([*mixed_frames("10.1.0.1"), *mixed_frames("10.1.0.2"), *http_exchange("/flow", client="10.1.0.7")])
    for running in (pair.two, pair.one):
        done = export(running, out, "")
        assert done.returncode == 0, done.stderr
        assert sorted(frames_of(out)) == wanted
    (session,) = pair.two.get("/api/sessions", expression="http.uri == *flow*")["items"]
    answer = httpx.get(f"{pair.two.url}/api/sessions/{session['id']}.pcap", timeout=30)
    assert answer.status_code == 200
    assert int(answer.headers["X-Hayrick-Packets"]) == 8
    kept = [path.read_bytes() for path in (pair.root / "two" / "cache").rglob("*.pieces")]
    assert kept
    assert not any(b"/flow" in each for each in kept)


def test_only_who_has_the_shared_token_is_given_anything(pair: Pair) -> None:
    (chunk,) = [each for each in pair.one.get("/api/chunks")["items"] if each["stream"] == "import"]
    ask: list[tuple[str, dict[str, object]]] = [
        ("/api/peers/bytes", {"key": chunk["key"], "ranges": [[0, 24]]}),
        ("/api/peers/chunks", {"keys": [chunk["key"]]}),
    ]
    token = (pair.root / "token").read_text()
    post: Callable[..., httpx.Response] = httpx.post
    for path, body in ask:
        assert post(pair.one.url + path, json=body).status_code == 403
        wrong = {"Authorization": "Bearer " + "0" * 48}
        assert post(pair.one.url + path, json=body, headers=wrong).status_code == 401
        right = {"Authorization": f"Bearer {token}"}
        assert post(pair.one.url + path, json=body, headers=right).status_code == 200
    right = {"Authorization": f"Bearer {token}"}
    for ranges, status in (([[0, 2**30]], 400), ([[10**9, 5]], 400), ([], 400), ([[-1, 4]], 400)):
        body = {"key": chunk["key"], "ranges": ranges}
        assert post(f"{pair.one.url}/api/peers/bytes", json=body, headers=right).status_code == status
    body = {"key": "../../etc.x.1.y", "ranges": [[0, 4]]}
    assert post(f"{pair.one.url}/api/peers/bytes", json=body, headers=right).status_code in (400, 410)
    for path in ("/api/users", "/api/sessions", "/api/sessions.pcap", "/api/status"):
        assert httpx.get(f"{pair.one.url}{path}", headers=right).status_code == 403


def test_an_owner_that_is_down_is_named_and_the_rest_is_exported(pair: Pair) -> None:
    """The last of these tests, for the collector stays down."""
    pair.one.kill()
    out = pair.root / "out.pcap"
    done = export(pair.two, out, "")
    assert done.returncode == 1
    assert "collector one (http://127.0.0.1:" in done.stderr
    assert "does not answer" in done.stderr
    assert sorted(frames_of(out)) == sorted(mixed_frames("10.1.0.2"))
    assert pair.two.get("/api/sessions")["total"] == 7
    (session,) = pair.two.get("/api/sessions", expression="http.uri == *flow*")["items"]
    answer = httpx.get(f"{pair.two.url}/api/sessions/{session['id']}.pcap", timeout=30)
    assert answer.status_code == 410
    assert "collector one" in answer.json()["error"]["message"]
