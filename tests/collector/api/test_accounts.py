"""Logging in, and everything that must not let anybody in."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import httpx
import pytest
from tests.collector.api.office import BASE, PASSWORD, Office, at_work, folder

from hayrick_collector.api.throttle import Guesses
from hayrick_collector.config import ApiConfig, CollectorConfig
from hayrick_collector.desk.config import AccountsConfig


def test_first_administrator_is_made_once_by_the_link_and_ends_the_open_house(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        stranger = office.client()
        before = (await stranger.get("/api/auth")).json()
        assert (before["open"], before["setup"], before["person"]["name"]) == (True, True, "local")
        body = {"code": office.accounts.setup, "name": "ann", "password": PASSWORD}
        assert (await stranger.post("/api/auth/setup", json={**body, "code": "guess"})).status_code == 403
        assert (await stranger.post("/api/auth/setup", json={**body, "password": "short"})).status_code == 400
        assert (await stranger.post("/api/auth/setup", json=body)).json()["role"] == "admin"
        assert (await stranger.get("/api/me")).json()["name"] == "ann"
        assert (await stranger.post("/api/auth/setup", json=body, headers={"Origin": BASE})).status_code == 403
        other = office.client()
        assert (await other.get("/api/sessions")).status_code == 401
        assert (await other.get("/api/auth")).json() == {
            "person": None, "open": False, "setup": False, "password": True, "oidc": False,
        }  # fmt: skip

    at_work(folder(tmp_path), work)


def test_login_sets_a_cookie_scripts_and_other_sites_cannot_use_and_logout_ends_it(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        office.accounts.users.add("ann", "viewer", password=PASSWORD)
        browser = office.client(Origin=BASE)
        answer = await browser.post("/api/auth/login", json={"name": "ann", "password": PASSWORD})
        cookie = answer.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
        secret = browser.cookies["hayrick"]
        raw = (tmp_path / "desk.sqlite3").read_bytes() + (tmp_path / "desk.sqlite3-wal").read_bytes()
        assert secret.encode() not in raw
        assert PASSWORD.encode() not in raw
        assert b"$argon2id$" in raw
        assert (await browser.get("/api/me")).json()["how"] == "password"
        assert (await browser.post("/api/auth/logout")).status_code == 204
        thief = office.client(Cookie=f"hayrick={secret}")
        assert (await thief.get("/api/me")).status_code == 401

    at_work(folder(tmp_path), work)


def test_cookie_is_secure_and_bound_to_the_host_under_tls(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        office.accounts.users.add("ann", "viewer", password=PASSWORD)
        answer = await office.client().post("/api/auth/login", json={"name": "ann", "password": PASSWORD})
        assert answer.headers["set-cookie"].startswith("__Host-hayrick=")
        assert "Secure" in answer.headers["set-cookie"]
        assert "Domain" not in answer.headers["set-cookie"]
        assert answer.headers["Strict-Transport-Security"]

    at_work(CollectorConfig(data=tmp_path, api=ApiConfig(url="https://rick.example")), work)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": BASE, "Sec-Fetch-Site": "same-site"},
    ],
)
def test_cookie_alone_changes_nothing(tmp_path: Path, headers: dict[str, str]) -> None:
    async def work(office: Office) -> None:
        office.accounts.users.add("ann", "admin", password=PASSWORD)
        secret = (await office.browser("ann")).cookies["hayrick"]
        forged = office.client(Cookie=f"hayrick={secret}", **headers)
        assert (await forged.post("/api/views", json={"name": "x"})).status_code == 403
        own = office.client(Cookie=f"hayrick={secret}", Origin=BASE)
        assert (await own.post("/api/views", json={"name": "x"})).status_code == 201

    at_work(folder(tmp_path), work)


def test_guessing_is_slowed_down_for_the_guesser_and_not_for_others(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        office.accounts.users.add("ann", "viewer", password=PASSWORD)
        office.accounts.guesses = Guesses(clock=lambda: 100.0)
        guesser = office.client("10.0.0.66")
        for name in ("ann", "nobody"):
            told = [
                (await guesser.post("/api/auth/login", json={"name": name, "password": f"guess {n}"})).status_code
                for n in range(7)
            ]
            assert told == [401] * 5 + [429] * 2, name
        right = await guesser.post("/api/auth/login", json={"name": "ann", "password": PASSWORD})
        assert right.status_code == 429
        assert int(right.headers["Retry-After"]) >= 1
        await office.browser("ann", address="10.0.0.7")

    at_work(folder(tmp_path), work)


def test_password_changed_or_account_closed_ends_all_logins(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        office.accounts.users.add("root", "admin", password=PASSWORD)
        office.accounts.users.add("ann", "viewer", password=PASSWORD)
        one, two = await office.browser("ann"), await office.browser("ann")
        new = {"old": PASSWORD, "new": "battery staple"}
        assert (await one.post("/api/auth/password", json={**new, "old": "wrong"})).status_code == 401
        assert (await one.post("/api/auth/password", json=new)).status_code == 200
        assert [(await each.get("/api/me")).status_code for each in (one, two)] == [200, 401]
        token = office.client(Authorization=f"Bearer {office.accounts.tokens.add('x', 'admin', owner='ann')[1]}")
        assert (await token.get("/api/me")).json()["role"] == "viewer"
        office.accounts.users.change("ann", disabled=True)
        assert [(await each.get("/api/me")).status_code for each in (one, token)] == [401, 401]

    at_work(folder(tmp_path), work)


def test_login_and_token_end_at_their_time(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        office.accounts.users.add("ann", "viewer", password=PASSWORD)
        browser = await office.browser("ann")
        token = office.client(Authorization=f"Bearer {office.accounts.tokens.add('x', 'viewer')[1]}")
        assert [(await each.get("/api/me")).status_code for each in (browser, token)] == [200, 200]
        db = sqlite3.connect(tmp_path / "desk.sqlite3")
        with db:
            db.execute("UPDATE logins SET until_ms = 1")
            db.execute("UPDATE tokens SET until_ms = 1")
        db.close()
        assert [(await each.get("/api/me")).status_code for each in (browser, token)] == [401, 401]

    at_work(folder(tmp_path), work)


def test_proxy_is_believed_only_from_its_address(tmp_path: Path) -> None:
    accounts = AccountsConfig(proxy_header="X-Remote-User", proxies=("10.0.0.5/32",), proxy_role="packets")

    async def work(office: Office) -> None:
        named = {"X-Remote-User": "ann"}
        assert (await office.client("127.0.0.1", **named).get("/api/me")).status_code == 401
        proxied = office.client("10.0.0.5", **named)
        assert (await proxied.get("/api/me")).json()["role"] == "packets"
        office.accounts.users.change("ann", role="viewer")
        assert (await proxied.get("/api/me")).json() == {
            "name": "ann", "role": "viewer", "expression": "", "limited": False, "how": "proxy",
        }  # fmt: skip
        for bad in ("local", "a b", "x" * 65, "api.token"):
            assert (await office.client("10.0.0.5", **{"X-Remote-User": bad}).get("/api/me")).status_code == 401
        assert (await office.client("10.0.0.5").get("/api/me")).status_code == 401

    at_work(CollectorConfig(data=tmp_path, accounts=accounts), work)


def test_wrong_token_is_a_stranger_even_where_everybody_is_let_in(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        assert (await office.client().get("/api/me")).status_code == 200
        assert (await office.client(Authorization="Bearer wrong").get("/api/me")).status_code == 401

    at_work(folder(tmp_path), work)


def test_more_requests_than_the_limit_are_told_when_to_come_again(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        client = office.client()
        told = [(await client.get("/api/me")).status_code for _ in range(7)]
        assert told == [200] * 5 + [429] * 2
        refused = await client.get("/api/me")
        assert refused.json()["error"]["code"] == "too_many"
        assert int(refused.headers["Retry-After"]) > 5
        assert (await office.client().get("/static/none")).status_code == 404

    at_work(CollectorConfig(data=tmp_path, api=ApiConfig(requests_per_minute=5)), work)


def test_last_administrator_stays(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        users = office.accounts.users
        users.add("root", "admin", password=PASSWORD)
        users.add("ann", "viewer", password=PASSWORD)
        for change in (
            lambda: users.remove("root"),
            lambda: users.change("root", role="viewer"),
            lambda: users.change("root", disabled=True),
        ):
            with pytest.raises(Exception, match="no administrator"):
                change()
        users.change("ann", role="admin")
        users.remove("root")
        assert [user.name for user in users.all()] == ["ann"]

    at_work(folder(tmp_path), work)


def test_every_answer_has_the_strict_headers(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        answers: list[httpx.Response] = [
            await office.client().get(path) for path in ("/", "/login", "/api/me", "/none", "/static/hayrick.svg")
        ]
        for answer in answers:
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"

    at_work(folder(tmp_path), work)
