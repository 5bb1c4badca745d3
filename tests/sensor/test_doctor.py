"""What the doctor says of a sensor is so, on real interfaces, and doing what it says mends it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.system.collector_process import MAIN, collector
from tests.system.faults.places import ip

from hayrick_common.cli import main
from hayrick_sensor import doctor

ADDRESS = "198.51.100"


@pytest.fixture
def link() -> Iterator[str]:
    """A network namespace with mirror0 in it, a veth whose other end is down at first."""
    name = f"hay-doc-{os.getpid()}"
    ip("netns", "add", name)
    try:
        ip("link", "add", "mirror0", "type", "veth", "peer", "name", "far0", inside=name)
        ip("link", "set", "lo", "up", inside=name)
        yield name
    finally:
        ip("netns", "delete", name)


def settings(folder: Path, address: str, key: str, **stream: object) -> Path:
    told = "\n".join(f"{name} = {json.dumps(value)}" for name, value in stream.items())
    path = folder / "sensor.toml"
    path.write_text(
        f'name = "s1"\nspool = "{folder}/spool"\nkeep_free_megabytes = 1\n'
        f'[collector]\naddress = "{address}"\npublic_key = "{key}"\n[[streams]]\nname = "wan"\n{told}\n'
    )
    return path


def examined(path: Path, inside: str = "") -> tuple[int, dict[str, list[dict[str, str]]]]:
    """The doctor's exit code and findings by name; also what it wrote as text must say the same."""
    command = ["ip", "netns", "exec", inside] if inside else []
    command += [sys.executable, "-c", MAIN, "doctor", "--sensor", str(path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (0, 1), done.stderr
    found: dict[str, list[dict[str, str]]] = {}
    for each in json.loads(done.stdout):
        found.setdefault(each["name"], []).append(each)
        assert (each["state"] == "ok") == (each["advice"] == ""), each
    assert done.returncode == any(one["state"] == "bad" for every in found.values() for one in every)
    return done.returncode, found


def test_what_it_says_of_an_interface_mends_it(tmp_path: Path, link: str) -> None:
    path = settings(tmp_path, "tcp://127.0.0.1:1", "a" * 40, interface="mirror0")
    (tmp_path / "spool").mkdir(mode=0o750)
    _, found = examined(path, link)
    assert found["interface mirror0"][0]["advice"] == "ip link set mirror0 up"
    for command in (found["interface mirror0"][0]["advice"], "ethtool -K mirror0 gro on"):
        subprocess.run(["ip", "netns", "exec", link, *command.split()], check=True, timeout=20)
    _, found = examined(path, link)
    assert "nothing at its other end" in found["interface mirror0"][0]["said"]
    ip("link", "set", "far0", "up", inside=link)
    code, found = examined(path, link)
    assert found["interface mirror0"][0]["said"] == "up, 10 Gbit/s"
    assert {each["state"] for each in found["offloads mirror0"]} == {"bad", "warn"}
    for each in found["offloads mirror0"]:
        command = each["advice"].rpartition(": ")[2]
        subprocess.run(["ip", "netns", "exec", link, *command.split()], check=True, timeout=20)
    (buffer,) = found["buffer mirror0"]
    stream = json.loads(buffer["advice"].partition("extra = ")[2].partition(" in stream")[0])
    settings(tmp_path, "tcp://127.0.0.1:1", "a" * 40, interface="mirror0", extra=stream)
    code, found = examined(path, link)
    assert {each["state"] for name in found for each in found[name] if "mirror0" in name} == {"ok"}
    assert code == 1  # no collector is there
    assert found["collector"][0]["state"] == "bad"


def test_a_collector_is_reached_or_it_says_why_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with collector(tmp_path / "data", tmp_path / "log") as running:
        key = (tmp_path / "data" / "keys" / "collector.public").read_text().strip()
        path = settings(tmp_path, running.landing, key, interface="lo")
        assert main(["sensor", "keygen", "--config", str(path)]) == 0
        public = capsys.readouterr().out
        (tmp_path / "spool").chmod(0o750)
        assert "refuses this sensor's key" in examined(path)[1]["collector"][0]["said"]
        (tmp_path / "data" / "keys" / "sensors").mkdir(exist_ok=True)
        (tmp_path / "data" / "keys" / "sensors" / "s1.public").write_text(public)
        assert examined(path)[1]["collector"][0]["state"] == "ok"


def test_drops_and_what_tcpdump_says_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "REACH_SECONDS", 0.1)
    path = settings(tmp_path, "tcp://127.0.0.1:1", "a" * 40, interface="nothing0")
    (tmp_path / "spool").mkdir(mode=0o755)
    packets = {"captured": 900, "received": 1000, "dropped": 100, "interface_dropped": 0}
    capture = {"problem": "You don't have permission to perform this capture", "packets": packets}
    report = {"clock_skew_ms": -61_000, "streams": {"wan": {"capture": capture}}, "complaints": {}}
    (tmp_path / "spool" / "status.json").write_text(json.dumps(report))
    found = {each.name: each for each in doctor.findings(path)}
    assert "CAP_NET_RAW" in found["capture wan"].advice
    assert (found["drops wan"].state, found["clock skew"].state) == ("bad", "warn")
    assert found["interface nothing0"].state == found["permissions"].state == "bad"
    assert found["permissions"].advice == f"chmod o= {tmp_path}/spool"
