"""What people do together, each in a browser of their own: tags, notes, cases, links, lists, and who did what."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from tests.system.collector_process import Running, collector
from tests.web.conftest import SECONDS, upload
from tests.web.traffic import capture

PASSWORD = "a long enough password"
SHARE = """async (expression) => {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch("/api/shares", { method: "POST", headers, body: JSON.stringify({ expression }) });
  return answer.json();
}"""


def a_page(browser: Browser, running: Running) -> Page:
    """Of a browser that nobody is logged in."""
    context = browser.new_context(base_url=running.url, viewport={"width": 1280, "height": 800})
    context.set_default_timeout(SECONDS * 1000)
    return context.new_page()


@dataclass
class Office:
    """A collector with accounts, its administrator's page, and a way to log in somebody else."""

    running: Running
    browser: Browser
    admin: Page

    def page(self) -> Page:
        return a_page(self.browser, self.running)

    def log_in(self, name: str) -> Page:
        page = self.page()
        page.goto("/sessions")
        enter(page, name)
        expect(page.get_by_role("navigation", name="Pages")).to_be_visible()
        return page


def enter(page: Page, name: str, password: str = PASSWORD) -> None:
    """Fill in what a login asks for."""
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


@pytest.fixture(scope="module")
def office(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """With a capture, and the first administrator, who came by the link that the collector printed."""
    folder = tmp_path_factory.mktemp("office")
    log = folder / "collector.log"
    with collector(folder / "data", log) as running:
        upload(running, capture(folder / "office.pcap"))
        admin = a_page(browser, running)
        link = re.search(r"/setup#\S+", log.read_text())
        assert link is not None
        admin.goto(link[0])
        admin.get_by_label("Password", exact=True).fill(PASSWORD)
        admin.get_by_label("Password again").fill(PASSWORD)
        admin.get_by_role("button", name="Begin").click()
        expect(admin.get_by_role("navigation", name="Pages")).to_be_visible()
        yield Office(running, browser, admin)


@pytest.fixture(scope="module")
def ann(office: Office) -> Page:
    """Her page: the administrator makes her a tagger who sees one machine's sessions only, then gives her all."""
    office.admin.goto("/users")
    office.admin.get_by_role("button", name="New user").click()
    office.admin.get_by_label("Name").fill("ann")
    office.admin.get_by_label("Role").select_option("tagger")
    office.admin.get_by_label("Sees only").fill("ip == 10.1.0.66")
    office.admin.get_by_label("Password").fill(PASSWORD)
    office.admin.get_by_role("button", name="Save").click()
    expect(office.admin.get_by_role("cell", name="ip == 10.1.0.66")).to_be_visible()
    page = office.log_in("ann")
    expect(page.get_by_text("5 sessions")).to_be_visible()
    office.admin.get_by_role("button", name="Edit ann").click()
    office.admin.get_by_label("Sees only").fill("")
    office.admin.get_by_role("button", name="Save").click()
    expect(office.admin.get_by_role("cell", name="ip == 10.1.0.66")).to_be_hidden()
    return office.log_in("ann")


def answer(page: Page, path: str) -> int:
    """The status of a request with the page's cookie."""
    return page.request.get(path).status


def test_who_logged_out_must_log_in_again_and_a_link_needs_no_login(office: Office) -> None:
    page = office.log_in("admin")
    made = page.evaluate(SHARE, "port.dst == 80")
    page.get_by_role("button", name="admin").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()

    page.goto("/sessions?expression=port.dst == 80")
    enter(page, "admin", "wrong")
    expect(page.get_by_role("alert")).to_be_visible()
    enter(page, "admin")
    expect(page).to_have_url(re.compile(r"/sessions\?expression=port.dst"))

    stranger = office.page()
    assert answer(stranger, "/api/sessions") == 401
    stranger.goto(made["link"])
    expect(stranger.get_by_role("combobox", name="Expression")).to_have_value("port.dst == 80")


def test_logging_in_leads_to_no_other_site(office: Office) -> None:
    page = office.page()
    ours = urlsplit(office.running.url).netloc
    for elsewhere in ("https://elsewhere.example/", "//elsewhere.example/", "/\\elsewhere.example"):
        page.context.clear_cookies()
        page.goto(f"/login?next={elsewhere}")
        enter(page, "admin")
        expect(page.get_by_role("navigation", name="Pages")).to_be_visible()
        assert urlsplit(page.url)[1:3] == (ours, "/sessions")


def test_page_offers_each_only_what_the_role_may(office: Office, ann: Page) -> None:
    for page, shown in ((office.admin, True), (ann, False)):
        page.goto("/sessions")
        page.get_by_role("button", name="▾").and_(page.locator("header button")).click()
        expect(page.get_by_role("link", name="Lists")).to_be_visible()
        expect(page.get_by_role("link", name="Audit log")).to_be_visible(visible=shown)
        expect(page.get_by_role("link", name="Users")).to_be_visible(visible=shown)
    assert (answer(ann, "/api/users"), answer(ann, "/api/audit")) == (403, 403)


def test_hundreds_are_tagged_at_once_and_others_see_it(office: Office, ann: Page) -> None:
    ann.goto("/sessions?expression=protocols == dns")
    ann.get_by_role("button", name="Tag ▾").click()
    ann.get_by_label("Tags", exact=True).fill("names_asked")
    ann.get_by_role("button", name="Add", exact=True).click()
    expect(ann.get_by_text("Tagged 701 sessions.")).to_be_visible()
    office.admin.goto("/sessions?expression=tags == names_asked")
    expect(office.admin.get_by_text("701 sessions")).to_be_visible()


def test_case_is_opened_filled_from_the_table_and_handed_out(office: Office, ann: Page) -> None:
    ann.goto("/cases")
    ann.get_by_role("button", name="Open a case").click()
    ann.get_by_label("Name").fill("lab")
    ann.get_by_label("Title").fill("What the <b>lab</b> sent")
    ann.get_by_role("dialog").get_by_role("button", name="Open", exact=True).click()
    expect(ann.get_by_role("heading", name="What the <b>lab</b> sent")).to_be_visible()

    ann.goto("/sessions?expression=protocols == http")
    ann.get_by_role("checkbox", name="Choose this session").first.check()
    ann.get_by_role("checkbox", name="Choose this session").nth(1).check()
    ann.get_by_role("button", name="Tag ▾").click()
    ann.get_by_label("Case").select_option("lab")
    ann.get_by_role("button", name="Take in").click()
    expect(ann.get_by_text("2 sessions in lab.")).to_be_visible()

    office.admin.goto("/cases")
    office.admin.get_by_role("link", name="lab").click()
    expect(office.admin.get_by_role("link", name="2 sessions")).to_be_visible()
    expect(office.admin.get_by_role("cell", name="office.pcap")).to_be_visible()
    with office.admin.expect_download() as begun:
        office.admin.get_by_role("link", name="Evidence zip").click()
    with zipfile.ZipFile(io.BytesIO(Path(begun.value.path()).read_bytes())) as zipped:
        assert zipped.testzip() is None


def test_notes_are_read_by_all_and_changed_by_who_wrote_them(office: Office, ann: Page) -> None:
    session = office.admin.request.get("/api/sessions?expression=protocols == http&limit=1").json()["items"][0]["id"]
    for page in (ann, office.admin):
        page.goto(f"/session/{session}?show=notes")
    ann.get_by_label("New note").fill("beacon <script>window.hurt=1</script>\nevery minute")
    ann.get_by_role("button", name="Add note").click()
    expect(ann.get_by_role("article", name="Note of ann")).to_contain_text("every minute")
    office.admin.reload()
    note = office.admin.get_by_role("article", name="Note of ann")
    expect(note).to_contain_text("<script>")
    expect(note.get_by_role("button", name="Edit")).to_be_hidden()
    ann.get_by_role("button", name="Edit").click()
    ann.get_by_label("Note", exact=True).fill("settled")
    ann.get_by_role("button", name="Save").click()
    expect(ann.get_by_role("article", name="Note of ann")).to_contain_text("settled")
    expect(ann.get_by_role("tab", name="Notes 1")).to_be_visible()


def test_link_shows_one_session_to_a_stranger_until_it_is_ended(office: Office, ann: Page) -> None:
    ann.goto("/sessions?expression=protocols == http")
    ann.get_by_role("region", name="Sessions").get_by_role("link").first.click()
    ann.get_by_role("button", name="Share").click()
    ann.get_by_label("Title").fill("for the provider")
    ann.get_by_role("button", name="Make a link").click()
    link = ann.get_by_role("textbox", name="The link").input_value()

    stranger = office.page()
    stranger.goto(link)
    expect(stranger.get_by_role("region", name="http", exact=True)).to_be_visible()
    assert answer(stranger, "/api/notes") == 403
    assert stranger.request.get("/api/sessions").json()["total"] == 1
    ann.goto("/shares")
    ann.get_by_role("button", name="End for the provider").click()
    ann.get_by_role("button", name="Really end for the provider").click()
    expect(ann.get_by_text("Nothing is shared.", exact=False)).to_be_visible()
    assert answer(stranger, "/api/sessions") == 401


def test_token_is_told_once_works_and_is_revoked(office: Office, ann: Page) -> None:
    ann.goto("/account")
    ann.get_by_role("button", name="New token").click()
    ann.get_by_label("What for").fill("nightly")
    ann.get_by_role("button", name="Make").click()
    secret = ann.get_by_role("textbox", name="The new token").input_value()
    ask = {"Authorization": f"Bearer {secret}"}
    assert httpx.get(f"{office.running.url}/api/me", headers=ask).json()["role"] == "viewer"
    ann.reload()
    expect(ann.get_by_role("cell", name="nightly", exact=True)).to_be_visible()
    expect(ann.get_by_role("textbox", name="The new token")).to_be_hidden()
    ann.get_by_role("button", name="Revoke nightly").click()
    ann.get_by_role("button", name="Really revoke nightly").click()
    expect(ann.get_by_role("cell", name="nightly", exact=True)).to_be_hidden()
    assert httpx.get(f"{office.running.url}/api/me", headers=ask).status_code == 401


def test_list_is_kept_and_searched_by(ann: Page) -> None:
    ann.goto("/lists")
    ann.get_by_role("button", name="New list").click()
    ann.get_by_label("Name").fill("bad")
    ann.get_by_label("Values").fill("10.1.0.66\n10.99.0.0/16\n")
    ann.get_by_role("button", name="Save").click()
    ann.get_by_role("link", name="$bad").click()
    expect(ann.get_by_role("combobox", name="Expression")).to_have_value("ip == $bad")
    expect(ann.get_by_text("5 sessions")).to_be_visible()


def test_audit_log_tells_who_tagged_what(office: Office, ann: Page) -> None:
    ann.request.get("/api/sessions?expression=port.dst == 4711")
    office.admin.goto("/audit")
    office.admin.get_by_label("Person").fill("ann")
    office.admin.get_by_label("Person").press("Enter")
    row = office.admin.get_by_role("row").filter(has_text="port.dst == 4711")
    expect(row.get_by_role("cell", name="search", exact=True)).to_be_visible()
    expect(office.admin.get_by_role("cell", name="admin", exact=True)).to_have_count(0)


def test_the_whole_menu_fits_a_tablet_however_long_the_name(office: Office) -> None:
    name = "wilhelmine.von.und.zu.hohenfels"
    office.admin.goto("/users")
    office.admin.get_by_role("button", name="New user").click()
    office.admin.get_by_label("Name").fill(name)
    office.admin.get_by_label("Role").select_option("admin")
    office.admin.get_by_label("Password").fill(PASSWORD)
    office.admin.get_by_role("button", name="Save").click()
    expect(office.admin.get_by_role("cell", name=name, exact=True)).to_be_visible()
    page = office.log_in(name)
    page.set_viewport_size({"width": 820, "height": 800})
    menu = page.get_by_role("navigation", name="Pages")
    expect(menu.get_by_role("link", name="Statistics")).to_be_in_viewport(ratio=1)
    assert menu.evaluate("(menu) => menu.scrollWidth <= menu.clientWidth")
    assert page.evaluate("() => document.scrollingElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name=name).click()
    expect(page.get_by_role("link", name="Account")).to_be_visible()
