"""Who may connect: the sensors whose public keys lie in the allow-list folder, read anew whenever it changes."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import zmq.asyncio
from zmq.auth.asyncio import AsyncioAuthenticator
from zmq.utils import z85

from hayrick_common.keys import read_allowed

DOMAIN = "hayrick"
LOOK_SECONDS = 1.0


class AllowList:
    """Public key (z85) -> sensor name. The folder is read again when a name or a time in it has changed; it is looked
    at for each new connection, and once a second for those that stand.
    """

    def __init__(self, folder: Path, counters: Counter[str]) -> None:
        self.folder = folder
        self.counters = counters
        self._stamp: tuple[tuple[str, int], ...] | None = None
        self._allowed: dict[str, str] = {}
        self._looked = 0.0

    def allowed(self) -> dict[str, str]:
        """The list as it is on disk now."""
        stamp = self._look()
        if stamp != self._stamp:
            self._allowed, self._stamp = read_allowed(self.folder), stamp
        return self._allowed

    def callback(self, domain: str, key: bytes) -> bool:
        """Answer the authenticator; `key` comes z85-encoded already. Must not raise: that would end its task."""
        known = key.decode("ascii", "replace") in self.allowed()
        self.counters["connections" if known else "refused_key"] += 1
        return known

    def name_of(self, key: str) -> str:
        """The sensor whose key (z85) this is now; "" if it was taken off the list since it connected."""
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self.allowed()
        return self._allowed.get(key, "")

    def _look(self) -> tuple[tuple[str, int], ...]:
        try:
            return tuple(sorted((path.name, path.stat().st_mtime_ns) for path in self.folder.iterdir()))
        except OSError:
            return ()


class Authenticator(AsyncioAuthenticator):
    """Gives each connection its key as user id, so that no message has to be believed about who sent it."""

    def __init__(self, context: zmq.asyncio.Context, allow_list: AllowList) -> None:
        super().__init__(context)
        self.configure_curve_callback(domain=DOMAIN, credentials_provider=allow_list)

    def curve_user_id(self, client_public_key: bytes) -> str:
        """The raw public key as z85."""
        return z85.encode(client_public_key).decode("ascii")
