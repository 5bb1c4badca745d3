"""What packets hold is text and nothing else: no script in it runs, no sign in it turns or hides the text around it,
and its length pushes nothing out of the page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from tests.system.collector_process import Running

HIDDEN = r"() => document.body.innerText.match(/[^\P{Cc}\t\n]|[\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu)"
AT_REST = "() => [window.hurt ?? null, document.scrollingElement.scrollWidth <= innerWidth]"
THUMBNAIL = "img[src^='/api/sessions/']"  # a picture of the collector's own making
ELEMENTS = f"""() => [...document.querySelectorAll("main :is(script, iframe, object, img:not({THUMBNAIL}))")]
    .map((each) => each.outerHTML)"""


def assert_calm(page: Page) -> None:
    """Nothing ran, nothing is wider than the page, and no sign acts on the text around it."""
    assert page.evaluate(AT_REST) == [None, True]
    assert page.evaluate(HIDDEN) is None
    assert page.evaluate(ELEMENTS) == []


def sessions(running: Running) -> list[str]:
    """Of the sessions with hostile fields and of the one that carries files."""
    found = running.get("/api/sessions", expression="ip.src == [10.1.0.66,10.1.0.7]", sort="firstPacket:asc")["items"]
    return [str(each["id"]) for each in found]


@pytest.mark.parametrize("width", [1280, 820])
def test_hostile_values_stay_text_in_the_table_and_their_row(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/sessions?expression=ip.src == 10.1.0.66&columns=time,info,http.user-agent,http.uri&facets=http.uri")
    rows = page.get_by_role("region", name="Sessions").locator("tbody tr[aria-rowindex]")
    expect(rows).to_have_count(5)
    expect(rows.filter(has_text="<script>").first).to_be_visible()
    expect(rows.filter(has_text=r"\u{202e}").first).to_be_visible()
    assert set(rows.evaluate_all("rows => rows.map((row) => row.clientHeight)")) == {27}
    assert_calm(page)


def test_hostile_sessions_are_read_without_harm(page: Page, running: Running) -> None:
    for session in sessions(running):
        for part, sign in (("", "http"), ("conversation", "HTTP/1.1"), ("packets", "HTTP"), ("files", "zip")):
            page.goto(f"/session/{session}?show={part}")
            expect(page.get_by_text(sign).first).to_be_visible()
            assert_calm(page)


def test_hostile_values_are_explored_and_asked_for_without_harm(page: Page) -> None:
    page.goto("/explore?field=http.user-agent,http.uri&expression=ip.src == 10.1.0.66")
    facet = page.get_by_role("region", name="http.user-agent")
    expect(facet.get_by_role("button", name="<script>")).to_be_visible()
    assert_calm(page)
    facet.get_by_role("button", name="<script>").click()
    assert_calm(page)
    page.get_by_role("button", name="Only with this").click()
    expect(page.get_by_role("region", name="http.uri").get_by_role("listitem")).to_have_count(1)
    assert_calm(page)
