"""Logging in at a provider of OpenID Connect: authorization code with PKCE, state and nonce, and a signed ID token.

Authlib's and joserfc's pieces without their HTTP clients: the two requests it takes are httpx's, bounded in time and
size, and go only to where the provider of the settings says.
"""

from __future__ import annotations

import hmac
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from hayrick_collector.api.errors import ApiError
from hayrick_collector.desk.config import AccountsConfig
from hayrick_collector.desk.people import ROLES, Role, as_role

MOST_PENDING = 1_000
PENDING_SECONDS = 600.0
_METADATA_SECONDS = 3_600.0
_TIMEOUT = httpx.Timeout(10.0)
_MOST_BYTES = 1 << 20
_SIGNATURES = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
_LEEWAY = 60


@dataclass(frozen=True, slots=True)
class Pending:
    """A login that was sent to the provider."""

    nonce: str
    verifier: str
    until: float
    after: str


@dataclass(frozen=True, slots=True)
class Known:
    """Whom the provider vouches for, with the role that the groups stand for, and the page to go to."""

    name: str
    role: Role
    after: str


class Oidc:
    """The provider of the settings; `callback` is the address that it sends people back to."""

    def __init__(self, config: AccountsConfig, callback: str) -> None:
        self._config = config
        self._callback = callback
        self._pending: OrderedDict[str, Pending] = OrderedDict()
        self._metadata: dict[str, Any] = {}
        self._metadata_until = 0.0

    async def start(self, after: str) -> tuple[str, str]:
        """Where to send a browser, and the state that its cookie must bring back. `after`: the page to come back to."""
        metadata = await self._about()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        self._pending[state] = Pending(nonce, verifier, time.monotonic() + PENDING_SECONDS, _local(after))
        while len(self._pending) > MOST_PENDING:
            self._pending.popitem(last=False)
        asked = {
            "response_type": "code", "client_id": self._config.oidc_client, "redirect_uri": self._callback,
            "scope": "openid profile email", "state": state, "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier), "code_challenge_method": "S256",
        }  # fmt: skip
        return add_params_to_uri(_endpoint(metadata, "authorization_endpoint"), list(asked.items())), state

    async def finish(self, code: str, state: str, cookie: str) -> Known:
        """Whom the code stands for. Raises ApiError."""
        pending = self._pending.pop(state, None)
        if pending is None or time.monotonic() > pending.until or not hmac.compare_digest(state, cookie):
            raise ApiError(403, "forbidden", "this login was not begun in this browser, or took too long: try again")
        metadata = await self._about()
        tokens = await self._tokens(metadata, code, pending.verifier)
        keys = await self._json("GET", _endpoint(metadata, "jwks_uri"))
        claims = self._claims(tokens.get("id_token"), keys, pending.nonce)
        wanted = (self._config.oidc_name, self._config.oidc_groups)
        if any(each not in claims for each in wanted) and metadata.get("userinfo_endpoint"):
            bearer = {"Authorization": f"Bearer {tokens.get('access_token')}"}
            more = await self._json("GET", _endpoint(metadata, "userinfo_endpoint"), headers=bearer)
            claims = {**more, **claims} if more.get("sub") == claims["sub"] else claims
        return self._known(claims, pending.after)

    def _known(self, claims: Mapping[str, Any], after: str) -> Known:
        name, groups = claims.get(self._config.oidc_name), claims.get(self._config.oidc_groups) or []
        if not isinstance(name, str):
            raise ApiError(403, "forbidden", f"the provider tells no {self._config.oidc_name}: see accounts.oidc_name")
        given = self._config.roles()
        listed = groups if isinstance(groups, list) else [groups]
        found = [given[group] for group in listed if isinstance(group, str) and group in given]
        if self._config.oidc_role:
            found.append(as_role(self._config.oidc_role))
        if not found:
            raise ApiError(403, "forbidden", f"{name[:64]} is in no group that is let in: see accounts.oidc_roles")
        return Known(name, max(found, key=ROLES.index), after)

    def _claims(self, token: Any, keys: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        """The claims of the ID token, which is signed, of this provider, for us, in time, and for this login."""
        checks = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY,
            iss={"essential": True, "value": self._config.oidc_issuer},
            aud={"essential": True, "value": self._config.oidc_client},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            found = jwt.decode(str(token), KeySet.import_key_set({"keys": keys["keys"]}), algorithms=_SIGNATURES)
            checks.validate(found.claims)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise ApiError(403, "forbidden", f"the provider's ID token is not good: {str(error)[:200]}") from error
        if found.claims.get("azp", self._config.oidc_client) != self._config.oidc_client:
            raise ApiError(403, "forbidden", "the provider's ID token is for another client")
        return dict(found.claims)

    async def _tokens(self, metadata: Mapping[str, Any], code: str, verifier: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self._callback,
            "client_id": self._config.oidc_client, "code_verifier": verifier,
        }  # fmt: skip
        if secret := self._config.oidc_secret():
            form["client_secret"] = secret
        return await self._json("POST", _endpoint(metadata, "token_endpoint"), data=form)

    async def _about(self) -> dict[str, Any]:
        """What the provider says of itself, asked again each hour."""
        if time.monotonic() > self._metadata_until:
            issuer = self._config.oidc_issuer
            found = await self._json("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != issuer:
                raise ApiError(502, "provider", f"the provider calls itself {str(found.get('issuer'))[:200]!r}")
            safe = [issuer.partition("://")[0], "https"]
            for name, value in found.items():
                if name.endswith(("_endpoint", "jwks_uri")) and urlsplit(str(value)).scheme not in safe:
                    raise ApiError(502, "provider", f"the provider's {name} is no https:// address")
            self._metadata, self._metadata_until = found, time.monotonic() + _METADATA_SECONDS
        return self._metadata

    async def _json(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        try:
            async with httpx.AsyncClient(timeout=_TIMEOUT) as http, http.stream(method, url, **more) as answer:
                content = b""
                async for piece in answer.aiter_bytes():
                    content += piece
                    if len(content) > _MOST_BYTES:
                        raise ApiError(502, "provider", "the provider's answer is too long")
            found = json.loads(content) if answer.is_success else None
        except (httpx.HTTPError, ValueError) as error:
            raise ApiError(502, "provider", f"the login provider does not answer: {type(error).__name__}") from error
        if not isinstance(found, dict):
            raise ApiError(502, "provider", f"the login provider answered {answer.status_code}")
        return found


def _endpoint(metadata: Mapping[str, Any], name: str) -> str:
    if not isinstance(metadata.get(name), str):
        raise ApiError(502, "provider", f"the login provider has no {name}")
    return str(metadata[name])


def _local(path: str) -> str:
    """A page of ours to go to: nobody's login ends up at another site."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else "/"
