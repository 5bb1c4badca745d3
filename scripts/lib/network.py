"""Where the traffic of quickstart passes: a veth pair into a namespace, or loopback where that is not allowed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from processes import run


@dataclass(frozen=True)
class Network:
    """Where the traffic passes: clients here, servers at `server`, whose commands start with `inside`."""

    interface: str
    client: str
    server: str
    inside: Sequence[str]

    def __str__(self) -> str:
        place = f"namespace {self.inside[-1]}" if self.inside else "this machine"
        return f"{self.client} <-> {self.server} ({place}), captured on {self.interface}"


LOOPBACK = Network("lo", "127.77.0.1", "127.77.0.2", ())


@contextmanager
def network(*, loopback: bool = False) -> Iterator[Network]:
    """A veth pair for as long as the block runs, else (or if asked for) loopback."""
    names = f"hayrick-{os.getpid()}", f"hay{os.getpid() % 1000000}a", f"hay{os.getpid() % 1000000}b"
    if loopback or not _may_make(names[0]):
        yield LOOPBACK
        return
    try:
        yield _veth(*names)
    finally:
        run(["ip", "link", "delete", names[1]], check=False)
        run(["ip", "netns", "delete", names[0]], check=False)


def _may_make(namespace: str) -> bool:
    try:
        run(["ip", "netns", "add", namespace])
    except (OSError, RuntimeError):
        return False
    return True


def _veth(namespace: str, outer: str, inner: str) -> Network:
    """Addresses from the block for documentation (RFC 5737), four a run, so that two runs do not meet."""
    base = 4 * (os.getpid() % 64)
    client, server = f"192.0.2.{base + 1}", f"192.0.2.{base + 2}"
    inside = ["ip", "netns", "exec", namespace]
    run(["ip", "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", namespace])
    run(["ip", "address", "add", f"{client}/30", "dev", outer])
    run(["ip", "link", "set", outer, "up"])
    run([*inside, "ip", "address", "add", f"{server}/30", "dev", inner])
    run([*inside, "ip", "link", "set", inner, "up"])
    run([*inside, "ip", "link", "set", "lo", "up"])
    return Network(outer, client, server, inside)
