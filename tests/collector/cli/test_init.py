"""`hayrick collector init` makes a collector that works, by options or answers, and never changes one that is there."""

from __future__ import annotations

import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.system.collector_process import MAIN
from tests.systemd import assert_sound_and_confined

from hayrick_collector.cli import init, service
from hayrick_collector.config import CollectorConfig, load_config
from hayrick_common.cli import main
from hayrick_common.config import parse_settings


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_options_become_settings_and_a_second_run_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, data = tmp_path / "etc" / "collector.toml", tmp_path / 'rick "1"'
    words = ["collector", "init", "--config", str(path), "--data", str(data), "--node", "rick", "--gigabytes", "500"]
    assert main([*words, "--landing", "tcp://0.0.0.0:8006"]) == 0
    config = load_config(path)
    assert (config.data, config.node, config.retention.packet_gigabytes) == (data, "rick", 500)
    assert (config.landing.listen, config.store.kind) == ("tcp://0.0.0.0:8006", "duckdb")
    kept = {each: each.read_bytes() for each in (path, *data.rglob("*")) if each.is_file()}
    assert {mode(data), mode(data / "keys"), mode(data / "keys" / "collector.secret"), mode(path)} == {
        0o750, 0o700, 0o600, 0o640,
    }  # fmt: skip
    assert main(words) == 0
    assert "not changed" in capsys.readouterr().out
    assert {each: each.read_bytes() for each in kept} == kept
    assert main([*words, "--days", "7"]) == 78
    assert "retention.days is '0' already" in capsys.readouterr().err


def test_answers_that_are_no_settings_leave_nothing_behind(tmp_path: Path) -> None:
    for wrong in (("--days", "soon"), ("--listen", "everywhere"), ("--elasticsearch", "es1"), ("--node", "a b")):
        assert main(["collector", "init", "--config", str(tmp_path / "c.toml"), *wrong]) == 78
    assert list(tmp_path.iterdir()) == []


def test_every_setting_that_is_asked_for_is_written() -> None:
    answers = {each.key: each.default or "/rick" for each in init.QUESTIONS}
    answers |= {"store.urls": "http://a:9200, http://b:9200", "retention.days": "9"}
    config = parse_settings(init.settings(answers), CollectorConfig, "test")
    assert (config.store.kind, config.store.urls) == ("elasticsearch", ("http://a:9200", "http://b:9200"))
    assert config.retention.days == 9


def test_whoever_sits_at_a_terminal_is_asked(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", MAIN, "collector", "init", "--config", str(tmp_path / "c.toml"), "--days", "3"]
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, text=True) as process:
        os.write(ours, f"{tmp_path}/data\nrick\n\n\n\n\n".encode())
        out, _ = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0, out
    config = load_config(tmp_path / "c.toml")
    assert (config.data, config.node, config.retention.days) == (tmp_path / "data", "rick", 3)
    assert "days" not in out.partition("public key")[0]  # the option said so


def test_the_unit_is_sound_and_confined(tmp_path: Path) -> None:
    config = CollectorConfig(data=Path("/var/lib/hayrick"))
    text = service.unit(Path("/etc/hayrick/collector.toml"), config, "daemon", "/bin/true")
    assert_sound_and_confined(tmp_path / f"{service.NAME}.service", text)
