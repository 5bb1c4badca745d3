"""The collectors that share a cluster: a small document each, by its address, in an index of their own."""

from __future__ import annotations

from typing import Any

from elasticsearch import AsyncElasticsearch, NotFoundError

from hayrick_collector.store.elasticsearch.connection import Cluster

MOST = 1000
_MAPPING = {"dynamic": False, "properties": {"seen_ms": {"type": "date", "format": "epoch_millis"}}}


async def announce(client: AsyncElasticsearch, cluster: Cluster, name: str, document: dict[str, Any]) -> None:
    """Put one collector's document; it is seen at once."""
    if not await client.indices.exists(index=cluster.collectors):
        settings = {"number_of_shards": 1, "number_of_replicas": cluster.replicas}
        await client.options(ignore_status=400).indices.create(  # 400: another was quicker
            index=cluster.collectors, mappings=_MAPPING, settings=settings
        )
    await client.index(index=cluster.collectors, id=name, document=document, refresh=True)


async def announced(client: AsyncElasticsearch, cluster: Cluster) -> list[dict[str, Any]]:
    """All collectors' documents, the one heard of last first."""
    try:
        found = await client.search(index=cluster.collectors, size=MOST, sort=[{"seen_ms": "desc"}])
    except NotFoundError:
        return []
    return [dict(hit["_source"]) for hit in found["hits"]["hits"]]


async def unannounce(client: AsyncElasticsearch, cluster: Cluster, name: str) -> None:
    """Remove one, if it is there."""
    await client.options(ignore_status=404).delete(index=cluster.collectors, id=name, refresh=True)
