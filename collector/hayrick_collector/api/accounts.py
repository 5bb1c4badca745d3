"""Who asks, by what a request carries: a token, a trusted proxy's header, a login's cookie, or a share's.

Without any account, on loopback, everybody who reaches the collector is its administrator, as whoever can run the
command line is anyway; the first account ends that.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import threading
import time
from collections.abc import Mapping
from typing import Any

from starlette.requests import cookie_parser

from hayrick_collector.api.errors import ApiError
from hayrick_collector.api.throttle import Guesses
from hayrick_collector.config import CollectorConfig
from hayrick_collector.desk.audit import Audit
from hayrick_collector.desk.database import Desk
from hayrick_collector.desk.logins import Logins
from hayrick_collector.desk.people import LOCAL, PEER, How, Person, Role, as_role
from hayrick_collector.desk.shares import Shares
from hayrick_collector.desk.tokens import Tokens
from hayrick_collector.desk.users import User, Users, may_be_named

SETUP_SECONDS = 86_400.0
PAIR_FREE, ADDRESS_FREE, NAME_FREE = 5, 20, 50


class Accounts:
    """Everything about who may ask, over one desk. Its methods touch the disk: call them off the event loop.

    `setup` is the secret of the one-time link that makes the first administrator; empty when there is one.
    """

    def __init__(self, desk: Desk, config: CollectorConfig) -> None:
        self.config = config
        self.users = Users(desk)
        self.logins = Logins(desk)
        self.tokens = Tokens(desk)
        self.shares = Shares(desk)
        self.audit = Audit(desk)
        self.guesses = Guesses()
        self._lock = threading.Lock()
        self._peers = config.peers.token()
        self._networks = config.accounts.networks()
        self.setup = "" if config.accounts.elsewhere or self.users.administered() else secrets.token_urlsafe(24)
        self._setup_until = time.monotonic() + SETUP_SECONDS

    @property
    def cookie(self) -> str:
        """The name of the cookie of logins."""
        return "__Host-hayrick" if self.config.api.secure else "hayrick"

    @property
    def share_cookie(self) -> str:
        """The name of the cookie of shares, beside that of logins: a link opened takes nobody's login away."""
        return f"{self.cookie}-share"

    @property
    def oidc_cookie(self) -> str:
        """The name of the cookie that ties a login at a provider to the browser it began in."""
        return f"{self.cookie}-oidc"

    @property
    def cookie_rules(self) -> dict[str, Any]:
        """What every cookie is: out of reach of scripts and of other sites, and for TLS alone where there is TLS."""
        return {"secure": self.config.api.secure, "httponly": True, "samesite": "lax"}

    def open(self) -> bool:
        """Whether everybody who reaches the collector is its administrator."""
        api = self.config.api
        return api.loopback and not api.token and not self.config.accounts.elsewhere and not self.users.any()

    def address(self, peer: str, headers: Mapping[str, str]) -> str:
        """Where a request comes from; a trusted proxy is believed about it."""
        last = headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        return last[:100] if last and self._trusted(peer) else peer

    def person(self, peer: str, headers: Mapping[str, str]) -> Person | None:
        """Who asks, None for a stranger. Credentials that are wrong make a stranger, whatever else comes with them."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme:
            return self._by_token(scheme, token.strip())
        settings = self.config.accounts
        named = headers.get(settings.proxy_header.lower(), "") if settings.proxy_header and self._trusted(peer) else ""
        if named:
            return self.known(named, "proxy", as_role(settings.proxy_role))
        cookies = cookie_parser(headers.get("cookie", ""))
        found = self.logins.person(cookies[self.cookie]) if cookies.get(self.cookie) else None
        if found is None and self.open():
            return LOCAL
        if found is None and cookies.get(self.share_cookie):
            opened = self.shares.opened(cookies[self.share_cookie])
            found = opened[1] if opened else None
        return found

    def known(self, name: str, how: How, role: Role, *, renew: bool = False) -> Person | None:
        """A user whom somebody else vouches for, made at first sight; `renew` gives the role to one that is there.
        None for a name that cannot be, or an account that is closed."""
        if not may_be_named(name):
            return None
        with self._lock:
            try:
                user = self.users.get(name)
            except LookupError:
                user = self.users.add(name, role, made_by=how)
            if renew and user.made_by == how and user.role != role:
                user = self.users.change(name, role=role, vouched=True)
        return None if user.disabled else user.person(how)

    def vouched(self, name: str, role: Role) -> Person:
        """The user whom the provider of OpenID Connect names. An account that has a password is not the provider's to
        give away: names there may be chosen freely. Raises ApiError."""
        try:
            taken = self.users.get(name).password
        except LookupError:
            taken = False
        person = None if taken else self.known(name, "oidc", role, renew=True)
        if person is None:
            raise ApiError(403, "forbidden", f"{name[:64]!r} cannot log in by the provider here")
        self.users.seen(name)
        return person

    def log_in(self, name: str, password: str, address: str) -> User:
        """The user whose password it is. Raises ApiError: 401, or 429 after too many failures."""
        keys = {("pair", name, address): PAIR_FREE, ("address", address): ADDRESS_FREE, ("name", name): NAME_FREE}
        if (wait := self.guesses.wait(keys)) > 0:
            raise ApiError(429, "too_many", f"too many failures: try again in {wait:.0f} seconds", retry=wait)
        user = self.users.verified(name, password)
        if user is None:
            self.guesses.failed(keys.items())
            raise ApiError(401, "unauthorized", "the name or the password is wrong")
        self.guesses.passed(("pair", name, address))
        self.users.seen(user.name)
        return user

    def first(self, code: str, name: str, password: str) -> User:
        """Make the first administrator by the one-time link's secret. Raises ApiError, UsageError."""
        with self._lock:
            expected = self.setup if time.monotonic() < self._setup_until and not self.users.administered() else ""
            if not expected or not hmac.compare_digest(code.encode(), expected.encode()):
                raise ApiError(403, "forbidden", "this link was used, or is too old: a restart prints a new one")
            user = self.users.add(name, "admin", password=password)
            self.setup = ""
        return user

    def _by_token(self, scheme: str, token: str) -> Person | None:
        if scheme.lower() != "bearer" or not token:
            return None
        expected = self.config.api.token
        if expected and hmac.compare_digest(token.encode(), expected.encode()):
            return Person("api.token", "admin", how="token")
        if self._peers and hmac.compare_digest(token.encode(), self._peers.encode()):
            return PEER
        return self.tokens.person(token)

    def _trusted(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self._networks)
