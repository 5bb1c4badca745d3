"""Only what the settings name is called, whatever an address looks like; failures are tried again."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from tests.collector.hunts.conftest import on_loop

from hayrick_collector.schedules import webhook
from hayrick_common.errors import HayrickError, UsageError

ALLOWED = ("https://hooks.example/hayrick/", "http://10.0.0.5:8080")


@pytest.mark.parametrize(
    "url",
    ["https://hooks.example/hayrick", "https://HOOKS.example:443/hayrick/x?y=1", "http://10.0.0.5:8080/any"],
)  # fmt: skip
def test_what_lies_below_an_allowed_address_is_allowed(url: str) -> None:
    webhook.check(url, ALLOWED)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example/", "https://hooks.example/hayrick2", "http://hooks.example/hayrick/",
        "https://hooks.example:8443/hayrick/", "https://hooks.example/hayrick/../admin",
        "https://hooks.example/hayrick/%2e%2e/admin", "https://hooks.example@169.254.169.254/hayrick/",
        "https://169.254.169.254/", "http://10.0.0.5/", "file:///etc/passwd", "http://[::1]:8005/", "gopher://x", "",
        "https://hooks.example\\@evil.example/hayrick", "http://10.0.0.5.evil.example:8080/",
    ],
)  # fmt: skip
def test_anything_else_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        webhook.check(url, ALLOWED)


async def _post(answers: list[int], seen: list[httpx.Request], secret: str = "") -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(answers[len(seen) - 1], headers={"Location": "http://169.254.169.254/"})

    await webhook.post(
        "https://hooks.example/hayrick/x", {"found": 1}, allowed=ALLOWED, secret_file=secret, delivery="d1",
        transport=httpx.MockTransport(answer),
    )  # fmt: skip


@on_loop
async def test_a_message_is_tried_again_with_the_secret_and_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "PAUSES", (0.0, 0.0))
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    seen: list[httpx.Request] = []
    await _post([500, 503, 204], seen, str(secret))
    assert [each.headers["X-Hayrick-Delivery"] for each in seen] == ["d1"] * 3
    assert {each.headers["Authorization"] for each in seen} == {"Bearer s3cret"}


@on_loop
async def test_a_redirect_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "PAUSES", ())
    seen: list[httpx.Request] = []
    with pytest.raises(HayrickError, match="302"):
        await _post([302], seen)
    assert [each.url.host for each in seen] == ["hooks.example"]
