"""Accounts, tokens and cases by the command line, on a data folder and through a collector that asks who one is."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.collector.captures import mixed_frames, write_pcap
from tests.system.collector_process import collector

from hayrick_common.cli import main

Command = Callable[..., str]


@pytest.fixture
def hayrick(data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process; what it printed, if it ended with the code expected."""
    monkeypatch.setenv("HAYRICK_DATA", str(data))

    def run(*words: str | Path, code: int = 0, stdin: str = "") -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        ended = main(list(map(str, words)))
        told = capsys.readouterr()
        assert ended == code, told.err
        return told.out if code == 0 else told.err

    return run


def test_account_made_by_the_command_line_is_what_the_collector_asks_for(
    hayrick: Command, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no accounts" in hayrick("user", "list")
    hayrick("user", "add", "root", "--role", "admin", "--password-stdin", stdin="correct horse\n")
    assert "at least 10" in hayrick("user", "add", "x", "--role", "admin", "--password-stdin", stdin="short\n", code=2)
    hayrick("user", "add", "ann", "--role", "viewer", "--no-password", "--expression", "port == 53")
    secret = hayrick("token", "add", "nightly", "--role", "admin").strip()
    with collector(data, tmp_path / "log") as running:
        assert httpx.get(f"{running.url}/api/sessions").status_code == 401
        login = httpx.post(f"{running.url}/api/auth/login", json={"name": "root", "password": "correct horse"})
        assert login.json()["role"] == "admin"
        assert "HAYRICK_TOKEN" in hayrick("user", "list", "--server", running.url, code=78)
        monkeypatch.setenv("HAYRICK_TOKEN", secret)
        through = ("--server", running.url)
        assert "only: port == 53" in hayrick("user", "list", *through)
        hayrick("user", "change", "ann", "--role", "packets", "--disable", *through)
        hayrick("user", "remove", "nobody", *through, code=2)
        assert "no administrator" in hayrick("user", "remove", "root", *through, code=2)
        (token,) = json.loads(hayrick("token", "list", "--json", *through))
        hayrick("token", "remove", str(token["id"]), *through)
        hayrick("token", "list", *through, code=78)
    assert "ann" in hayrick("user", "list")
    assert "DISABLED" in hayrick("user", "list")
    assert "setup#" not in (tmp_path / "log").read_text()


def test_evidence_goes_into_a_case_by_one_command_and_out_by_another(hayrick: Command, tmp_path: Path) -> None:
    evidence = write_pcap(tmp_path / "evidence.pcap", mixed_frames())
    hayrick("ingest", evidence, "--case", "one")
    hayrick("case", "new", "two", "--title", "Only names", "--member", "ann")
    assert "2 sessions: +two" in hayrick("case", "add", "two", "protocols == dns")
    hayrick("case", "add", "two", "", code=2)
    shown = hayrick("case", "show", "one")
    assert "3 sessions, of 1 sources" in shown
    assert hashlib.sha256(evidence.read_bytes()).hexdigest() in shown
    target = tmp_path / "one.zip"
    hayrick("case", "export", "one", "-o", target)
    with zipfile.ZipFile(target) as zipped:
        assert len(zipped.read("sessions.ndjson").splitlines()) == 3
        assert json.loads(zipped.read("manifest.json"))["made_by"] == "local"
    hayrick("case", "close", "two")
    assert "two (closed)  Only names" in hayrick("case", "list")
    assert "no case" in hayrick("case", "show", "three", code=2)
    hayrick("case", "remove", "two")
    assert "two" not in hayrick("case", "list")


def test_first_start_prints_the_link_that_sets_the_password(data: Path, tmp_path: Path) -> None:
    with collector(data, tmp_path / "log") as running:
        line = next(line for line in (tmp_path / "log").read_text().splitlines() if "/setup#" in line)
        code = line.partition("/setup#")[2].split()[0]
        body = {"code": code, "name": "root", "password": "correct horse"}
        assert httpx.post(f"{running.url}/api/auth/setup", json=body).json()["role"] == "admin"
        assert httpx.get(f"{running.url}/api/status").status_code == 401
