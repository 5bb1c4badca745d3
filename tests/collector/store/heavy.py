"""Few sessions that some questions take minutes and gigabytes for: what a hostile user would send and ask."""

from __future__ import annotations

from tests.collector.store.batches import DocumentBatch
from tests.collector.store.sessions import batch, session

ENDLESS = ("http.uri", "http.uri")  # ends of a graph: half a million pairs in each session
_SESSIONS, _URIS = 300, 700


def heavy() -> DocumentBatch:
    """One chunk, "one"."""
    uris = [f"{'a' * 60}{number}/{'ab' * 40}" for number in range(_URIS)]
    sessions = (session(f"{number:03d}", http={"uri": uris}, protocol=["http"]) for number in range(_SESSIONS))
    return batch(*sessions)
