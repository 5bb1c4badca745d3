"""What the operator of a cluster should do, read from what the cluster says of itself. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from elasticsearch import Elasticsearch

from hayrick_collector.expression import Catalogue
from hayrick_collector.store.elasticsearch import mapping
from hayrick_collector.store.elasticsearch.connection import Cluster, connected
from hayrick_collector.store.elasticsearch.failures import translated
from hayrick_collector.store.elasticsearch.prepare import outdated

_DISK_PERCENT = 85  # where Elasticsearch stops placing shards, unless it is told otherwise


def advice(cluster: Cluster, catalogue: Catalogue) -> list[str]:
    """Sentences, the gravest first; none when all is well. Blocks; a cluster that is away is a StoreAwayError."""
    with translated():
        client = connected(cluster)
        return [
            *_shards(client, cluster),
            *_disks(client),
            *_template(client, cluster, catalogue),
            *(
                f"{index} has {', '.join(fields[:5])} as another kind: run `hayrick store reindex`"
                for index, fields in differing(client, cluster, catalogue).items()
            ),
        ]


def differing(client: Elasticsearch, cluster: Cluster, catalogue: Catalogue) -> dict[str, list[str]]:
    """The indices that were made with another kind for a field, and these fields."""
    ours = mapping.properties(catalogue)
    found = client.indices.get_mapping(index=cluster.sessions, ignore_unavailable=True)
    there = {name: each["mappings"].get("properties", {}) for name, each in found.items()}
    return {name: fields for name, made in sorted(there.items()) if (fields := _other_kinds(made, ours, ""))}


def _other_kinds(there: Mapping[str, Any], ours: Mapping[str, Any], outer: str) -> list[str]:
    fields = []
    for name, mine in ours.items():
        theirs = there.get(name)
        if theirs is None:
            continue
        if "properties" in mine and "properties" in theirs:
            fields += _other_kinds(theirs["properties"], mine["properties"], f"{outer}{name}.")
        elif mine.get("type", "object") != theirs.get("type", "object"):
            fields.append(f"{outer}{name}")
    return fields


def _shards(client: Elasticsearch, cluster: Cluster) -> list[str]:
    state = client.cluster.health()
    nodes, said = state["number_of_data_nodes"], []
    if state["status"] == "red":
        said.append("the cluster is red, shards are missing: start the nodes that hold them, then look again")
    if cluster.replicas >= nodes:
        said.append(
            f"store.replicas = {cluster.replicas} needs {cluster.replicas + 1} nodes with data, there are {nodes}:"
            f" add nodes, or set store.replicas = {nodes - 1} and run `hayrick store init`"
        )
    if cluster.replicas == 0 and nodes > 1:
        said.append("store.replicas = 0: a node that dies takes sessions with it; set 1 and run `hayrick store init`")
    found = client.indices.get_settings(index=[cluster.sessions, cluster.chunks], flat_settings=True)
    held = {name: each["settings"] for name, each in found.items()}
    others = sorted(n for n, s in held.items() if int(s["index.number_of_replicas"]) != cluster.replicas)
    if others:
        said.append(f"{len(others)} indices have another number of copies ({others[0]}...): run `hayrick store init`")
    full = sorted(name for name, each in held.items() if each.get("index.blocks.read_only_allow_delete") == "true")
    if full:
        said.insert(0, f"a disk is full, {len(full)} indices take nothing: free room or shorten retention.days")
    blocked = sorted(name for name, each in held.items() if each.get("index.blocks.write") == "true")
    if blocked:
        said.append(f"{blocked[0]} takes no writes: unless a reindex is under way, run `hayrick store reindex` again")
    return said


def _disks(client: Elasticsearch) -> list[str]:
    answer: Any = client.cat.allocation(format="json", bytes="b")
    return [
        f"the disk of {each['node']} is {each['disk.percent']}% full (copies are not placed past"
        f" {_DISK_PERCENT}%, nothing is written past 95%): add room or shorten retention.days"
        for each in answer
        if int(each.get("disk.percent") or 0) >= _DISK_PERCENT
    ]


def _template(client: Elasticsearch, cluster: Cluster, catalogue: Catalogue) -> list[str]:
    if outdated(cluster, catalogue, client):
        return ["the index template is not this version's: run `hayrick store init`"]
    return []
