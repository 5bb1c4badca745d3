"""Makes an index anew under the present mapping, and puts it in the old one's place by a single change of the cluster.

Readers find the old index until that change and the new one after it, never both and never none. Meanwhile the old one
takes no writes: chunks are put off and come again by themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from elasticsearch import Elasticsearch

from hayrick_collector.expression import Catalogue
from hayrick_collector.store.elasticsearch import mapping
from hayrick_collector.store.elasticsearch.checkup import differing
from hayrick_collector.store.elasticsearch.connection import Cluster, connected
from hayrick_collector.store.elasticsearch.failures import translated
from hayrick_common.errors import StoreError

_STEP_S = 0.2
_LONGEST_S = 24 * 3600.0


def renew(
    cluster: Cluster, catalogue: Catalogue, *, everything: bool = False, say: Callable[[str], None] = lambda _: None
) -> dict[str, int]:
    """Each index that has a field as another kind, or all: what they are called, with their sessions. Blocks."""
    with translated():
        client = connected(cluster)
        names = list(client.indices.get(index=cluster.sessions, features="aliases"))
        wanted = sorted(names) if everything else list(differing(client, cluster, catalogue))
        return {cluster.called(each): _one(client, cluster, catalogue, each, say) for each in wanted}


def _one(client: Elasticsearch, cluster: Cluster, catalogue: Catalogue, old: str, say: Callable[[str], None]) -> int:
    new = cluster.anew(old)
    client.options(ignore_status=404).indices.delete(index=new)  # of an attempt that was cut short
    made = mapping.properties(catalogue)
    client.indices.create(
        index=new, settings=mapping.settings(cluster, made), mappings={"dynamic": False, "properties": made}
    )
    client.indices.add_block(index=old, block="write")
    try:
        sessions = _copy(client, old, new, say)
        name = cluster.called(old)
        swap: list[dict[str, Any]] = [
            {"remove_index": {"index": old}},
            {"add": {"index": new, "alias": name, "is_write_index": True}},
        ]
        client.indices.update_aliases(actions=swap)
    except BaseException:
        client.options(ignore_status=404).indices.put_settings(index=old, settings={"index.blocks.write": None})
        raise
    return sessions


def _copy(client: Elasticsearch, old: str, new: str, say: Callable[[str], None]) -> int:
    client.indices.refresh(index=old)
    task = str(client.reindex(source={"index": old}, dest={"index": new}, wait_for_completion=False)["task"])
    deadline = time.monotonic() + _LONGEST_S
    while not (state := _task(client, "GET", task))["completed"]:
        if time.monotonic() > deadline:
            _task(client, "POST", f"{task}/_cancel")
            raise StoreError(f"{old} was not copied within a day")
        done = state["task"]["status"]
        say(f"{old}: {done['created']} of {done['total']} sessions")
        time.sleep(_STEP_S)
    if "error" in state or state["response"]["failures"]:
        failure = state.get("error") or state["response"]["failures"][0]
        raise StoreError(f"{old} cannot be copied: {failure}")
    client.indices.refresh(index=new)
    before, after = (int(client.count(index=each)["count"]) for each in (old, new))
    if before != after:
        raise StoreError(f"{after} of {before} sessions of {old} are there after copying")
    return after


def _task(client: Elasticsearch, method: str, path: str) -> Any:
    """Asked by its address: the client's own method warns of a preview, where this has been so since 2.3."""
    return client.perform_request(method, f"/_tasks/{path}", headers={"accept": "application/json"}).body
