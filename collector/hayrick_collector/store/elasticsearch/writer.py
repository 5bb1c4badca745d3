"""Writes one chunk's sessions: streamed in while the chunk is hidden from every search, then shown by one change.

A chunk that is indexed again is replaced document by document, since ids are the same; what was not written this time
goes at the commit. Each document says by `hayrick.stamp` which attempt wrote it, and the commit counts them.
"""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

from elasticsearch import Elasticsearch, NotFoundError

from hayrick_collector.expression import Catalogue
from hayrick_collector.store.elasticsearch import scripts
from hayrick_collector.store.elasticsearch.bulk import MOST_BYTES, MOST_ITEMS, Bulk, Item
from hayrick_collector.store.elasticsearch.connection import SESSION_ID, Cluster, connected
from hayrick_collector.store.elasticsearch.failures import translated
from hayrick_collector.store.elasticsearch.mapping import STAMP
from hayrick_collector.store.elasticsearch.parts import Parts
from hayrick_collector.store.elasticsearch.prepare import forget, prepare_once
from hayrick_collector.store.interface import Batch, SegmentWriter, Waiting
from hayrick_common.clock import epoch_ms
from hayrick_common.errors import StoreError

RETRIES = 50  # of a change to the one list that all writers change
_SPAN = {"firstPacket": {"min": {"field": "firstPacket"}}, "lastPacket": {"max": {"field": "lastPacket"}}}


class ElasticsearchWriter(SegmentWriter):
    """One chunk's sessions. Works in any process, needs no event loop."""

    def __init__(
        self,
        cluster: Cluster,
        catalogue: Catalogue,
        chunk: str,
        *,
        patience_s: float | None = None,
        waiting: Waiting = lambda reason: None,
    ) -> None:
        self._cluster, self._chunk = cluster, chunk
        self._stamp = time.time_ns()
        self._stamped_end = b',"hayrick":{"stamp":%d}}' % self._stamp
        self._sent = 0
        self._done = False
        prepare_once(cluster, catalogue)
        with translated():
            self._client: Elasticsearch = connected(cluster)
            self._committed = bool(self._client.exists(index=cluster.chunks, id=chunk))
            self._again = self._committed or self._hide()
            self._parts = Parts(self._client, cluster, chunk, again=self._again)
        self._bulk = Bulk(self._client, patience_s=patience_s or cluster.patience_seconds, waiting=waiting)

    def add(self, batch: Batch) -> None:
        """Send the sessions; returns when the cluster has taken all but the last part of them."""
        if self._done:
            raise ValueError("the segment is committed or aborted already")
        bodies = None if self._committed else batch.bulk(self._chunk, self._stamp, MOST_ITEMS, MOST_BYTES)
        if bodies is None:
            self._one_by_one(batch)
            return
        for day, items, body in bodies:
            self._sent += items
            self._bulk.take(self._parts.index(day), body)

    def commit(self) -> int:
        """All of this chunk is seen, and nothing else of it. StoreError if sessions are missing afterwards."""
        if self._done:
            raise ValueError("the segment is committed or aborted already")
        self._bulk.flush()
        with translated():
            if used := self._parts.used():
                self._client.indices.refresh(index=used, ignore_unavailable=True)
            if self._again:
                self._remove(self._older())
            self._register(self._counted())
            self._show()
        self._done = True
        return self._sent

    def abort(self) -> None:
        """Nothing of a new chunk stays. Where the cluster takes nothing it stays hidden, until the next attempt or
        `maintain`."""
        if self._done:
            return
        self._done = True
        self._bulk.drop()
        if self._bulk.gave_up:
            forget(self._cluster)
        if self._sent and not self._again and not self._bulk.gave_up:
            with contextlib.suppress(StoreError, TimeoutError, ValueError), translated():
                self._remove({"term": {"chunk": self._chunk}})

    def _hide(self) -> bool:
        """A chunk that was never committed is not to be seen; returns whether an attempt may have left sessions."""
        body = scripts.hide(self._chunk, epoch_ms())
        before = _hidden(self._client, self._cluster)
        self._client.update(index=self._cluster.chunks, id=self._cluster.hidden, retry_on_conflict=RETRIES, **body)
        return self._chunk in before

    def _one_by_one(self, batch: Batch) -> None:
        """Where each document is to be looked at: for what people did to it, or to the one it replaces."""
        for line in batch.ndjson().splitlines():
            self._bulk.add(self._item(line))
            self._sent += 1

    def _item(self, line: bytes) -> Item:
        session, chunk = _text(line, b'"id":"'), _text(line, b'"chunk":"')
        if chunk != self._chunk:
            raise ValueError(f"a session of the batch does not belong to the chunk {self._chunk}")
        if not SESSION_ID.fullmatch(session):
            raise ValueError(f"a session's id begins with its day, {session!r} does not")
        index = self._parts.index(session)
        stamped = self._stamped(line)
        if not self._committed:  # nobody saw it, so nobody tagged it
            return Item(b'{"index":{"_index":"%s","_id":"%s"}}' % (index.encode(), session.encode()), stamped, session)
        update = {"script": scripts.replace(json.loads(stamped)), "scripted_upsert": True, "upsert": {}}
        action = {"update": {"_index": index, "_id": session, "retry_on_conflict": 5}}
        return Item(json.dumps(action).encode(), json.dumps(update).encode(), session)

    def _stamped(self, line: bytes) -> bytes:
        """With the attempt's stamp; what a migration says of tags stays beside it."""
        if b'"hayrick":' not in line:
            return line[:-1] + self._stamped_end
        document = json.loads(line)
        document["hayrick"]["stamp"] = self._stamp
        return json.dumps(document).encode()

    def _older(self) -> dict[str, Any]:
        """What another attempt wrote of this chunk."""
        return {
            "bool": {"filter": [{"term": {"chunk": self._chunk}}], "must_not": [{"term": {STAMP: self._stamp}}]},
        }

    def _remove(self, query: dict[str, Any]) -> None:
        self._client.indices.refresh(index=self._cluster.sessions, ignore_unavailable=True)
        self._client.delete_by_query(
            index=self._cluster.sessions, query=query, conflicts="proceed", refresh=True, ignore_unavailable=True
        )

    def _counted(self) -> dict[str, Any]:
        """What is there of this attempt; StoreError if it is not all, or not alone."""
        if not self._sent:
            return {"sessions": 0}
        found = self._client.search(
            index=self._parts.all_of_days(),
            query={"term": {"chunk": self._chunk}},
            size=0,
            track_total_hits=True,
            allow_partial_search_results=False,
            aggs={"mine": {"filter": {"term": {STAMP: self._stamp}}}, **_SPAN},
        )
        there, mine = found["hits"]["total"]["value"], found["aggregations"]["mine"]["doc_count"]
        if there != self._sent or mine != self._sent:
            raise StoreError(
                f"{mine} of {self._sent} sessions of {self._chunk} are there, {there - mine} of another writer's:"
                " another writer has it too"
            )
        spans = {name: int(value) for name in _SPAN if (value := found["aggregations"][name]["value"]) is not None}
        return {"sessions": there, **spans}

    def _register(self, summary: dict[str, Any]) -> None:
        committed = {"committed": epoch_ms(), **summary}
        self._client.index(index=self._cluster.chunks, id=self._chunk, document=committed, refresh=True)

    def _show(self) -> None:
        with contextlib.suppress(NotFoundError):  # nothing was ever hidden
            self._client.update(
                index=self._cluster.chunks,
                id=self._cluster.hidden,
                retry_on_conflict=RETRIES,
                **scripts.show(self._chunk),
            )


def _hidden(client: Elasticsearch, cluster: Cluster) -> list[str]:
    try:
        return list(client.get(index=cluster.chunks, id=cluster.hidden)["_source"].get("chunks", ()))
    except NotFoundError:
        return []


def _text(line: bytes, named: bytes) -> str:
    """A member's text, without reading the whole document where its name stands in it only once."""
    start = line.find(named) + len(named)
    end = line.find(b'"', start)
    if start >= len(named) and line.find(named, end) < 0 and b"\\" not in (text := line[start:end]):
        return text.decode()
    name = named[1:-3].decode()
    value = json.loads(line).get(name)
    if not isinstance(value, str):
        raise ValueError(f"a session has no {name}")
    return value
