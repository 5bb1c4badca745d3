"""Images in a session's files are seen as small pictures; one that cannot be read is said to be so."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect
from tests.collector.captures import write_pcap
from tests.system.collector_process import Running, collector
from tests.web.conftest import opened, upload
from tests.web.traffic import HTML, PNG, SVG, connection, get, ok


def picture(kind: str, size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    Image.effect_mandelbrot(size, (-2.2, -1.2, 0.8, 1.2), 60).convert("RGB").save(out, kind)
    return out.getvalue()


@pytest.fixture
def pictures(tmp_path: Path) -> Iterator[Running]:
    """A collector with a session that carries two pictures and three things that only claim to be."""
    bodies = [
        picture("JPEG", (800, 500)), picture("PNG", (90, 300)) + HTML.encode(), PNG, SVG, b"GIF89a" + HTML.encode(),
    ]  # fmt: skip
    frames = connection(
        [(get(b"/%d" % number), ok(body, b"image/png")) for number, body in enumerate(bodies)], client="10.1.0.8"
    )
    with collector(tmp_path / "data", tmp_path / "log") as running:
        upload(running, write_pcap(tmp_path / "pictures.pcap", frames))
        yield running


def test_pictures_are_seen_and_what_only_claims_to_be_one_is_not(browser: Browser, pictures: Running) -> None:
    [session] = pictures.get("/api/sessions", fields="id")["items"]
    with opened(browser, pictures) as page:
        page.goto(f"/session/{session['id']}?show=files")
        expect(page.get_by_text("no picture: cannot be read")).to_have_count(2)
        shown = page.get_by_role("img", name="thumbnail")
        expect(shown).to_have_count(2)
        page.wait_for_function("() => [...document.querySelectorAll('td img')].every((each) => each.complete)")
        assert shown.evaluate_all("all => all.map((each) => [each.naturalWidth, each.naturalHeight])") == [
            [160, 100], [48, 160],
        ]  # fmt: skip
        for width in (1280, 820):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("() => [window.hurt, document.scrollingElement.scrollWidth <= innerWidth]") == [
                None, True,
            ]  # fmt: skip
