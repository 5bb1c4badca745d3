"""A backup taken from a collector at work makes a collector with the same answers; a damaged one makes none."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.collector.captures import dns_query, mixed_frames, write_pcap
from tests.system.collector_process import MAIN, collector, wait_until

from hayrick_collector import backup, owner
from hayrick_collector.config import ApiConfig, CollectorConfig, PeersConfig, StoreConfig
from hayrick_common.cli import main
from hayrick_common.errors import ArchiveError, UsageError

BUSY = 8
Hayrick = Callable[..., str]


@pytest.fixture
def hayrick(capsys: pytest.CaptureFixture[str]) -> Hayrick:
    """Runs a command in this process; what it printed."""

    def run(*words: str | Path) -> str:
        capsys.readouterr()
        assert main([*map(str, words)]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return run


def answers(hayrick: Hayrick, data: Path, expression: str = "") -> list[str]:
    """All sessions that match, but for when they were indexed."""
    told = hayrick("search", expression, "--json", "--limit", "1000", "--data", data)
    return sorted(re.sub(r'"@timestamp": \d+', "", line) for line in told.splitlines())


@pytest.fixture
def data(hayrick: Hayrick, tmp_path: Path) -> Path:
    """A collector's folder with sessions, tags and a token."""
    folder = tmp_path / "data"
    hayrick("collector", "init", "--data", folder)
    hayrick("ingest", write_pcap(tmp_path / "evidence.pcap", mixed_frames()), "-t", "case_one", "--data", folder)
    hayrick("tag", "host.dns == *.top", "+seen", "--data", folder)
    hayrick("token", "add", "nightly", "--role", "packets", "--data", folder)
    return folder


@pytest.mark.parametrize("with_store", [False, True])
def test_a_restored_collector_gives_the_same_answers(
    hayrick: Hayrick, data: Path, tmp_path: Path, with_store: bool
) -> None:
    before = answers(hayrick, data)
    file, new = tmp_path / "rick.tar", tmp_path / "new"
    hayrick("collector", "backup", file, "--data", data, *(["--store"] if with_store else []))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    new.mkdir()
    (data / "archive").rename(new / "archive")  # the packets are another disk's
    told = hayrick("collector", "restore", file, "--data", new)
    assert ("1 chunks will be indexed anew" in told) == (not with_store)
    if not with_store:
        with collector(new, tmp_path / "log") as running:
            wait_until(lambda: running.get("/api/status")["chunks"].get("indexed") == 1, "indexing anew")
    assert answers(hayrick, new) == before
    assert len(answers(hayrick, new, "tags == seen && tags == case_one")) == 1
    assert "nightly" in hayrick("token", "list", "--data", new)
    assert (new / "keys" / "collector.secret").read_bytes() == (data / "keys" / "collector.secret").read_bytes()
    assert stat.S_IMODE((new / "keys" / "collector.secret").stat().st_mode) == 0o600
    hayrick("export", "http.uri == *needle*", "-o", tmp_path / "out.pcap", "--data", new)


def test_every_chunk_that_a_backup_calls_indexed_has_its_sessions(hayrick: Hayrick, tmp_path: Path) -> None:
    data = tmp_path / "data"
    captures = [
        write_pcap(tmp_path / f"{number}.pcap", [dns_query(f"n{number}.example")] * (number + 1))
        for number in range(BUSY)
    ]
    config = CollectorConfig(data=data)
    with collector(data, tmp_path / "log") as running:
        ending = threading.Event()

        def feed() -> None:
            for each in captures:
                (data / "inbox" / each.name).write_bytes(each.read_bytes())
                if ending.wait(0.2):
                    return

        feeding = threading.Thread(target=feed)
        feeding.start()
        taken = 0
        while feeding.is_alive() or not taken:
            backup.write(config, tmp_path / f"{taken}.tar", settings=None, with_store=True)
            taken += 1
            time.sleep(0.1)
        feeding.join()
        wait_until(lambda: running.get("/api/status")["chunks"].get("indexed") == BUSY, "all to be indexed")
        backup.write(config, tmp_path / f"{taken}.tar", settings=None, with_store=True)
    for number in sorted({0, taken // 2, taken}):
        new = tmp_path / f"new{number}"
        backup.restore(tmp_path / f"{number}.tar", new)
        indexed = json.loads(hayrick("status", "--json", "--data", new))["chunks"].get("indexed", 0)
        assert len(answers(hayrick, new)) >= indexed
    assert len(answers(hayrick, new)) <= BUSY
    assert not list(data.glob(".backup-*"))


def test_a_damaged_or_foreign_file_makes_nothing(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "rick.tar"
    backup.write(CollectorConfig(data=data), file, settings=None, with_store=True)
    whole = file.read_bytes()
    for number, wrong in enumerate((whole[:-12_000], whole.replace(b"SQLite format 3", b"SQLite format 4", 1), b"")):
        file.write_bytes(wrong)
        with pytest.raises(ArchiveError):
            backup.restore(file, tmp_path / f"new{number}")
        assert list((tmp_path / f"new{number}").iterdir()) == []
    file.write_bytes(whole)
    with pytest.raises(UsageError, match=r"holds keys, store, desk.sqlite3, catalog.sqlite already"):
        backup.restore(file, data)


def test_settings_come_along_with_the_new_folder_in_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, data, new = tmp_path / "c.toml", tmp_path / "data", tmp_path / "new"
    assert main(["collector", "init", "--config", str(config), "--data", str(data), "--node", "rick"]) == 0
    config.write_text(config.read_text().replace("# key_file = ", "key_file = ").replace('""', '"/k/keys"', 1))
    assert main(["status", "--config", str(config)]) == 0
    assert main(["collector", "backup", str(tmp_path / "b"), "--config", str(config)]) == 0
    restored = tmp_path / "etc" / "c.toml"
    assert main(["collector", "restore", str(tmp_path / "b"), "--config", str(restored), "--data", str(new)]) == 0
    assert restored.read_text() == config.read_text().replace(str(data), str(new))
    assert 'node = "rick"' in restored.read_text()


def test_what_a_killed_backup_left_goes_with_the_next(data: Path, tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        theirs = data / f".backup-{owner._describe(other.pid)}-abcd_1"
        theirs.mkdir()
        backup.write(CollectorConfig(data=data), tmp_path / "1.tar", settings=None, with_store=False)
        assert theirs.exists()
        other.kill()
    (theirs / "catalog.sqlite").touch()
    backup.write(CollectorConfig(data=data), tmp_path / "2.tar", settings=None, with_store=False)
    assert not list(data.glob(".backup-*"))


def test_the_hidden_file_of_a_killed_backup_goes_with_the_next(data: Path, tmp_path: Path) -> None:
    """It stood still over a file when it was killed; what others hide beside it stays."""
    (data / "store" / "tags").mkdir(exist_ok=True)
    os.mkfifo(data / "store" / "tags" / "waits")  # nobody writes to it: who reads it stands still
    command: list[str | Path] = [
        sys.executable,
        "-c",
        MAIN,
        "collector",
        "backup",
        tmp_path / "monday.tar",
        "--data",
        data,
    ]
    with subprocess.Popen(command) as killed:
        left = tmp_path / ".monday.tar.part"
        wait_until(lambda: left.exists() and left.stat().st_size, "the backup to begin")
        killed.kill()
    (data / "store" / "tags" / "waits").unlink()
    (tmp_path / ".another.tar.part").touch()
    backup.write(CollectorConfig(data=data), tmp_path / "tuesday.tar", settings=None, with_store=False)
    assert not left.exists()
    assert (tmp_path / ".another.tar.part").exists()


def test_a_collector_without_keys_is_restored(hayrick: Hayrick, tmp_path: Path) -> None:
    old, new = tmp_path / "data", tmp_path / "new"
    hayrick("ingest", write_pcap(tmp_path / "evidence.pcap", mixed_frames()), "--data", old)
    assert not list((old / "keys").iterdir())
    backup.write(CollectorConfig(data=old), tmp_path / "rick.tar", settings=None, with_store=True)
    backup.restore(tmp_path / "rick.tar", new)
    assert answers(hayrick, new) == answers(hayrick, old)
    assert stat.S_IMODE((new / "keys").stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["../keys/a", "/keys/a", ".", "archive/a"])
def test_a_backup_with_a_file_elsewhere_makes_nothing(tmp_path: Path, name: str) -> None:
    file, new = tmp_path / "rick.tar", tmp_path / "new"
    with tarfile.open(file, "w") as tar:
        tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(ArchiveError, match="does not belong"):
        backup.restore(file, new)
    assert not list(new.iterdir())


def test_every_file_that_settings_name_is_said_not_to_be_in_a_backup(tmp_path: Path) -> None:
    peers = PeersConfig(url="https://rick1.example", token_file="/etc/token", ca_file="/etc/ca.pem")
    config = CollectorConfig(
        data=tmp_path, store=StoreConfig(kind="elasticsearch", urls=("https://node1.example:9200",)), peers=peers,
        api=ApiConfig(certificate="/etc/cert.pem", key="/etc/key.pem"),
    )  # fmt: skip
    told = {"api.certificate /etc/cert.pem", "api.key /etc/key.pem", "peers.token_file /etc/token"}
    assert set(backup.outside(config)) == {*told, "peers.ca_file /etc/ca.pem"}
