"""A fleet of real hosts is put in place, upgraded under traffic, rolled back, taken down; ill hosts hold nobody up."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.deploy import fleets
from tests.deploy.fleets import Fleet
from tests.deploy.hosts import NETWORK, talk
from tests.system.collector_process import wait_until

ILL = {"badkey": "", "full": "mount -t tmpfs -o size=1m tmpfs {root}/opt", "bare": "rm {root}/usr/bin/tcpdump"}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, wheelhouse: Path) -> Iterator[Fleet]:
    away = f"  away: {{ssh: {{address: {NETWORK}.99}}}}"
    with fleets.fleet(tmp_path_factory.mktemp("fleet"), wheelhouse, {"s1": "", "s2": ""}, ILL, away) as made:
        yield made


def changed(wheelhouse: Path, folder: Path, edit: dict[str, tuple[str, str]]) -> Path:
    """Another release: the same wheels, but for texts replaced in files of ours."""
    shutil.copytree(wheelhouse, folder)
    (path,) = folder.glob("hayrick-*.whl")
    with zipfile.ZipFile(wheelhouse / path.name) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name).decode()
            before, after = edit.get(name, ("", ""))
            assert before in data
            new.writestr(name, data.replace(before, after) if before else data)
    return folder


@pytest.mark.timeout(600)  # six hosts are installed, upgraded and rolled back
def test_a_fleet_lives_from_bare_hosts_to_bare_hosts(fleet: Fleet, tmp_path: Path) -> None:
    good = [fleet.hosts["s1"], fleet.hosts["s2"]]
    planned = fleet("plan")
    assert planned.returncode == 1
    for name, said in {
        "badkey": "does not accept our key",
        "full": "MB free in /opt",
        "bare": "no tcpdump",
        "away": "no answer|No route|Unable to connect",
        "s1": "install release",
    }.items():
        assert re.search(said, planned.stdout.partition(f"\n{name}\n"[name == "s1" :])[2].partition("\n  note")[0]), (
            said
        )
    assert "No such file" in good[0].run("ls /opt/hayrick")

    with talk([each.address for each in good], 0):
        up = fleet("up")
    assert "2 of 6 hosts are well" in up.stdout, up.stdout + up.stderr
    assert up.stdout.count("a chunk was captured, shipped and received") == 2
    again = fleet("plan", "good")
    assert again.returncode == 0
    assert again.stdout.count("nothing to do") == 2
    assert good[0].run("ps -o user= -C tcpdump").split() == ["hayrick"]

    _upgrade_loses_nothing(fleet, tmp_path)
    _bad_releases_change_nothing(fleet, tmp_path)

    status = fleet("status", "good")
    assert len(re.findall(r"^s\d .*running +online", status.stdout, re.MULTILINE)) == 2, status.stdout
    assert fleet("down", "good").returncode == 2  # it asks first
    down = fleet("down", "good", "--yes")
    assert down.returncode == 0, down.stdout
    assert "No such file" in good[0].run("ls /opt/hayrick")
    assert good[0].run("ps -o pid= -C tcpdump") == ""
    assert "journal.sqlite" in good[0].run("ls /var/lib/hayrick/sensor")
    assert fleet("revoke", "good", "--yes").stdout.count("shut out") == 2


def _upgrade_loses_nothing(fleet: Fleet, tmp_path: Path) -> None:
    """Under traffic, one host after another, and every packet is found once."""
    wheels = changed(fleet.wheelhouse, tmp_path / "newer", {"hayrick_common/__init__.py": ('"0.', '"9.')})
    good = [fleet.hosts["s1"], fleet.hosts["s2"]]
    with talk([each.address for each in good], 50_000_000) as sent:
        done = fleet("upgrade", "good", wheelhouse=wheels)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.index("s1  works") < done.stdout.index("s2  switch")
    for host in good:
        arrived = partial(_arrived, fleet, host.address, f"{sent[-1]:08d}")
        wait_until(arrived, f"the last packet of {host.name}", 30)
        found = {int(number): times for number, times in fleet.found(host.address).items() if int(number) >= sent[0]}
        assert found == dict.fromkeys(sent, 1)


def _arrived(fleet: Fleet, address: str, packet: str) -> bool:
    return packet in fleet.found(address)


def _bad_releases_change_nothing(fleet: Fleet, tmp_path: Path) -> None:
    """One that does not start is not even switched to; one that starts and does not work is rolled back."""
    was = fleet.release("s1")
    broken = changed(
        fleet.wheelhouse, tmp_path / "broken", {"hayrick_sensor/agent.py": ("import asyncio", "import nothing")}
    )
    done = fleet("upgrade", "good", wheelhouse=broken)
    assert done.returncode == 1
    assert "does not start: ModuleNotFoundError" in done.stdout
    assert fleet.release("s1") == was

    idle = changed(
        fleet.wheelhouse, tmp_path / "idle", {"hayrick_sensor/cli.py": ("asyncio.run(_run(Agent, settings))", "1 / 0")}
    )
    done = fleet("upgrade", "good", wheelhouse=idle)
    assert done.returncode == 1
    assert f"rolled back to {was}" in done.stdout
    assert "the roll-out ends here" in done.stdout
    assert [fleet.release(name) for name in ("s1", "s2")] == [was, was]
    wait_until(lambda: "online" in fleet("status", "s1").stdout, "the old release to be back", 30)
