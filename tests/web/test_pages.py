"""Each page does what its name says: a session down to its bytes, uploads, sums, how the collector is."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.collector.captures import http_exchange, write_pcap
from tests.system.collector_process import Running, collector
from tests.web.conftest import SECONDS, opened
from tests.web.traffic import TEXT

AXE = Path(__file__).resolve().parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
PAGES = (
    "/sessions", "/session/", "/session/?show=conversation", "/session/?show=packets", "/session/?show=files",
    "/session/?show=notes",
    "/explore", "/connections", "/map", "/upload", "/statistics", "/hunts", "/schedules", "/cases", "/lists", "/shares",
    "/account", "/users", "/audit", "/api",
)  # fmt: skip
RULES = """async (rules) => {
  const { violations } = await axe.run({ resultTypes: ["violations"], ...(rules && { runOnly: rules }) });
  return violations.map((each) => [each.id, each.nodes[0].html]);
}"""


@pytest.fixture
def fresh(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A page of a collector of its own, on which nobody has an account."""
    with collector(tmp_path / "data", tmp_path / "collector.log") as running:
        context = browser.new_context(base_url=running.url)
        context.set_default_timeout(SECONDS * 1000)
        yield context.new_page()
        context.close()


@pytest.fixture
def session(running: Running) -> str:
    """The address of a session with files in it."""
    found = running.get("/api/sessions", expression="http.uri == *.txt")["items"]
    return f"/session/{found[0]['id']}"


def test_a_session_is_read_down_to_its_bytes(page: Page, session: str) -> None:
    page.goto(session)
    general = page.get_by_role("region", name="general")
    expect(general.get_by_text("firstPacket", exact=True)).to_be_visible()
    expect(page.get_by_role("region", name="http", exact=True)).to_contain_text("www.example")

    page.get_by_role("tab", name="Conversation").click()
    expect(page.get_by_role("article", name="Client").first).to_contain_text("GET ")
    expect(page.get_by_role("article", name="Server").first).to_contain_text("HTTP/1.1 200")
    page.get_by_label("hex").check()
    expect(page.get_by_role("article", name="Client").first).to_contain_text("000000  47 45 54 20")

    page.get_by_role("tab", name="Packets").click()
    expect(page.get_by_role("img", name="13 packets in 3.00 s", exact=False)).to_be_visible()
    page.get_by_role("row").nth(1).get_by_role("button").click()
    expect(page.get_by_text("Internet Protocol Version 4").first).to_be_visible()
    page.get_by_text("Internet Protocol Version 4").first.click()
    expect(page.get_by_text("Time to Live").first).to_be_visible()

    page.get_by_role("tab", name="Files").click()
    expect(page.get_by_text(hashlib.sha256(TEXT.encode()).hexdigest())).to_be_visible()
    address = page.url
    page.reload()
    expect(page).to_have_url(address)
    expect(page.get_by_role("tab", name="Files")).to_have_attribute("aria-selected", "true")


def test_names_asked_for_stand_beside_their_answers(page: Page, running: Running) -> None:
    found = running.get("/api/sessions", expression="dns.answer.ip == 192.0.2.80")["items"]
    page.goto(f"/session/{found[0]['id']}")
    table = page.get_by_role("region", name="Names asked for")
    expect(table.get_by_role("row").filter(has_text="one.example")).to_contain_text("192.0.2.80")


def test_all_that_match_are_exported_as_they_are_found(page: Page) -> None:
    page.goto("/sessions")
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as begun:
        page.get_by_role("button", name="NDJSON whole sessions").click()
    assert len(Path(begun.value.path()).read_text("utf-8").splitlines()) == 707


def test_times_that_were_not_seen_are_red(page: Page) -> None:
    page.route("**/api/coverage?*", lambda route: route.fulfill(json=coverage()))
    page.goto("/statistics")
    line = page.get_by_role("img", name="edge/eth0: something is missing")
    expect(line.locator(".lack")).to_have_count(1)
    expect(line.locator(".good")).to_have_count(2)
    expect(page.get_by_text("90.00 %")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="tcpdump did not run")).to_contain_text("2026-01-01 00:00:00.400")


def coverage() -> dict[str, object]:
    """The API's answer about a second of which a tenth is missing."""
    start = 1_767_225_600_000
    spans = [
        [start, start + 400, "indexed"],
        [start + 400, start + 500, "down"],
        [start + 500, start + 1000, "indexed"],
    ]
    gap = {"start_ms": start + 400, "stop_ms": start + 500, "state": "down", "waiting": False, "reason": ""}
    stream = {
        "sensor": "edge", "stream": "eth0", "complete": False, "known": 1000, "covered": 900, "spans": spans,
        "gaps": [gap],
    }  # fmt: skip
    meanings = {"down": "not captured: tcpdump did not run", "indexed": "searchable"}
    return {"start_ms": start, "stop_ms": start + 1000, "streams": [stream], "meanings": meanings}


def test_packets_of_a_session_are_downloaded(page: Page, session: str) -> None:
    page.goto(session)
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as begun:
        page.get_by_role("button", name="PCAP packets", exact=True).click()
    assert Path(begun.value.path()).read_bytes()[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1")


def test_values_of_fields_are_explored(page: Page) -> None:
    page.goto("/explore?field=host.http,ip.src&expression=protocols == http")
    facet = page.get_by_role("region", name="host.http")
    expect(facet.get_by_role("button", name="www.example")).to_be_visible()
    page.get_by_role("group", name="Values by").get_by_role("button", name="bytes").click()
    expect(page).to_have_url(re.compile("by=bytes"))
    expect(facet.get_by_text(re.compile("[kM]B"))).to_be_visible()
    facet.get_by_role("button", name="host.http over time").click()
    expect(page.get_by_role("region", name="Over time").get_by_text("www.example")).to_be_visible()
    with page.expect_download() as begun:
        facet.get_by_role("link", name="All values of host.http").click()
    lines = Path(begun.value.path()).read_text("utf-8").splitlines()
    assert [json.loads(each) for each in lines] == [{"value": "www.example", "sessions": 6}]


def test_a_capture_is_uploaded_and_its_sessions_are_found(fresh: Page, tmp_path: Path) -> None:
    path = write_pcap(tmp_path / "later.pcap", http_exchange("/later", client="10.77.0.7"))
    fresh.goto("/upload")
    fresh.get_by_label("Tags").fill("case_web")
    fresh.locator("input[type=file]").set_input_files(path)
    expect(fresh.get_by_text("indexed, 1 session")).to_be_visible()
    fresh.get_by_role("link", name="its sessions").click()
    expect(fresh.get_by_text("1 session", exact=False).first).to_be_visible()
    expect(fresh.get_by_role("button", name="case_web").first).to_be_visible()


def test_how_the_collector_is_and_its_api_are_told(page: Page, running: Running) -> None:
    page.goto("/statistics")
    packets = running.get("/api/status")["totals"]["packets"]
    expect(page.get_by_role("definition").filter(has_text=f"{packets:,}")).to_be_visible()
    page.goto("/api")
    expect(page.get_by_role("heading", name="GET /api/sessions", exact=True)).to_be_visible()


@pytest.fixture(scope="module")
def shared(browser: Browser, running: Running) -> Iterator[Page]:
    """One page for all that are only looked at: a browser's context a page would take as long as the looking."""
    with opened(browser, running) as made:
        yield made


@pytest.mark.parametrize("address", PAGES)
def test_no_page_shuts_anybody_out(shared: Page, session: str, address: str) -> None:
    """By the rules of axe; in the dark, by those about colours."""
    shared.emulate_media(color_scheme="light")
    shared.goto(address.replace("/session/", session))
    shared.wait_for_load_state("networkidle")
    shared.evaluate(AXE.read_text("utf-8"))
    assert shared.evaluate(RULES, None) == []
    shared.emulate_media(color_scheme="dark")
    assert shared.evaluate(RULES, ["color-contrast", "link-in-text-block"]) == []
