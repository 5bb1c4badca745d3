"""`[accounts]`: how people are known, and how long what they did is remembered."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hayrick_collector.desk.people import GIVEN, Role, as_role
from hayrick_common.config import setting
from hayrick_common.errors import ConfigError

_ROLE = "|".join(GIVEN)


@dataclass(frozen=True, slots=True)
class AccountsConfig:
    """Names and passwords always work; a provider of OpenID Connect or a proxy that knows its users may be added."""

    login_hours: int = setting(12, minimum=1, maximum=720, about="a login in the browser ends after so long")
    audit_days: int = setting(365, minimum=1, about="the audit log remembers so long")
    proxy_header: str = setting("", about="header in which a proxy names the user, such as X-Remote-User; empty: none")
    proxies: tuple[str, ...] = setting((), about="addresses or networks of proxies that are believed")
    proxy_role: str = setting("viewer", pattern=_ROLE, about="role of users that a proxy names for the first time")
    oidc_issuer: str = setting("", about="OpenID Connect provider, such as https://login.example/realms/soc")
    oidc_client: str = setting("", about="client id there; the address to return to is URL/api/auth/oidc/callback")
    oidc_secret_file: str = setting("", about="file with the client's secret; empty: a public client, by PKCE alone")
    oidc_name: str = setting("preferred_username", about="claim that holds the user's name")
    oidc_groups: str = setting("groups", about="claim that holds the user's groups or roles")
    oidc_roles: tuple[str, ...] = setting((), about='what groups stand for, such as ["soc=packets", "soc-lead=admin"]')
    oidc_role: str = setting("", pattern=f"|{_ROLE}", about="role of users in none of these groups; empty: not let in")

    def __post_init__(self) -> None:
        self.networks()
        self.roles()
        if bool(self.proxy_header) != bool(self.proxies):
            raise ValueError("proxy_header and proxies go together: only these proxies may name users")
        if bool(self.oidc_issuer) != bool(self.oidc_client):
            raise ValueError("oidc_issuer and oidc_client go together")
        if self.oidc_issuer and not self.oidc_issuer.startswith(("https://", "http://127.0.0.1", "http://localhost")):
            raise ValueError("oidc_issuer must be an https:// address")

    def networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """The proxies. Raises ValueError."""
        return [ipaddress.ip_network(each) for each in self.proxies]

    def roles(self) -> dict[str, Role]:
        """Roles by group. Raises ValueError."""
        pairs = [each.rpartition("=")[::2] for each in self.oidc_roles]
        if bad := [role for group, role in pairs if role not in GIVEN or not group]:
            raise ValueError(f"oidc_roles: {bad[0]!r} is no role: write GROUP=ROLE, one of {', '.join(GIVEN)}")
        return {group: as_role(role) for group, role in pairs}

    def oidc_secret(self) -> str:
        """The client's secret, empty for a public client. Raises ConfigError."""
        if not self.oidc_secret_file:
            return ""
        try:
            return Path(self.oidc_secret_file).expanduser().read_text("utf-8").strip()
        except OSError as error:
            raise ConfigError(f"accounts.oidc_secret_file {self.oidc_secret_file}: {error.strerror}") from error

    @property
    def elsewhere(self) -> bool:
        """Whether people are known by something else than a password here."""
        return bool(self.proxy_header or self.oidc_issuer)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> AccountsConfig:
        """What `dataclasses.asdict` made."""
        return cls(**{**values, "proxies": tuple(values["proxies"]), "oidc_roles": tuple(values["oidc_roles"])})
