"""What is looked for beyond single sessions: values over time, connections as a graph, hunts, schedules."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Page, expect
from tests.system.collector_process import Running

PATH = "**/api/graph?*"
HANDS = 300  # servers of the large graph
COUNTS = {"AT": 41, "DE": 7}  # sessions
LEAVES = 10  # clients of each
SLOWEST = """() => new Promise((resolve) => {
  const lengths = [];
  let last = performance.now();
  const next = (now) => {
    lengths.push(now - last);
    last = now;
    if (lengths.length < 40) return requestAnimationFrame(next);
    resolve(lengths.sort((one, other) => one - other)[20]);
  };
  requestAnimationFrame(next);
})"""
DRAWN = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.some((each, index) => index % 4 === 3 && each > 0);
}"""


def large() -> str:
    """The answer to a question for connections: thousands of nodes and links."""
    amounts = {"sessions": 3, "packets": 9, "bytes": 900}
    nodes = [{"value": f"10.0.0.{hand}", "side": "destination", "links": LEAVES, **amounts} for hand in range(HANDS)]
    links = []
    for hand in range(HANDS):
        for leaf in range(LEAVES):
            name = f"10.1.{hand}.{leaf}"
            nodes.append({"value": name, "side": "source", "links": 2, **amounts})
            links += [{"source": name, "destination": f"10.0.0.{to % HANDS}", **amounts} for to in (hand, hand + 1)]
    return json.dumps({"nodes": nodes, "links": links, "more": True})


def test_connections_are_drawn_and_narrowed_by_their_links(page: Page, running: Running) -> None:
    page.goto("/connections?source=ip.src&destination=host.http")
    expect(page.get_by_role("img", name="Graph of 3 values and 2 links")).to_be_visible()
    table = page.get_by_role("region", name="Heaviest links")
    table.get_by_role("button", name="10.1.0.66").click()
    page.get_by_role("button", name="Without this").click()
    expect(page.get_by_role("img", name="Graph of 2 values and 1 link")).to_be_visible()
    page.get_by_label("to").last.select_option("port.dst")
    expect(page).to_have_url(re.compile("destination=port.dst"))
    expect(table.get_by_role("button", name="80", exact=True)).to_be_visible()


def test_thousands_of_nodes_leave_the_page_free(page: Page) -> None:
    answer = large()
    page.route(PATH, lambda route: route.fulfill(body=answer, content_type="application/json"))
    page.goto("/connections")
    canvas = page.get_by_role("img", name="Graph of 3,300 values and 6,000 links")
    expect(canvas).to_be_visible()
    assert page.evaluate(SLOWEST) < 250  # ms from one frame to the next, on a busy machine
    assert canvas.evaluate(DRAWN)
    canvas.focus()
    for key in ("+", "ArrowLeft", "-", "0"):
        page.keyboard.press(key)
    expect(page.get_by_text("3,300 values, 6,000 links, and more")).to_be_visible()


def test_hunt_is_begun_followed_and_its_finds_are_shown(page: Page) -> None:
    page.goto("/sessions?expression=protocols == http")
    page.get_by_role("link", name="Hunts").click()
    page.get_by_role("button", name="New hunt").click()
    page.get_by_label("Name").fill("png")
    page.get_by_label("Look for").select_option("hex")
    page.get_by_label("Pattern").fill("zz")
    page.get_by_role("button", name="Hunt", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("pairs of digits")
    page.get_by_label("Pattern").fill("89 50 4e 47")
    page.get_by_role("button", name="Hunt", exact=True).click()
    hunt = page.get_by_role("article", name="png")
    expect(hunt.get_by_text("done")).to_be_visible()
    hunt.get_by_role("link", name="1 session found").click()
    expect(page.get_by_role("combobox", name="Expression")).to_have_value("tags == hunt:png")
    expect(page.get_by_text("1 session", exact=False).first).to_be_visible()
    page.goto("/hunts")
    hunt.get_by_role("button", name="Forget").click()
    hunt.get_by_role("button", name="Really forget").click()
    expect(hunt).to_be_hidden()


def test_schedule_is_made_run_and_forgotten(page: Page) -> None:
    page.goto("/schedules?expression=protocols == http")
    page.get_by_role("button", name="New schedule").click()
    page.get_by_label("Name").fill("web")
    page.get_by_label("Tags").fill("seen_web")
    page.get_by_label("the first run is about all").check()
    page.get_by_role("button", name="Begin").click()
    row = page.get_by_role("row").filter(has_text="tags seen_web")
    row.get_by_role("button", name="Run web now").click()
    expect(row.get_by_role("cell", name="6", exact=True)).to_be_visible()
    row.get_by_role("button", name="Forget web").click()
    row.get_by_role("button", name="Really forget web").click()
    expect(row).to_be_hidden()


def test_countries_are_shown_on_a_map_where_geography_is_given(page: Page) -> None:
    page.goto("/sessions")
    expect(page.get_by_role("navigation", name="Pages")).to_be_visible()
    given = page.request.get("/api/fields").json()
    field = {"kind": "termfield", "multi": False, "any_of": [], "group": "general", "help": "Country"}
    names = {"country.src": "source.geo.country_iso_code", "country.dst": "destination.geo.country_iso_code"}
    known = {each["expression"] for each in given["items"]}
    more = [{**field, "expression": name, "document": names[name]} for name in names if name not in known]
    page.route("**/api/fields", lambda route: route.fulfill(json={"items": given["items"] + more}))
    counted = [{"value": code, "sessions": count, "packets": count, "bytes": 1000} for code, count in COUNTS.items()]
    page.route("**/api/facets?*", lambda route: route.fulfill(json={"field": "country.dst", "items": counted}))
    page.reload()
    page.get_by_role("link", name="Map").click()
    expect(page.get_by_role("img", name="World, darker where there are more sessions")).to_be_visible()
    expect(page.locator("path.found")).to_have_count(2)
    page.get_by_role("region", name="Countries").get_by_role("button", name="Austria").click()
    page.get_by_role("button", name="Only with this").click()
    expect(page.get_by_role("combobox", name="Expression")).to_have_value("country.dst == AT")
