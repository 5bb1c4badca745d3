"""Telling another service by HTTP, but only one that the settings name: users write the addresses, and the collector
stands where they may not reach."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx

from hayrick_common.errors import HayrickError, UsageError

PAUSES = (1.0, 5.0, 25.0)  # seconds between tries
_TIMEOUT = httpx.Timeout(20.0, connect=10.0)
Address = tuple[str, str, int, tuple[str, ...]]


def parts(url: str) -> Address:
    """Scheme, host, port and the steps of the path. Raises ValueError for what is no plain address of HTTP."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"{url!r} is no address: {error}") from None
    steps = tuple(step for step in unquote(parsed.path).split("/") if step)
    plain = not (parsed.userinfo or parsed.fragment or {".", ".."} & set(steps) or "\\" in url)
    if parsed.scheme not in ("http", "https") or not parsed.host or not plain:
        raise ValueError(f"{url!r} is no address such as https://hooks.example/hayrick")
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    return parsed.scheme, parsed.host.lower(), port, steps


def check(url: str, allowed: Iterable[str]) -> None:
    """Raises UsageError for an address that the settings do not allow."""
    try:
        wanted = parts(url)
    except ValueError as error:
        raise UsageError(str(error)) from None
    for each in allowed:
        known = parts(each)
        if wanted[:3] == known[:3] and wanted[3][: len(known[3])] == known[3]:
            return
    raise UsageError(f"{url} is not allowed: the administrator names what may be called in schedule.webhooks")


async def post(
    url: str, message: Mapping[str, Any], *, allowed: Iterable[str], secret_file: str, delivery: str,
    transport: httpx.AsyncBaseTransport | None = None,
) -> None:  # fmt: skip
    """Deliver a message, with retries. `delivery` is the same each time it is sent, so that the receiver can tell.
    Redirects are not followed. Raises UsageError, or HayrickError when it was not taken."""
    check(url, allowed)
    headers = {"X-Hayrick-Delivery": delivery}
    if secret_file:
        headers["Authorization"] = f"Bearer {await asyncio.to_thread(_secret, secret_file)}"
    async with httpx.AsyncClient(
        timeout=_TIMEOUT, trust_env=False, follow_redirects=False, transport=transport
    ) as client:
        for pause in (*PAUSES, None):
            reason = await _try(client, url, message, headers)
            if not reason:
                return
            if pause is None:
                raise HayrickError(f"{url}: {reason}")
            await asyncio.sleep(pause)


async def _try(client: httpx.AsyncClient, url: str, message: Mapping[str, Any], headers: dict[str, str]) -> str:
    """Empty when it was taken, otherwise why not."""
    try:
        async with client.stream("POST", url, json=message, headers=headers) as answer:  # its body is not wanted
            return "" if answer.is_success else f"answered {answer.status_code}"
    except httpx.HTTPError as error:
        return str(error) or type(error).__name__


def _secret(name: str) -> str:
    return Path(name).expanduser().read_text().strip()
