"""A real collector with a capture in it, and Debian's Chromium in front of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.system.collector_process import Running, collector, wait_until
from tests.web.traffic import capture

SECONDS = 20.0  # in all a browser's step may take on a busy machine
expect.set_options(timeout=SECONDS * 1000)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The collector, once the capture is searchable."""
    folder = tmp_path_factory.mktemp("web")
    with collector(folder / "data", folder / "collector.log") as started:
        upload(started, capture(folder / "office.pcap"))
        yield started


def upload(running: Running, path: Path) -> str:
    """Have a capture indexed; returns its key."""
    answer = httpx.post(f"{running.url}/api/ingest", params={"name": path.name}, content=path.read_bytes())
    key = str(answer.json()["key"])
    wait_until(lambda: running.get(f"/api/chunks/{key}")["chunk"]["state"] == "indexed", "the capture to be indexed")
    return key


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not for the whole run: while Playwright is there its event loop runs, and no other test could run one."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "the page's tests need chromium"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@contextmanager
def opened(browser: Browser, running: Running) -> Iterator[Page]:
    """A page; whatever its code throws, or its policy refuses, fails at the end."""
    context = browser.new_context(base_url=running.url, viewport={"width": 1280, "height": 800})
    context.set_default_timeout(SECONDS * 1000)
    page = context.new_page()
    trouble: list[str] = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", lambda said: trouble.append(said.text) if "Content Security Policy" in said.text else None)
    page.on("dialog", lambda dialog: trouble.append(f"dialog: {dialog.message}"))
    yield page
    context.close()
    assert trouble == []


@pytest.fixture
def page(browser: Browser, running: Running) -> Iterator[Page]:
    """A page of the test's own."""
    with opened(browser, running) as made:
        yield made
