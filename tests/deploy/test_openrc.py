"""Where OpenRC keeps services, it keeps the sensor: a host booted by the real one, from Debian's packages."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.deploy import fleets
from tests.deploy.hosts import Host, talk
from tests.system.collector_process import wait_until

PACKAGES = ("openrc", "librc1", "libeinfo1", "insserv")
# A machine that OpenRC has booted, without the services of the machine below.
BOOTED = """
mkdir {{root}}/tmp/packages
cp {packages}/*.deb {{root}}/tmp/packages
chroot {{root}} sh -c 'dpkg --install /tmp/packages/*.deb && rm -f /etc/runlevels/*/* && openrc default'
"""


def processes(host: Host, command: str) -> set[str]:
    """Numbers of processes with this in their command line."""
    return set(host.run(f"pgrep -f '[{command[0]}]{command[1:]}'").split())


@pytest.mark.long
@pytest.mark.timeout(600)
def test_openrc_starts_keeps_and_stops_the_sensor(tmp_path: Path, wheelhouse: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    subprocess.run(["apt-get", "download", "-qq", *PACKAGES], cwd=packages, check=True, timeout=100)
    (tmp_path / "fleet").mkdir()
    with fleets.fleet(tmp_path / "fleet", wheelhouse, {"rc": BOOTED.format(packages=packages)}) as fleet:
        host = fleet.hosts["rc"]
        with talk([host.address], 0):
            up = fleet("up")
        assert "1 of 1 hosts are well" in up.stdout, up.stdout + up.stderr
        assert fleet("plan").returncode == 0
        assert "started" in host.run("rc-service hayrick-sensor status")
        assert host.run("ps -o user= -C tcpdump").split() == ["hayrick"]

        before = processes(host, "sensor run")
        host.run("pkill -KILL -f '[c]urrent/supervise.py'")  # its own supervisor begins another
        wait_until(lambda: processes(host, "sensor run") - before, "another sensor")
        assert not before & processes(host, "sensor run")
        wait_until(lambda: "online" in fleet("status").stdout, "the other sensor to be online")

        host.run("openrc single")
        wait_until(lambda: not processes(host, "tcpdump"), "the sensor to be stopped with its run level")
        host.run("openrc default")
        wait_until(lambda: "online" in fleet("status").stdout, "the sensor to come with its run level")

        assert fleet("down", "--yes").returncode == 0
        assert "No such file" in host.run("ls /etc/init.d/hayrick-sensor")
        assert host.run("ps -o pid= -C tcpdump") == ""
        assert "hayrick" not in host.run("rc-update show")
