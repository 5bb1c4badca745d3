"""Which index of its day a session goes to: a day gets a further one once the last has grown large.

No alias and no job of the cluster's is needed for that. A chunk that is indexed again is looked up first, so that each
of its sessions meets the document it replaces.
"""

from __future__ import annotations

import time

from elasticsearch import Elasticsearch

from hayrick_collector.store.elasticsearch.connection import Cluster
from hayrick_collector.store.elasticsearch.failures import translated

FRESH_S = 20.0  # how long a size is believed
_newest: dict[tuple[Cluster, str], tuple[float, str]] = {}


class Parts:
    """The indices of one chunk's sessions; a chunk never spreads over two of a day."""

    def __init__(self, client: Elasticsearch, cluster: Cluster, chunk: str, *, again: bool) -> None:
        self._client, self._cluster = client, cluster
        self._before = self._where(chunk) if again else {}
        self._of_day: dict[str, str] = {}

    def index(self, session_id: str) -> str:
        """Where the session with this id (or with one that begins so: six digits of its day) belongs."""
        index = self._of_day.get(session_id[:6])
        if index is None:
            day = self._cluster.day(session_id)
            with translated():
                index = self._before.get(day) or newest(self._client, self._cluster, day)
            self._of_day[session_id[:6]] = index
        return index

    def used(self) -> list[str]:
        """The indices of the sessions asked for."""
        return sorted(self._of_day.values())

    def all_of_days(self) -> list[str]:
        """Patterns of every index that the days of these sessions have."""
        return [f"{self._cluster.day(each)}*" for each in sorted(self._of_day)]

    def _where(self, chunk: str) -> dict[str, str]:
        self._client.indices.refresh(index=self._cluster.sessions, ignore_unavailable=True)
        found = self._client.search(
            index=self._cluster.sessions,
            query={"term": {"chunk": chunk}},
            size=0,
            aggs={"where": {"terms": {"field": "_index", "size": 10_000, "order": {"_key": "desc"}}}},
            allow_partial_search_results=False,
        )
        buckets = found.get("aggregations", {}).get("where", {}).get("buckets", ())
        return {self._cluster.first_part(each["key"]): self._cluster.called(each["key"]) for each in buckets}


def newest(client: Elasticsearch, cluster: Cluster, day: str) -> str:
    """The index that takes new chunks' sessions of this day."""
    if not cluster.rollover_gigabytes:
        return day
    asked, index = _newest.get((cluster, day), (0.0, ""))
    if index and time.monotonic() - asked < FRESH_S:
        return index
    found = client.indices.stats(index=f"{day}*", metric="store", level="indices").get("indices", {})
    sizes = {cluster.called(name): each["primaries"]["store"]["size_in_bytes"] for name, each in found.items()}
    index = max(sizes, default=day)
    if sizes.get(index, -1) >= cluster.rollover_gigabytes * 1e9:
        index = f"{day}-{int(index[len(day) + 1 :] or 0) + 1:03d}"
    if len(_newest) > 1_000:
        _newest.clear()
    _newest[cluster, day] = time.monotonic(), index
    return index
