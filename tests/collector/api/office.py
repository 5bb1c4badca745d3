"""A collector's application in this process, and people who ask it: for tests of accounts and of people's things."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
from argon2 import PasswordHasher

from hayrick_collector.api.app import create_app
from hayrick_collector.config import CollectorConfig
from hayrick_collector.desk import users
from hayrick_collector.desk.people import Role
from hayrick_collector.direct import DirectBackend

users._HASHER = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)  # the tests guess a lot
PASSWORD = "correct horse"
BASE = "http://127.0.0.1:8005"


class Office:
    """An open collector; `client()` is somebody who has not logged in."""

    def __init__(self, backend: DirectBackend) -> None:
        self.backend = backend
        self.app = create_app(backend)
        self.accounts = self.app.state.accounts
        self.clients: list[httpx.AsyncClient] = []

    def client(self, address: str = "127.0.0.1", **headers: str) -> httpx.AsyncClient:
        """A browser or program of its own at an address."""
        transport = httpx.ASGITransport(self.app, client=(address, 1), raise_app_exceptions=False)
        self.clients.append(httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers))
        return self.clients[-1]

    def token(self, name: str, role: Role, expression: str = "") -> httpx.AsyncClient:
        """A user of that role, who comes with a token."""
        self.accounts.users.add(name, role, expression=expression)
        return self.client(Authorization=f"Bearer {self.accounts.tokens.add('x', role, owner=name)[1]}")

    async def browser(self, name: str, password: str = PASSWORD, address: str = "127.0.0.1") -> httpx.AsyncClient:
        """Somebody who logs in by password, as our page does it."""
        client = self.client(address, Origin=BASE)
        answer = await client.post("/api/auth/login", json={"name": name, "password": password})
        assert answer.status_code == 200, answer.text
        return client


def at_work(config: CollectorConfig, work: Callable[[Office], Awaitable[None]]) -> None:
    """Open a collector, do the work, close it."""

    async def run() -> None:
        backend = await DirectBackend.open(config)
        office = Office(backend)
        try:
            await work(office)
        finally:
            for client in office.clients:
                await client.aclose()
            await backend.close()

    asyncio.run(run())


def folder(path: Path) -> CollectorConfig:
    """Settings of a collector on loopback."""
    return CollectorConfig(data=path)
