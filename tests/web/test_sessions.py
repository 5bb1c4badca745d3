"""The sessions page in a real browser: what is typed, clicked and dragged gives the sessions it should, and the address
alone brings all of it back."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, expect
from tests.system.collector_process import Running


def ask(page: Page, expression: str) -> None:
    """Type an expression and search."""
    box = page.get_by_role("combobox", name="Expression")
    box.fill(expression)
    box.press("Escape")
    box.press("Enter")


def test_expression_is_searched_and_its_address_brings_it_back(page: Page, browser: Browser, running: Running) -> None:
    page.goto("/")
    expect(page.get_by_text("707 sessions")).to_be_visible()
    ask(page, "protocols == http")
    expect(page.get_by_text("6 sessions")).to_be_visible()
    page.get_by_role("columnheader", name="Bytes").get_by_role("button").click()
    page.get_by_role("button", name="packets", exact=True).click()
    expect(page).to_have_url(re.compile("metric=packets"))
    with browser.new_context(base_url=running.url) as context:
        other = context.new_page()
        other.goto(page.url)
        expect(other.get_by_text("6 sessions")).to_be_visible()
        expect(other.get_by_role("combobox", name="Expression")).to_have_value("protocols == http")
        expect(other.get_by_role("columnheader", name="Bytes")).to_have_attribute("aria-sort", "descending")
        expect(other.get_by_role("button", name="packets", exact=True)).to_have_attribute("aria-pressed", "true")


def test_mistake_is_underlined_where_it_is_and_a_likely_name_offered(page: Page) -> None:
    page.goto("/sessions?expression=" + "protocols == dns %26%26 host.dsn == x")
    expect(page.get_by_role("alert")).to_contain_text("host.dsn")
    expect(page.locator(".mirror u")).to_have_text("host.dsn")
    page.get_by_role("alert").get_by_role("button", name="host.dns", exact=True).click()
    expect(page.get_by_text("No session matches.")).to_be_visible()
    expect(page.get_by_role("combobox", name="Expression")).to_have_value("protocols == dns && host.dns == x")


def test_completion_writes_an_expression_by_keys_alone(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_text("707 sessions")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("host.htt")
    offers = page.get_by_role("listbox", name="Offers")
    expect(offers).to_have_attribute("aria-busy", "false")
    expect(page.get_by_role("option").first).to_contain_text("host.http")
    page.keyboard.press("Tab")
    expect(page.get_by_role("option").filter(has_text="==").first).to_be_visible()
    page.keyboard.type("== www")
    expect(offers).to_have_attribute("aria-busy", "false")
    expect(page.get_by_role("option").first).to_contain_text("www.example")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("combobox", name="Expression")).to_have_value(re.compile("host.http == www.example ?"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("6 sessions")).to_be_visible()


def test_value_is_added_to_the_expression_and_taken_from_it(page: Page) -> None:
    page.goto("/sessions?expression=protocols == http")
    page.get_by_role("region", name="Sessions").get_by_role("button", name="10.1.0.66").first.click()
    page.get_by_role("button", name="Without this").click()
    expect(page.get_by_role("combobox", name="Expression")).to_have_value("protocols == http && ip.src != 10.1.0.66")
    expect(page.get_by_text("1 session ", exact=False).first).to_be_visible()
    facet = page.get_by_role("complementary", name="Facets").get_by_role("region", name="ip.dst")
    expect(facet.get_by_role("button", name="10.8.8.8")).to_be_visible()


def test_thousands_scroll_by_with_few_rows_in_the_page(page: Page) -> None:
    page.goto("/sessions?sort=firstPacket:asc")
    table = page.get_by_role("region", name="Sessions")
    expect(table.get_by_role("link").first).to_be_visible()
    for _ in range(12):
        table.evaluate("each => each.scrollBy(0, 2500)")
        page.wait_for_timeout(60)
    table.evaluate("each => { each.scrollTop = each.scrollHeight }")
    expect(table.get_by_role("button", name="host699.example")).to_be_visible()
    assert table.locator("tbody tr").count() < 80
    expect(table.get_by_role("table")).to_have_attribute("aria-rowcount", "707")


def test_dragging_over_the_histogram_narrows_the_time(page: Page) -> None:
    page.goto("/")
    plot = page.get_by_role("region", name="Over time").locator(".u-over")
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 20, steps=5)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"from=17\d{11}&to=17\d{11}"))
    expect(page.get_by_label("From (UTC)")).to_have_value(re.compile("^2023-11-14T22:1"))
    expect(page.get_by_text(re.compile(r"^1\d\d sessions$"))).to_be_visible()


def test_columns_are_added_sorted_resized_and_kept(page: Page) -> None:
    page.goto("/sessions?expression=protocols == http")
    page.get_by_role("button", name="Columns").click()
    page.get_by_role("searchbox", name="Find a field").fill("http.user-agent")
    page.get_by_role("checkbox", name="http.user-agent", exact=False).first.check()
    page.keyboard.press("Escape")
    header = page.get_by_role("columnheader", name="http.user-agent", exact=False)
    expect(header).to_be_visible()
    edge = page.get_by_role("separator", name="Width of Source")
    before = int(edge.get_attribute("aria-valuenow") or 0)
    edge.focus()
    page.keyboard.press("ArrowRight")
    page.goto("/sessions")
    expect(header).to_be_visible()
    expect(page.get_by_role("separator", name="Width of Source")).to_have_attribute("aria-valuenow", str(before + 16))


def test_keys_walk_through_the_table_and_open_a_session(page: Page) -> None:
    page.goto("/sessions?expression=protocols == http%26%26ip.src == 10.1.0.7")
    expect(page.get_by_text("1 session", exact=False).first).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    page.keyboard.press("j")
    expect(page.locator("tr.current")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/session/"))
