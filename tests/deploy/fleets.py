"""A fleet as an operator has it: hosts, a collector, an inventory, and the commands that are given to them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dpkt
from tests.collector.landing.sshd import keygen
from tests.deploy.hosts import GATEWAY, Host, bridge
from tests.system.collector_process import MAIN, Running, collector

HAYRICK = [sys.executable, "-c", MAIN]
INVENTORY = """
collector: {{address: "{landing}", data: {data}}}
ssh: {{key_file: {key}, known_hosts: {known}, connect_seconds: 5}}
rollout: {{gate_seconds: 20}}
sensor:
  heartbeat_seconds: 1
  keep_free_megabytes: 0
  streams: [{{name: wan, interface: eth0, filter: udp port 9, rotate_seconds: 1, quiet_seconds: 1}}]
groups:
  good: {{hosts: [{good}]}}
hosts:
{hosts}
"""


@dataclass
class Fleet:
    """Hosts, a collector and an inventory of them."""

    folder: Path
    hosts: dict[str, Host]
    running: Running
    wheelhouse: Path

    def __call__(self, *words: str, wheelhouse: Path | None = None) -> subprocess.CompletedProcess[str]:
        where = ["-i", str(self.folder / "fleet.yaml"), "--wheelhouse", str(wheelhouse or self.wheelhouse)]
        command = [*HAYRICK, "fleet", words[0], *where, *words[1:]]
        return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)

    def found(self, address: str) -> Counter[str]:
        """How often each numbered packet to a host is given back by export."""
        out = self.folder / "out.pcap"
        wanted = f"ip.dst == {address} && port.dst == 9"
        command = [*HAYRICK, "export", wanted, "--server", self.running.url, "-o", str(out)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            return Counter()
        with out.open("rb") as stream:
            return Counter(
                bytes(dpkt.ethernet.Ethernet(data).ip.udp.data).decode() for _, data in dpkt.pcap.Reader(stream)
            )

    def release(self, name: str) -> str:
        """The one that runs on a host."""
        return self.hosts[name].run("basename $(readlink /opt/hayrick/current)").strip()


@contextlib.contextmanager
def fleet(
    folder: Path, wheelhouse: Path, good: dict[str, str], ill: dict[str, str] | None = None, more: str = ""
) -> Iterator[Fleet]:
    """Hosts by name, each with what is run before its sshd starts; "badkey" does not take our key. `more` is put under
    the inventory's hosts."""
    with contextlib.ExitStack() as stack:
        wire = stack.enter_context(bridge())
        words = ("--landing", f"tcp://{GATEWAY}:*")
        running = stack.enter_context(collector(folder / "data", folder / "collector.log", *words))
        key = keygen(folder / "client")
        hosts = {}
        for number, (name, extra) in enumerate((good | (ill or {})).items(), 11):
            public = "" if name == "badkey" else key.with_suffix(".pub").read_text()
            hosts[name] = Host(folder / name, name, number, wire, public, extra)
            stack.callback(hosts[name].close)
        (folder / "known").write_text("".join(each.known() for each in hosts.values()))
        lines = [f"  {each.name}: {{ssh: {{address: {each.address}}}}}" for each in hosts.values()]
        text = INVENTORY.format(
            landing=running.landing, data=folder / "data", key=key, known=folder / "known", good=", ".join(good),
            hosts="\n".join([*lines, more]),
        )  # fmt: skip
        (folder / "fleet.yaml").write_text(text)
        yield Fleet(folder, hosts, running, wheelhouse)
