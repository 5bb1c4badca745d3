"""A small OpenID Connect provider over HTTP: discovery, authorization code with PKCE, signed ID tokens, user info."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Form, Header, HTTPException
from fastapi.responses import RedirectResponse
from joserfc import jwt
from joserfc.jwk import RSAKey


class Provider:
    """It logs in whoever `claims` tells; `spoil` changes an ID token before it is signed."""

    def __init__(self, issuer: str, client: str, secret: str) -> None:
        self.issuer, self.client, self.secret = issuer, client, secret
        self.claims: dict[str, Any] = {"sub": "1", "preferred_username": "ann", "groups": ["soc"]}
        self.user_info: dict[str, Any] = {}
        self.spoil: dict[str, Any] = {}
        self.algorithm = "RS256"
        self.key = RSAKey.generate_key(2048, {"kid": "one"})
        self.signing = self.key
        self.codes: dict[str, dict[str, str]] = {}
        self.app = FastAPI()
        self.app.get("/.well-known/openid-configuration")(self.about)
        self.app.get("/authorize")(self.authorize)
        self.app.post("/token")(self.token)
        self.app.get("/keys")(lambda: {"keys": [self.key.as_dict(private=False)]})
        self.app.get("/me")(self.me)

    def about(self) -> dict[str, str]:
        ends = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        found = {name: f"{self.issuer}/{path}" for name, path in ends.items()}
        return {"issuer": self.issuer, "userinfo_endpoint": f"{self.issuer}/me", **found}

    def authorize(
        self, client_id: str, redirect_uri: str, state: str, nonce: str, code_challenge: str, response_type: str
    ) -> RedirectResponse:
        assert (client_id, response_type) == (self.client, "code")
        code = secrets.token_urlsafe(16)
        self.codes[code] = {"nonce": nonce, "challenge": code_challenge, "redirect_uri": redirect_uri}
        return RedirectResponse(f"{redirect_uri}?code={code}&state={state}", 302)

    def token(
        self,
        code: str = Form(),
        redirect_uri: str = Form(),
        client_id: str = Form(),
        client_secret: str = Form(""),
        code_verifier: str = Form(),
    ) -> dict[str, Any]:
        given = self.codes.pop(code, None)
        digest = _plain(hashlib.sha256(code_verifier.encode()).digest())
        if given is None or given["challenge"] != digest or given["redirect_uri"] != redirect_uri:
            raise HTTPException(400, "invalid_grant")
        if (client_id, client_secret) != (self.client, self.secret):
            raise HTTPException(401, "invalid_client")
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.client,
            "iat": now,
            "exp": now + 60,
            "nonce": given["nonce"],
        }
        claims |= {**self.claims, **self.spoil}
        header = {"alg": self.algorithm, "kid": "one"}
        signed = self.forged(header, claims) if self.algorithm == "HS256" else jwt.encode(header, claims, self.signing)
        return {"access_token": "access", "token_type": "Bearer", "id_token": signed}

    def forged(self, header: dict[str, str], claims: dict[str, Any]) -> str:
        """Signed by what everybody knows: the public key, taken for a shared secret."""
        body = f"{_plain(json.dumps(header).encode())}.{_plain(json.dumps(claims).encode())}"
        return f"{body}.{_plain(hmac.digest(self.key.as_pem(private=False), body.encode(), 'sha256'))}"

    def me(self, authorization: str = Header()) -> dict[str, Any]:
        assert authorization == "Bearer access"
        return self.user_info


def _plain(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@contextmanager
def provider(client: str, secret: str) -> Iterator[Provider]:
    """A provider on loopback, in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    made = Provider(f"http://127.0.0.1:{listener.getsockname()[1]}", client, secret)
    server = uvicorn.Server(uvicorn.Config(made.app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    try:
        yield made
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
