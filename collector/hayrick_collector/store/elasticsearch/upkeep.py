"""Changes to what is stored: tags, chunks and days that go, remains of writers that died; and the cluster's state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from elasticsearch import AsyncElasticsearch, NotFoundError

from hayrick_collector.store.elasticsearch import scripts
from hayrick_collector.store.elasticsearch.compiler import Dsl
from hayrick_collector.store.elasticsearch.connection import Cluster
from hayrick_collector.store.elasticsearch.writer import RETRIES
from hayrick_common.clock import epoch_ms
from hayrick_common.errors import StoreError

_ROUNDS = 20  # of a change that meets others' changes of the same sessions
_ABANDONED_MS = 24 * 3_600_000  # a chunk hidden for so long has no writer any more
_SPANS = {"first": {"min": {"field": "firstPacket"}}, "last": {"max": {"field": "lastPacket"}}}


class Upkeep:
    """Works on one cluster. Errors are the client's own, or StoreError."""

    def __init__(self, client: AsyncElasticsearch, cluster: Cluster) -> None:
        self._client, self._cluster = client, cluster

    async def tag(self, seen: Dsl, add: Sequence[str], remove: Sequence[str], timeout_s: float) -> int:
        """Change the tags of these sessions; returns how many they are."""
        client = self._client.options(request_timeout=timeout_s)
        await self._refresh()
        first: int | None = None
        for _ in range(_ROUNDS):
            answer = await client.update_by_query(
                index=self._cluster.sessions,
                query=seen,
                script=scripts.tag(add, remove),
                conflicts="proceed",
                refresh=True,
                ignore_unavailable=True,
            )
            first = int(answer["total"]) if first is None else first
            if not answer["version_conflicts"]:
                return first
        raise StoreError("these sessions change faster than they can be tagged; try again")

    async def has_chunk(self, chunk: str) -> bool:
        """Whether it was committed."""
        return bool(await self._client.exists(index=self._cluster.chunks, id=chunk))

    async def delete_chunk(self, chunk: str) -> bool:
        """Unseen at once, then gone."""
        there = await self.has_chunk(chunk)
        await self._update_hidden(scripts.hide(chunk, epoch_ms()))
        await self._delete({"term": {"chunk": chunk}})
        if there:
            await self._client.options(ignore_status=404).delete(index=self._cluster.chunks, id=chunk, refresh=True)
        await self._update_hidden(scripts.show(chunk))
        return there

    async def delete_before(self, before_ms: int) -> int:
        """Whole days where all is older, single sessions in the rest."""
        await self._refresh()
        gone = 0
        for index, sessions, last in await self._days():
            if last is not None and last < before_ms:
                await self._client.options(ignore_status=404).indices.delete(index=index)
                gone += sessions
        gone += await self._delete({"range": {"lastPacket": {"lt": before_ms}}})
        empty: Dsl = {"bool": {"must_not": [{"exists": {"field": "lastPacket"}}]}}
        old = {"range": {"committed": {"lt": before_ms}}}
        await self._client.delete_by_query(
            index=self._cluster.chunks,
            query={
                "bool": {
                    "should": [{"range": {"lastPacket": {"lt": before_ms}}}, {"bool": {"filter": [empty, old]}}],
                    "minimum_should_match": 1,
                }
            },
            conflicts="proceed",
            refresh=True,
        )
        return gone

    async def maintain(self, now_ms: int | None = None) -> dict[str, int]:
        """Remove what writers left that died a day ago."""
        now = epoch_ms() if now_ms is None else now_ms
        removed = 0
        for chunk, since in (await self._hidden()).items():
            if now - since < _ABANDONED_MS:
                continue
            if not await self.has_chunk(chunk):
                await self._delete({"term": {"chunk": chunk}})
                removed += 1
            await self._update_hidden(scripts.show(chunk))
        return {"chunks_removed": removed}

    async def health(self, seen: Dsl) -> dict[str, Any]:
        """From the cluster's own figures; asks nothing of the disk."""
        state = await self._client.cluster.health()
        info = await self._client.info()
        found = await self._client.search(
            index=self._cluster.sessions, query=seen, size=0, track_total_hits=True, aggs=_SPANS
        )
        spans = {name: each["value"] for name, each in found.get("aggregations", {}).items()}
        stats = await self._client.indices.stats(index=self._cluster.sessions, metric="store", level="indices")
        chunks = await self._client.count(index=self._cluster.chunks, query={"exists": {"field": "committed"}})
        full = await self._full()
        return {
            "ok": state["status"] != "red" and not full,
            "kind": self._cluster.kind,
            "status": state["status"],
            "nodes": state["number_of_nodes"],
            "version": info["version"]["number"],
            "indices": len(stats["indices"]),
            "indices_without_room": full,
            "sessions": found["hits"]["total"]["value"],
            "chunks": chunks["count"],
            "chunks_hidden": len(await self._hidden()),
            "bytes": stats["_all"]["total"].get("store", {}).get("size_in_bytes", 0),
            "first_ms": None if spans.get("first") is None else int(spans["first"]),
            "last_ms": None if spans.get("last") is None else int(spans["last"]),
        }

    async def _full(self) -> list[str]:
        """Indices that take no more because a disk is full."""
        found = await self._client.indices.get_settings(
            index=self._cluster.sessions, name="index.blocks.read_only_allow_delete", flat_settings=True
        )
        return sorted(name for name, each in found.items() if "true" in each["settings"].values())

    async def _days(self) -> list[tuple[str, int, int | None]]:
        """Each index with its number of sessions and the time of the last packet in it."""
        last = {"aggs": {"last": {"max": {"field": "lastPacket"}}}}
        found = await self._client.search(
            index=self._cluster.sessions,
            size=0,
            aggs={"day": {"terms": {"field": "_index", "size": 10_000}, **last}},
            allow_partial_search_results=False,
        )
        buckets = found.get("aggregations", {}).get("day", {}).get("buckets", ())
        return [
            (each["key"], each["doc_count"], None if each["last"]["value"] is None else int(each["last"]["value"]))
            for each in buckets
        ]

    async def _delete(self, query: Dsl) -> int:
        """All that the query finds, including what others change meanwhile."""
        gone = 0
        for _ in range(_ROUNDS):
            await self._refresh()
            answer = await self._client.delete_by_query(
                index=self._cluster.sessions, query=query, conflicts="proceed", refresh=True, ignore_unavailable=True
            )
            gone += int(answer["deleted"])
            if not answer["version_conflicts"]:
                return gone
        raise StoreError("these sessions change faster than they can be removed; try again")

    async def _refresh(self) -> None:
        await self._client.indices.refresh(index=self._cluster.sessions, ignore_unavailable=True)

    async def _hidden(self) -> dict[str, int]:
        """Chunks not to be seen, with the time since when."""
        try:
            found = await self._client.get(index=self._cluster.chunks, id=self._cluster.hidden)
        except NotFoundError:
            return {}
        return dict(found["_source"].get("since", {}))

    async def _update_hidden(self, body: dict[str, Any]) -> None:
        client = self._client.options(ignore_status=404)
        await client.update(index=self._cluster.chunks, id=self._cluster.hidden, retry_on_conflict=RETRIES, **body)
