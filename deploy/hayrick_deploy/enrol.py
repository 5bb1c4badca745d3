"""The collector's allow-list: which key speaks under which name. A name has one key, until a change is asked for."""

from __future__ import annotations

import shlex

from hayrick_common.errors import HayrickError
from hayrick_common.keys import PUBLIC_SUFFIX, check_key
from hayrick_deploy.connection import Connection, must, put
from hayrick_deploy.inventory import Collector


class AllowList:
    """The keys folder of a collector, here or over SSH."""

    def __init__(self, connection: Connection, collector: Collector) -> None:
        self._connection = connection
        self._keys = f"{collector.data}/keys"

    def collector_key(self) -> str:
        """The collector's own public key."""
        path = f"{self._keys}/collector.public"
        done = self._connection.run(f"cat {shlex.quote(path)}", root=True)
        if done.code:
            raise HayrickError(f"the collector's public key cannot be read: {done.problem}; is collector.data right?")
        return check_key(done.out, path)

    def read(self) -> dict[str, str]:
        """Name to public key of every sensor that is let in."""
        folder = shlex.quote(f"{self._keys}/sensors")
        each = f'for each in *{PUBLIC_SUFFIX}; do [ -f "$each" ] && echo "$each $(cat "$each")"; done'
        text = must(
            self._connection,
            f"cd {folder} && {{ {each}; true; }}",
        )
        pairs = (line.split(" ", 1) for line in text.splitlines() if " " in line)
        return {name.removesuffix(PUBLIC_SUFFIX): key.strip() for name, key in pairs}

    def allow(self, name: str, key: str) -> None:
        """Let a sensor in by this key, and by no other."""
        check_key(key, f"the public key of {name}")
        put(self._connection, self._path(name), f"{key}\n".encode(), 0o644)

    def revoke(self, name: str) -> bool:
        """Shut a sensor out; whether it was let in before."""
        path = shlex.quote(self._path(name))
        return self._connection.run(f"[ -f {path} ] && rm -f {path}", root=True).code == 0

    def _path(self, name: str) -> str:
        return f"{self._keys}/sensors/{name}{PUBLIC_SUFFIX}"
