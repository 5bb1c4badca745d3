"""A reader who has only the README sets up a collector and two sensors: its commands are run here as they stand.

What the packages bring (the command, the user, the sensor's unit) is put in place by the test: `test_packages.py` is
about them. No systemd runs in the hosts; a small stand-in starts what the units say.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.collector.landing.sshd import keygen
from tests.deploy.hosts import NETWORK, Host, bridge, talk
from tests.system.collector_process import wait_until

from hayrick_deploy.units import systemd

README = Path(__file__).resolve().parents[2] / "README.md"
COMMAND = f"""\
#!/bin/sh
PYTHONPATH={os.pathsep.join(each for each in sys.path if each)} exec {sys.executable} -c '
import sys; sys.argv[0] = "hayrick"; from hayrick_common.cli import main; sys.exit(main())' "$@"
"""
# Starts what a unit's ExecStart says, as its User and with the capability that it gives, and leaves it running.
SYSTEMCTL = """\
#!/bin/sh
[ "$1" = enable ] || exit 0
unit=/etc/systemd/system/$3.service
command=$(sed -n 's/^ExecStart=//p' $unit)
user=$(sed -n 's/^User=//p' $unit)
caps=-all
grep -q '^AmbientCapabilities=CAP_NET_RAW' $unit && caps=$caps,+net_raw
setsid setpriv --reuid "$user" --regid "$user" --init-groups --no-new-privs --inh-caps $caps --ambient-caps $caps \
    --bounding-set $caps $command > "/var/log/$3.log" 2>&1 < /dev/null &
"""
PACKAGE = """
cp {files}/hayrick {files}/systemctl {{root}}/usr/local/bin/
chmod 755 {{root}}/usr/local/bin/hayrick {{root}}/usr/local/bin/systemctl
cp {files}/hayrick-sensor.service {{root}}/etc/systemd/system/
chroot {{root}} useradd --system --user-group --no-create-home --shell /usr/sbin/nologin hayrick
chroot {{root}} install -d -m 0750 -o hayrick -g hayrick /var/lib/hayrick /var/lib/hayrick/sensor
keys={{root}}$(chroot {{root}} sh -c 'echo ~root')/.ssh
mkdir -p $keys
cp {files}/id_ed25519 {files}/known_hosts $keys
chmod 600 $keys/id_ed25519
chmod o+rx {folders}
echo '{network}.11 collector.example' >> {{root}}/etc/hosts
"""


@dataclass
class Site:
    """The collector, two sensors, and the README's three blocks for them."""

    collector: Host
    sensors: list[Host]
    blocks: list[str]


def ways() -> set[Path]:
    """Folders that the way to this Python and to this checkout leads through: a host's own users must see them."""
    ends = [Path(sys.executable).resolve(), *(Path(each).resolve() for each in sys.path if each)]
    return {folder for each in ends for folder in each.parents if folder != Path("/")}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    section = (
        README.read_text("utf-8").partition("\n## A collector and two sensors, by hand\n")[2].partition("\n## ")[0]
    )
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    key = keygen(tmp_path / "id_ed25519")
    public = key.with_suffix(".pub").read_text()
    (tmp_path / "hayrick").write_text(COMMAND)
    (tmp_path / "systemctl").write_text(SYSTEMCTL)
    unit = systemd(made="A test.", hayrick="/usr/local/bin/hayrick", spool="/var/lib/hayrick/sensor")
    (tmp_path / "hayrick-sensor.service").write_text(unit)
    (tmp_path / "known_hosts").touch()
    extra = PACKAGE.format(files=tmp_path, network=NETWORK, folders=" ".join(f"{{root}}{each}" for each in ways()))
    hosts: list[Host] = []
    with bridge() as wire:
        try:
            for number, name in enumerate(("collector", "gate1", "gate2"), 11):
                hosts.append(Host(tmp_path / name, name, number, wire, public, extra, whole_proc=number == 11))
                (tmp_path / "known_hosts").write_text(hosts[0].known().replace(f"{NETWORK}.11", "collector.example"))
            yield Site(hosts[0], hosts[1:], blocks)
        finally:
            for host in hosts:
                host.close()


@pytest.mark.timeout(240)
def test_the_readme_s_commands_make_a_collector_and_two_sensors(site: Site) -> None:
    collecting, sensing, asking = site.blocks
    site.collector.run(f"set -e\n{collecting}", check=True)
    listening = "curl -s -m 2 -o /dev/null -w '%{http_code}' http://127.0.0.1:8005/healthz"
    try:
        wait_until(lambda: site.collector.run(listening) == "200", "the collector", 60)
    except AssertionError as error:
        raise AssertionError(site.collector.run("cat /var/log/hayrick-collector.log")) from error
    told = [host.run(f"set -e\n{sensing}", check=True) for host in site.sensors]
    assert ["answers, and takes this key" in each for each in told] == [True, True], told
    with talk([host.address for host in site.sensors], 0):
        searched = asking.splitlines()[1]
        found = re.compile(rf"{NETWORK}\.12:9\b.*{NETWORK}\.13:9\b|{NETWORK}\.13:9\b.*{NETWORK}\.12:9\b", re.DOTALL)
        wait_until(lambda: found.search(site.collector.run(searched)), "packets of both sensors to be found", 90)
    status, search, coverage = (site.collector.run(line, check=True) for line in asking.splitlines())
    assert "gate1" in status
    assert "gate2" in status
    assert "sessions" in search
    assert "gate2" in coverage
