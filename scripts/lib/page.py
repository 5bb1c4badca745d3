"""`bench page`: what a person waits for on the page with ten million sessions in the embedded store, by a real browser.

Each figure is the time till what was asked for is drawn, over many rounds: the median and the 95th percentile.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measuring import CACHE
from playwright.sync_api import Browser, Page, sync_playwright
from ship import collector
from synthetic import build

ROUNDS = 4  # of each search; as many of everything else as there are searches in all
NARROW = 880  # pixels, at which the page begins without facets
PATIENCE_MS = 120_000
SEARCHES = (
    "protocols == dns",
    "host.dns == *.top",
    "port.dst == 443 && packets > 2",
    "ip.src == 10.0.0.0/8",
    "protocols == tls",
)
PAINTED = """() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime"""
ROWS = """() => document.querySelector("[aria-label=Sessions] tbody tr[aria-rowindex]") && performance.now()"""
BEGIN = "() => { performance.clearResourceTimings(); window.begun = performance.now(); }"
# Milliseconds since BEGIN once an answer of a kind has come; asked in every frame, so what came is drawn then.
CAME = """(kind) => performance.getEntriesByType("resource").some((each) => new URL(each.name).pathname === kind)
  && performance.now() - (window.begun ?? 0)"""
DOWN = """() => {
  const box = document.querySelector("[aria-label=Sessions]");
  window.before = box.querySelector("table").ariaRowCount;
  window.begun = performance.now();
  box.scrollTop = box.scrollHeight;
}"""
MORE = """() => document.querySelector("[aria-label=Sessions] table").ariaRowCount !== window.before
  && performance.now() - window.begun"""
# Milliseconds between frames while the loaded rows go by, seven of them a frame.
FRAMES = """async () => {
  const box = document.querySelector("[aria-label=Sessions]");
  const frame = () => new Promise(requestAnimationFrame);
  const taken = [];
  box.scrollTop = 0;
  for (let last = await frame(); box.scrollTop + box.clientHeight < box.scrollHeight - 4000; ) {
    box.scrollTop += 200;
    const now = await frame();
    taken.push(now - last);
    last = now;
  }
  return taken;
}"""


def page(capture: Path, sessions: int = 10_000_000) -> None:
    """A line for each thing that is waited for."""
    with _served(build(capture, CACHE, sessions)) as url, sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for part in (_openings, _scrolls, _searches):
            for name, taken in part(browser, url).items():
                edge, middle = statistics.quantiles(taken, n=20)[-1], statistics.median(taken)
                told = f"{name:28} median {middle:6.0f} ms, 95th percentile {edge:6.0f} ms, {len(taken)} times"
                print(told, flush=True)
        browser.close()


@contextmanager
def _served(store: Path) -> Iterator[str]:
    """A collector with links to the store's files; where its page is."""
    with tempfile.TemporaryDirectory(prefix="page-", dir=CACHE) as scratch:
        place = Path(scratch)
        shutil.copytree(store, place / "data" / "store", copy_function=_linked)
        with collector(place):
            yield (place / "collector.log").read_text().rpartition("page and API at ")[2].split()[0]


def _linked(source: str, target: str) -> None:
    if source.endswith(".parquet"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def _opened(browser: Browser, url: str, asked: str = "", width: int = 1280) -> Page:
    made = browser.new_context(viewport={"width": width, "height": 800}).new_page()
    made.set_default_timeout(PATIENCE_MS)
    made.goto(f"{url}/sessions{asked}")
    return made


def _awaited(shown: Page, what: str, argument: object = None) -> float:
    return float(shown.wait_for_function(what, arg=argument).json_value())


def _openings(browser: Browser, url: str) -> dict[str, list[float]]:
    """In a browser that has never seen the page; without facets, which would still be counted when it is closed."""
    found: dict[str, list[float]] = {"first paint": [], "first sessions": []}
    for _ in range(ROUNDS * len(SEARCHES)):
        shown = _opened(browser, url, width=NARROW)
        found["first sessions"].append(_awaited(shown, ROWS))
        found["first paint"].append(_awaited(shown, PAINTED))
        shown.context.close()
    return found


def _searches(browser: Browser, url: str) -> dict[str, list[float]]:
    """What is typed is searched; its time line and a facet follow."""
    shown = _opened(browser, url, "?facets=ip.dst")
    _awaited(shown, CAME, "/api/facets")
    kinds = {"search": "/api/sessions", "its time line": "/api/histogram", "a facet beside it": "/api/facets"}
    found: dict[str, list[float]] = {name: [] for name in kinds}
    box = shown.get_by_role("combobox", name="Expression")
    for expression in SEARCHES * ROUNDS:
        box.fill(expression)
        box.press("Escape")
        shown.evaluate(BEGIN)
        box.press("Enter")
        for name, kind in kinds.items():
            found[name].append(_awaited(shown, CAME, kind))
    shown.context.close()
    return found


def _scrolls(browser: Browser, url: str) -> dict[str, list[float]]:
    """To the end of what is loaded, over and over; then all of that goes by, frame by frame."""
    shown = _opened(browser, url, width=NARROW)
    _awaited(shown, ROWS)
    further = []
    for _ in range(ROUNDS * len(SEARCHES)):
        shown.evaluate(DOWN)
        further.append(_awaited(shown, MORE))
    frames = [float(each) for each in shown.evaluate(FRAMES)]
    shown.context.close()
    return {"scroll to 200 sessions more": further, "a frame while scrolling": frames}
