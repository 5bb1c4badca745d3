"""Logging in at a real provider of OpenID Connect, and the tokens and tricks that let nobody in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import RSAKey
from tests.collector.api.office import PASSWORD, Office, at_work
from tests.collector.api.provider import Provider, provider

from hayrick_collector.config import ApiConfig, CollectorConfig
from hayrick_collector.desk.config import AccountsConfig

URL = "http://127.0.0.1:8005"


@pytest.fixture(scope="module")
def shared() -> Iterator[Provider]:
    with provider("hayrick", "s3cret") as started:
        yield started


@pytest.fixture
def issuer(shared: Provider) -> Provider:
    """The provider as it is at first."""
    shared.claims = {"sub": "1", "preferred_username": "ann", "groups": ["soc", "other"]}
    shared.user_info, shared.spoil, shared.algorithm, shared.signing = {}, {}, "RS256", shared.key
    return shared


def settings(path: Path, issuer: Provider, **more: Any) -> CollectorConfig:
    secret = path / "secret"
    secret.write_text("s3cret\n")
    accounts = AccountsConfig(
        oidc_issuer=issuer.issuer, oidc_client="hayrick", oidc_secret_file=str(secret),
        oidc_roles=("soc=packets", "lead=admin"), **more,
    )  # fmt: skip
    return CollectorConfig(data=path / "data", api=ApiConfig(url=URL), accounts=accounts)


async def log_in(browser: httpx.AsyncClient, after: str = "/") -> httpx.Response:
    """Go there and back, as a browser follows it."""
    there = await browser.get("/api/auth/oidc", params={"next": after})
    assert there.status_code == 303, there.text
    async with httpx.AsyncClient() as elsewhere:
        back = await elsewhere.get(there.headers["Location"])
    return await browser.get(back.headers["Location"])


def test_provider_logs_in_with_the_role_of_the_groups_as_they_are_now(tmp_path: Path, issuer: Provider) -> None:
    async def work(office: Office) -> None:
        browser = office.client()
        assert (await browser.get("/api/auth")).json()["oidc"] is True
        assert (await browser.get("/api/me")).status_code == 401
        answer = await log_in(browser, "/session/x?y=1")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/session/x?y=1")
        me = (await browser.get("/api/me")).json()
        assert (me["name"], me["role"], me["how"]) == ("ann", "packets", "oidc")
        issuer.claims["groups"] = ["lead", "soc"]
        await log_in(browser)
        assert (await browser.get("/api/me")).json()["role"] == "admin"
        issuer.claims["groups"] = ["soc"]
        await log_in(browser)
        assert (await browser.get("/api/me")).json()["role"] == "packets"

    at_work(settings(tmp_path, issuer), work)


def test_groups_may_come_from_user_info_of_the_same_subject(tmp_path: Path, issuer: Provider) -> None:
    async def work(office: Office) -> None:
        del issuer.claims["groups"]
        issuer.user_info = {"sub": "2", "groups": ["lead"]}
        assert (await log_in(office.client())).status_code == 403
        issuer.user_info = {"sub": "1", "groups": ["soc"]}
        assert (await log_in(office.client())).status_code == 303

    at_work(settings(tmp_path, issuer), work)


@pytest.mark.parametrize(
    "spoil",
    [
        {"iss": "http://evil.example"}, {"aud": "other"}, {"exp": 1}, {"nonce": "replayed"}, {"sub": None},
        {"azp": "other", "aud": ["hayrick", "other"]}, {"groups": ["none"]}, {"preferred_username": None},
        {"preferred_username": "a b"}, {"preferred_username": "local"},
    ],
)  # fmt: skip
def test_token_that_is_not_for_this_login_lets_nobody_in(
    tmp_path: Path, issuer: Provider, spoil: dict[str, Any]
) -> None:
    async def work(office: Office) -> None:
        issuer.spoil = spoil
        browser = office.client()
        assert (await log_in(browser)).status_code == 403
        assert (await browser.get("/api/me")).status_code == 401

    at_work(settings(tmp_path, issuer), work)


def test_token_of_another_key_or_signed_by_the_public_one_lets_nobody_in(tmp_path: Path, issuer: Provider) -> None:
    async def work(office: Office) -> None:
        issuer.signing = RSAKey.generate_key(2048, {"kid": "one"})
        assert (await log_in(office.client())).status_code == 403
        issuer.algorithm = "HS256"
        assert (await log_in(office.client())).status_code == 403

    at_work(settings(tmp_path, issuer), work)


def test_login_begun_in_another_browser_is_not_taken_over(tmp_path: Path, issuer: Provider) -> None:
    async def work(office: Office) -> None:
        mine, theirs = office.client(), office.client()
        there = await mine.get("/api/auth/oidc")
        async with httpx.AsyncClient() as elsewhere:
            back = (await elsewhere.get(there.headers["Location"])).headers["Location"]
        assert (await theirs.get(back)).status_code == 403
        assert (await mine.get(back)).status_code == 403
        assert (await mine.get("/api/auth/oidc/callback", params={"code": "x", "state": "y"})).status_code == 403

    at_work(settings(tmp_path, issuer), work)


def test_provider_cannot_give_away_an_account_that_has_a_password(tmp_path: Path, issuer: Provider) -> None:
    async def work(office: Office) -> None:
        office.accounts.users.add("ann", "admin", password=PASSWORD)
        assert (await log_in(office.client())).status_code == 403

    at_work(settings(tmp_path, issuer), work)


@pytest.mark.parametrize("after", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\nb", ""])
def test_login_leads_back_to_our_own_page_only(tmp_path: Path, issuer: Provider, after: str) -> None:
    async def work(office: Office) -> None:
        assert (await log_in(office.client(), after)).headers["Location"] == "/"

    at_work(settings(tmp_path, issuer), work)


def test_provider_that_is_away_is_told_of(tmp_path: Path) -> None:
    accounts = AccountsConfig(oidc_issuer="http://127.0.0.1:9", oidc_client="hayrick")

    async def work(office: Office) -> None:
        answer = await office.client().get("/api/auth/oidc")
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "provider")

    at_work(CollectorConfig(data=tmp_path, api=ApiConfig(url=URL), accounts=accounts), work)
