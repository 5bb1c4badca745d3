"""The shared store: one Elasticsearch index a day, found and searched by every collector of the cluster."""

from hayrick_collector.store.elasticsearch.connection import Cluster
from hayrick_collector.store.elasticsearch.store import ElasticsearchStore
from hayrick_collector.store.elasticsearch.writer import ElasticsearchWriter

__all__ = ["Cluster", "ElasticsearchStore", "ElasticsearchWriter"]
