"""Hosts of a fleet on one machine: each a network, mount and process namespace with a root file system of its own (this
machine's below, what it changes above, in memory) and its own sshd. Needs root.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.collector.landing.sshd import keygen
from tests.system.faults.places import ip

NETWORK = "198.51.100"  # RFC 5737: for documentation, so nobody's
GATEWAY = f"{NETWORK}.1"
SSHD = """\
Port 22
HostKey /etc/ssh/fleet_host
PidFile none
AuthorizedKeysFile /etc/ssh/fleet_keys
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
Subsystem sftp internal-sftp
"""
# Inside the host's own mount and process namespaces: what a booted machine has mounted, then sshd as its first process.
# Of /proc there is what the systemd unit leaves the sensor.
BOOT = """
set -e
hostname {name}
mount -t tmpfs -o mode=755 tmpfs {place}
mkdir {place}/upper {place}/work {root}
mount -t overlay overlay -o lowerdir=/,upperdir={place}/upper,workdir={place}/work {root}
mount -t proc {proc} proc {root}/proc
mount -t sysfs sysfs {root}/sys
mount --rbind /dev {root}/dev
mount -t tmpfs -o mode=755 tmpfs {root}/run
mkdir {root}/run/sshd
cp {files}/* {root}/etc/ssh/
chmod 600 {root}/etc/ssh/fleet_host
{extra}
exec chroot {root} /usr/sbin/sshd -D -e -f /etc/ssh/fleet_config
"""


class Host:
    """One host, at `address`; `extra` are commands run before its sshd starts ({root} is its root folder). With
    `whole_proc` it sees what a collector does of /proc."""

    def __init__(
        self, folder: Path, name: str, number: int, bridge: str, key: str, extra: str = "", *, whole_proc: bool = False
    ) -> None:
        self.name, self.address = name, f"{NETWORK}.{number}"
        self.namespace = f"hay-{os.getpid()}-{name}"
        self.outer = f"hay{os.getpid() % 100000}{number}"
        self.folder = folder
        folder.mkdir()
        (folder / "place").mkdir()
        self._files(key)
        self._connect(bridge)
        root = folder / "place" / "root"
        script = BOOT.format(
            place=folder / "place", root=root, files=folder / "files", extra=extra.format(root=root), name=name,
            proc="" if whole_proc else "-o subset=pid,hidepid=invisible",
        )  # fmt: skip
        command = ["ip", "netns", "exec", self.namespace, "setpriv", "--pdeathsig", "KILL", "unshare", "--mount"]
        command += ["--uts", "--pid", "--fork", "--kill-child", "sh", "-c", script]
        self._log = (folder / "log").open("wb")
        self.process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True)
        self._wait()

    def known(self) -> str:
        """Its line in a file of known hosts."""
        return f"{self.address} {(self.folder / 'files' / 'fleet_host.pub').read_text()}"

    def run(self, command: str, *, check: bool = False) -> str:
        """Run a command in it, as its root would; with `check` it must go well."""
        pid = int(subprocess.run(
            ["pgrep", "-P", str(self.process.pid)], check=True, capture_output=True, timeout=10
        ).stdout.split()[0])  # fmt: skip
        inside = ["nsenter", "--target", str(pid), "--mount", "--pid", "--net", "--uts"]
        inside += [f"--root=/proc/{pid}/root", "--wdns=/"]
        done = subprocess.run([*inside, "sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
        assert not (check and done.returncode), f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def close(self) -> None:
        """End it and everything in it."""
        self.process.kill()
        self.process.wait(10)
        self._log.close()
        ip("link", "delete", self.outer)  # else it goes some time after the namespace, and its name is taken until then
        subprocess.run(["ip", "netns", "delete", self.namespace], check=False, timeout=20)

    def _files(self, key: str) -> None:
        files = self.folder / "files"
        files.mkdir()
        keygen(files / "fleet_host")
        (files / "fleet_config").write_text(SSHD)
        (files / "fleet_keys").write_text(key)

    def _connect(self, bridge: str) -> None:
        ip("netns", "add", self.namespace)
        ip("link", "add", self.outer, "type", "veth", "peer", "name", "eth0", "netns", self.namespace)
        ip("link", "set", self.outer, "master", bridge, "up")
        ip("address", "add", f"{self.address}/24", "dev", "eth0", inside=self.namespace)
        ip("link", "set", "eth0", "up", inside=self.namespace)
        ip("link", "set", "lo", "up", inside=self.namespace)

    def _wait(self) -> None:
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection((self.address, 22), 1):
                return
            ended = self.process.poll() is not None or time.monotonic() > deadline
            assert not ended, (self.folder / "log").read_text()
            time.sleep(0.05)


@contextlib.contextmanager
def bridge() -> Iterator[str]:
    """The wire between the hosts and this machine, which is GATEWAY on it."""
    name = f"hay{os.getpid() % 100000}br"
    ip("link", "add", name, "type", "bridge")
    try:
        ip("address", "add", f"{GATEWAY}/24", "dev", name)
        ip("link", "set", name, "up")
        yield name
    finally:
        ip("link", "delete", name)


@contextlib.contextmanager
def talk(addresses: list[str], first: int) -> Iterator[list[int]]:
    """Packets numbered from `first` go to each host's discard port, 50 a second, while the block runs.

    The list yielded has every number that was sent, once the block has ended.
    """
    sent: list[int] = []
    ending = threading.Event()

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not ending.wait(0.02):
                for address in addresses:
                    sender.sendto(b"%08d" % (first + len(sent)), (address, 9))
                sent.append(first + len(sent))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield sent
    finally:
        ending.set()
        thread.join()
