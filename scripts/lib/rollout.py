"""`bench rollout`: from `hayrick fleet up` on five bare hosts to their first searchable session.

The hosts are those of the fleet's tests: network namespaces with root file systems and sshds of their own, and packets
that come to each all the while. Needs root.
"""

from __future__ import annotations

import platform
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
from processes import Process
from ship import HAYRICK, collector
from tests.collector.landing.sshd import keygen
from tests.deploy.hosts import GATEWAY, Host, bridge, talk

HOSTS = 5
ROTATIONS = (60, 5)  # seconds: what a sensor does unless told otherwise, and a hurried one
DEADLINE_SECONDS = 300.0
INVENTORY = """\
collector: {{address: "{landing}", data: {data}}}
ssh: {{key_file: {key}, known_hosts: {known}}}
sensor:
  keep_free_megabytes: 0
  streams: [{{name: wan, interface: eth0, filter: udp port 9, rotate_seconds: {rotate}}}]
hosts:
{hosts}
"""


def rollout(capture: Path) -> None:
    """Seconds for each pace of rotation: till `up` has ended, and till each host's first session was found."""
    with tempfile.TemporaryDirectory(prefix="hayrick-rollout-") as scratch:
        root = Path(scratch)
        wheels = root / "wheelhouse"
        script = Path(__file__).with_name("wheelhouse")
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        subprocess.run([script, wheels, platform.machine(), version], check=True)
        for rotate in ROTATIONS:
            (root / f"{rotate}").mkdir()
            first, last, ended = measured(root / f"{rotate}", wheels, rotate)
            print(
                f"{HOSTS} bare hosts, chunks of {rotate} s: first session searchable {first:.1f} s after "
                f"`hayrick fleet up` began, one of every host after {last:.1f} s; `up` ended after {ended:.1f} s",
                flush=True,
            )


def measured(place: Path, wheels: Path, rotate: int) -> tuple[float, float, float]:
    """Seconds till the first host's first session, till the last host's, and till `up` said that all is well."""
    with ExitStack() as stack:
        wire = stack.enter_context(bridge())
        core, landing = stack.enter_context(collector(place, "--landing", f"tcp://{GATEWAY}:*"))
        key = keygen(place / "client")
        hosts = []
        for number in range(11, 11 + HOSTS):
            hosts.append(Host(place / f"h{number}", f"h{number}", number, wire, key.with_suffix(".pub").read_text()))
            stack.callback(hosts[-1].close)
        (place / "known").write_text("".join(each.known() for each in hosts))
        lines = "\n".join(f"  {each.name}: {{ssh: {{address: {each.address}}}}}" for each in hosts)
        inventory = place / "fleet.yaml"
        inventory.write_text(
            INVENTORY.format(
                landing=landing, data=place / "data", key=key, known=place / "known", rotate=rotate, hosts=lines
            )
        )
        addresses = [each.address for each in hosts]
        stack.enter_context(talk(addresses, 0))
        url = (place / "collector.log").read_text().rpartition("page and API at ")[2].split()[0]
        started = time.monotonic()
        command = [HAYRICK, "fleet", "up", "-i", str(inventory), "--wheelhouse", str(wheels)]
        with (place / "up.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as up:
            found, ended = watched(url, started, addresses, core, up)
        if up.returncode:
            raise RuntimeError((place / "up.log").read_text())
        return min(found.values()), max(found.values()), ended


def watched(
    url: str, started: float, addresses: list[str], core: Process, up: subprocess.Popen[bytes]
) -> tuple[dict[str, float], float]:
    """When each host's sessions were first found, asking the API over and over, and when `up` ended."""
    found: dict[str, float] = {}
    ended = 0.0
    while not up.returncode and (not ended or len(found) < len(addresses)):
        core.check()
        for address in (each for each in addresses if each not in found):
            asked = {"expression": f"ip.dst == {address}", "limit": "1"}
            if httpx.get(f"{url}/api/sessions", params=asked).raise_for_status().json()["total"]:
                found[address] = time.monotonic() - started
        if not ended and up.poll() is not None:
            ended = time.monotonic() - started
        if time.monotonic() - started > DEADLINE_SECONDS:
            up.kill()
            raise TimeoutError(f"{len(found)} of {len(addresses)} hosts after {DEADLINE_SECONDS:g} s")
        time.sleep(0.1)
    return found, ended
