"""Where everything stands: a network namespace a sensor, joined to the collector's by veth, and small file systems.

All of it lives in the network, mount and process namespaces that `alone` makes, so that nothing is left when the
process that made them ends, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

NOWHERE = "02:00:00:00:00:99"
MEGABYTE = 1 << 20
UNSHARE = [
    "setpriv",
    "--pdeathsig",
    "KILL",
    "unshare",
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
]


def alone(arguments: list[str]) -> list[str]:
    """The command that runs this package in namespaces of its own; needs root."""
    return [*UNSHARE, sys.executable, "-m", "tests.system.faults", *arguments]


def ip(*words: str, inside: str = "") -> None:
    """Run ip(8); raises CalledProcessError with its words on our standard error."""
    where = ["-n", inside] if inside else []
    subprocess.run(["ip", *where, *words], check=True, timeout=20)


def prepare() -> None:
    """Make our namespaces ready: a loopback, and a place for the names of network namespaces that nobody else sees."""
    if os.getpid() != 1:
        raise SystemExit("run it through `alone`: it mounts, kills and makes networks")
    run = Path("/run/netns")
    run.mkdir(exist_ok=True)
    mount(run, 1)
    ip("link", "set", "lo", "up")


def mount(place: Path, megabytes: int) -> None:
    """A small file system in memory."""
    place.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(place)]
    subprocess.run(command, check=True, timeout=20)


def unmount(root: Path) -> None:
    """Take away every file system below `root`."""
    for place in root.iterdir():
        if place.is_mount():
            subprocess.run(["umount", "-l", str(place)], check=True, timeout=20)


@dataclass(frozen=True)
class Link:
    """A sensor's namespace: `up0` leads to the collector; `cap0` is what its tcpdump listens on."""

    number: int

    @property
    def name(self) -> str:
        return f"s{self.number}"

    @property
    def collector(self) -> str:
        """The collector's address, as this sensor sees it."""
        return f"10.99.{self.number}.1"

    @property
    def sensor(self) -> str:
        return f"10.99.{self.number}.2"

    @property
    def source(self) -> str:
        """Where its traffic comes from."""
        return f"10.50.{self.number}.1"

    @property
    def target(self) -> str:
        """Where its traffic goes to."""
        return f"10.50.{self.number}.2"

    @property
    def inside(self) -> list[str]:
        """What a command begins with to run there."""
        return ["ip", "netns", "exec", self.name]

    def make(self) -> None:
        """Make the namespace and its links."""
        ip("netns", "add", self.name)
        ip("link", "add", f"c{self.number}", "type", "veth", "peer", "name", "up0", "netns", self.name)
        ip("address", "add", f"{self.collector}/30", "dev", f"c{self.number}")
        ip("link", "set", f"c{self.number}", "up")
        ip("address", "add", f"{self.sensor}/30", "dev", "up0", inside=self.name)
        ip("link", "add", "cap0", "type", "veth", "peer", "name", "cap1", inside=self.name)
        ip("address", "add", f"{self.source}/24", "dev", "cap0", inside=self.name)
        for device in ("lo", "up0", "cap0", "cap1"):
            ip("link", "set", device, "up", inside=self.name)
        ip("neighbour", "replace", self.target, "lladdr", NOWHERE, "dev", "cap0", inside=self.name)

    def down(self) -> None:
        """The sensor's cable is pulled out."""
        ip("link", "set", "up0", "down", inside=self.name)

    def up(self) -> None:
        """It is back in."""
        ip("link", "set", "up0", "up", inside=self.name)

    def deafen(self, *, both: bool) -> None:
        """What the collector sends vanishes without a word, and (`both`) what the sensor sends: frames to nowhere."""
        ip("neighbour", "replace", self.sensor, "lladdr", NOWHERE, "dev", f"c{self.number}")
        if both:
            ip("neighbour", "replace", self.collector, "lladdr", NOWHERE, "dev", "up0", inside=self.name)

    def hear(self) -> None:
        """Frames arrive again."""
        with contextlib.suppress(subprocess.CalledProcessError):
            ip("neighbour", "delete", self.sensor, "dev", f"c{self.number}")
        with contextlib.suppress(subprocess.CalledProcessError):
            ip("neighbour", "delete", self.collector, "dev", "up0", inside=self.name)


@dataclass(frozen=True)
class Disk:
    """A small file system that a ballast fills to the last byte."""

    place: Path

    @property
    def ballast(self) -> Path:
        return self.place / "ballast"

    def fill(self) -> None:
        """Leave no byte."""
        with contextlib.suppress(OSError), self.ballast.open("ab", buffering=0) as file:
            for size in (MEGABYTE, 4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))

    def free(self) -> None:
        """Take the ballast away."""
        self.ballast.unlink(missing_ok=True)
