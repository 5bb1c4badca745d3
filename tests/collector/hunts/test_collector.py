"""Hunts through a real collector: made by command or API, killed with it, gone on with after its next start."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
from tests.collector.captures import write_pcap
from tests.collector.conftest import Hayrick
from tests.collector.hunts.conftest import CONNECTIONS, frames
from tests.system.collector_process import collector, wait_until


def test_a_hunt_outlives_a_killed_collector(hayrick: Hayrick, data: Path, tmp_path: Path) -> None:
    body = {"name": "outlives", "kind": "regex", "pattern": "/page/[0-9]+"}
    with collector(data, tmp_path / "log") as running:
        hayrick("ingest", write_pcap(tmp_path / "x.pcap", frames()), "--server", running.url)
        bad = httpx.post(f"{running.url}/api/hunts", json={**body, "kind": "bpf", "pattern": "host evil.example"})
        assert (bad.status_code, bad.json()["error"]["code"]) == (400, "bad_request")
        assert httpx.post(f"{running.url}/api/hunts", json=body).status_code == 201
        running.kill()
    with collector(data, tmp_path / "log") as running:
        wait_until(lambda: running.get("/api/hunts/outlives")["state"] == "done", "the hunt", 30)
        hunt = running.get("/api/hunts/outlives")
        assert (hunt["sessions"], hunt["found"]) == (CONNECTIONS + 1, CONNECTIONS)
        found = hayrick("search", "tags == hunt:outlives", "--json", "--server", running.url).stdout
        assert len(found.splitlines()) == CONNECTIONS
        line = hayrick("hunt", "add", "again", "--text", "PAGE/3", "--case", "--server", running.url).stdout
        assert "again: done; 0 found in 13 of 13 sessions" in line
        assert [each["name"] for each in json.loads(hayrick("hunt", "list", "--json").stdout)] == ["again", "outlives"]
        assert httpx.delete(f"{running.url}/api/hunts/again").status_code == 204
        assert httpx.get(f"{running.url}/api/hunts/again").status_code == 404
    assert "1 found" in hayrick("hunt", "add", "local", "port.src == 50003", "--hex", "2f70616765").stdout
