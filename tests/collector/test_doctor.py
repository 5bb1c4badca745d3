"""What the doctor says of a collector is so, and a collector as `init` makes it has nothing bad."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from tests.collector.captures import dns_query, write_pcap

from hayrick_collector import doctor
from hayrick_common.cli import main
from hayrick_common.doctor import Finding


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "collector.toml"
    assert main(["collector", "init", "--config", str(path), "--data", str(tmp_path / "data")]) == 0
    return path


def examined(path: Path) -> dict[str, Finding]:
    return {each.name: each for each in doctor.findings(path)}


def test_a_new_collector_has_nothing_bad(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["doctor", "--collector", str(config), "--json"]) == 0
    found = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert {found[name]["state"] for name in ("permissions", "disk", "keys", "store", "chunks", "ingest")} == {"ok"}
    assert found["retention"]["state"] == "warn"


def test_what_is_wrong_is_named_with_what_to_do(config: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_pcap(tmp_path / "a.pcap", [dns_query("a.example")])
    assert main(["ingest", str(tmp_path / "a.pcap"), "--config", str(config)]) == 0
    data.chmod(0o755)
    (data / "keys" / "collector.secret").chmod(0o644)
    (data / "keys" / "sensors" / "s1.public").write_text("no key")
    os.chown(data / "catalog.sqlite", 1, 1)
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3", "-subj", "/CN=rick"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=30)
    text = config.read_text().replace('# certificate = ""', f'certificate = "{certificate}"')
    config.write_text(text.replace('# key = ""', f'key = "{key}"').replace("days = 0", "days = 30"))
    told = list(doctor.findings(config))
    bad = [each.advice for each in told if each.state == "bad"]
    assert f"chmod o= {data}" in bad
    assert any(each.startswith(f"chown -R root: {data}") for each in bad)
    keys = [each.said for each in told if each.name == "keys"]
    assert len(keys) == 2
    found = {each.name: each for each in told}
    assert (found["certificate"].said, found["certificate"].state) == (f"{certificate} ends in 2 days", "warn")
    assert found["chunks"].said == "1 indexed, 0 failed"


def test_a_cluster_that_is_not_reached_is_said(config: Path) -> None:
    text = config.read_text().replace('kind = "duckdb"', 'kind = "elasticsearch"')
    config.write_text(text.replace("urls = []", 'urls = ["http://127.0.0.1:1"]'))
    assert examined(config)["store"].state == "bad"


def test_machines_without_either_are_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("hayrick_common.doctor.PLACES", Path("/nonexistent"))
    assert main(["doctor"]) == 2
    assert "no sensor and no collector" in capsys.readouterr().err
