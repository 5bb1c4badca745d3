"""A running collector: commands give the same answers through it, it takes what is dropped, and ends cleanly."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.collector.captures import mixed_frames, write_pcap
from tests.collector.conftest import Hayrick
from tests.system.collector_process import Running, collector, wait_until


@pytest.fixture
def running(data: Path, tmp_path: Path) -> Iterator[Running]:
    with collector(data, tmp_path / "log") as started:
        yield started


def test_commands_give_the_same_through_a_collector(hayrick: Hayrick, running: Running, tmp_path: Path) -> None:
    evidence = write_pcap(tmp_path / "evidence.pcap.gz", mixed_frames())
    told = hayrick("ingest", evidence, "-t", "case_one", "--server", running.url).stdout
    assert "10 packets, 3 sessions" in told
    assert "already indexed" in hayrick("ingest", evidence, HAYRICK_SERVER=running.url).stdout
    for words in (
        ("search", "protocols == dns"),
        ("search", "", "--json", "--sort", "destination.port,firstPacket:desc"),
        ("search", "", "--csv", "--fields", "source.ip,dns.host", "--limit", "2"),
        ("search", "", "--last", "24h"),
        ("tag", "protocols == dns", "+seen", "-case_one"),
    ):
        direct = hayrick(*words)
        assert hayrick(*words, "--server", running.url).stdout == direct.stdout
    bad = hayrick("search", "ip == 1 && nosuch == 3", code=2)
    assert hayrick("search", "ip == 1 && nosuch == 3", "--server", running.url, code=2).stderr == bad.stderr


def test_export_through_a_collector_gives_the_same_bytes(hayrick: Hayrick, running: Running, tmp_path: Path) -> None:
    hayrick("ingest", write_pcap(tmp_path / "x.pcap", mixed_frames()), "--server", running.url)
    for suffix in ("pcap", "pcapng"):
        near, far = tmp_path / f"near.{suffix}", tmp_path / f"far.{suffix}"
        hayrick("export", "protocols == dns", "-o", near)
        hayrick("export", "protocols == dns", "-o", far, "--server", running.url)
        assert near.read_bytes() == far.read_bytes()


def test_one_session_and_its_packets_have_an_address(hayrick: Hayrick, running: Running, tmp_path: Path) -> None:
    hayrick("ingest", write_pcap(tmp_path / "x.pcap", mixed_frames()), "--server", running.url)
    page = running.get("/api/sessions", expression="protocols == http", limit=1)
    session = running.get(f"/api/sessions/{page['items'][0]['id']}")
    assert session["http"]["host"] == ["www.example"]
    answer = httpx.get(f"{running.url}/api/sessions/{session['id']}.pcap")
    assert answer.headers["X-Hayrick-Packets"] == "8"
    assert answer.headers["Content-Type"] == "application/vnd.tcpdump.pcap"
    assert answer.content[:4] == b"\xd4\xc3\xb2\xa1"


def test_pages_follow_each_other_without_gap_or_overlap(hayrick: Hayrick, running: Running, tmp_path: Path) -> None:
    hayrick("ingest", write_pcap(tmp_path / "x.pcap", mixed_frames()), "--server", running.url)
    first = running.get("/api/sessions", limit=2, fields="id")
    second = running.get("/api/sessions", limit=2, fields="id", cursor=first["cursor"])
    assert (first["total"], second["cursor"]) == (3, None)
    assert len({item["id"] for item in first["items"] + second["items"]}) == 3
    assert httpx.get(f"{running.url}/api/sessions", params={"cursor": "nonsense"}).status_code == 400


def test_sums_count_sessions(hayrick: Hayrick, running: Running, tmp_path: Path) -> None:
    hayrick("ingest", write_pcap(tmp_path / "x.pcap", mixed_frames()), "--server", running.url)
    facets = {item["value"]: item["sessions"] for item in running.get("/api/facets", field="protocols")["items"]}
    assert (facets["dns"], facets["http"]) == (2, 1)
    buckets = running.get("/api/histogram", interval=60_000, metric="packets")["items"]
    assert sum(bucket["value"] for bucket in buckets) == 10
    parts = running.get("/api/histogram", interval=60_000, metric="tcpflags.syn", split="protocols", limit=2)["items"]
    assert {part["split"] for part in parts} == {"udp", "dns"}
    graph = running.get("/api/graph", source="protocols", destination="protocols", order="packets")
    assert max(link["sessions"] for link in graph["links"]) == 2
    unique = running.get("/api/unique", field="protocols", limit=1)
    assert unique == {"field": "protocols", "items": [{"value": "dns", "sessions": 2}], "more": True}
    lines = httpx.get(f"{running.url}/api/unique.ndjson", params={"field": "protocols"}).text.splitlines()
    assert [json.loads(line)["value"] for line in lines] == sorted(facets)
    for path in ("/api/unique.ndjson?field=absent", "/api/graph?source=absent", "/api/histogram?metric=host.dns"):
        assert httpx.get(running.url + path).status_code == 400


def test_capture_dropped_into_the_inbox_is_found(running: Running, data: Path, tmp_path: Path) -> None:
    written = write_pcap(tmp_path / "dropped.pcap", mixed_frames())
    (data / "inbox" / "dropped.pcap").write_bytes(written.read_bytes())
    wait_until(lambda: running.get("/api/sessions")["total"] == 3, "the dropped capture to be indexed")
    wait_until(lambda: not (data / "inbox" / "dropped.pcap").exists(), "the dropped file to be removed")


def test_upload_that_is_no_capture_is_refused_and_leaves_nothing(running: Running, data: Path) -> None:
    answer = httpx.post(f"{running.url}/api/ingest", content=b"<html>no capture</html>")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "not_a_capture")
    assert list((data / "incoming").rglob("*.part")) == []
    assert running.get("/api/status")["chunks"]["landed"] == 0


def test_collector_that_is_not_there_is_told_of(hayrick: Hayrick) -> None:
    told = hayrick("search", "", "--server", "http://127.0.0.1:9", code=75).stderr
    assert "is `hayrick collector run` up?" in told


def test_status_tells_of_health_and_figures(running: Running, hayrick: Hayrick) -> None:
    assert httpx.get(f"{running.url}/healthz").text == "ok\n"
    assert httpx.get(f"{running.url}/readyz").text == "ok\n"
    assert 'hayrick_chunks{state="indexed"} 0' in httpx.get(f"{running.url}/metrics").text
    assert json.loads(hayrick("status", "--json", "--server", running.url).stdout)["backlog"] == 0


def test_it_ends_soon_when_asked_to(data: Path, tmp_path: Path) -> None:
    with collector(data, tmp_path / "log") as running:
        began = time.monotonic()
        running.process.terminate()
        assert running.process.wait(15) == 0
        assert time.monotonic() - began < 10
    assert "stopping" in (tmp_path / "log").read_text()
