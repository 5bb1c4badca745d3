"""Stores of sessions behind one interface; `open_store` chooses by the settings. No dialect leaks above here."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from hayrick_collector.expression import Catalogue
from hayrick_collector.store.interface import (
    Batch,
    Bucket,
    Document,
    Facet,
    Graph,
    GraphNode,
    Link,
    Page,
    Positions,
    Query,
    SegmentWriter,
    Store,
    Table,
    Value,
    Weight,
)

if TYPE_CHECKING:
    from hayrick_collector.config import CollectorConfig, StoreConfig


def open_store(where: CollectorConfig | Path, catalogue: Catalogue | None = None) -> Store:
    """The store of these settings, or the embedded one in a folder; `await store.open()` makes it answer.

    Its writers need no open store. Without a catalogue the decoder's own is taken.
    """
    if catalogue is None:
        import hayrick_decode

        catalogue = Catalogue.from_dicts(hayrick_decode.fields())
    if isinstance(where, Path):
        return _embedded(where, catalogue)
    if where.store.shared:
        return _shared(where.store, catalogue)
    return _embedded(where.folder.store, catalogue, where.store.query_megabytes)


def _embedded(folder: Path, catalogue: Catalogue, megabytes: int | None = None) -> Store:
    from hayrick_collector.store.embedded import EmbeddedStore, Limits

    return EmbeddedStore(folder, catalogue, limits=Limits(memory=f"{megabytes}MB") if megabytes else None)


def _shared(settings: StoreConfig, catalogue: Catalogue) -> Store:
    from hayrick_collector.store.elasticsearch import Cluster, ElasticsearchStore

    values = {each.name: getattr(settings, each.name) for each in fields(Cluster)}
    return ElasticsearchStore(Cluster(**values), catalogue)


__all__ = [
    "Batch",
    "Bucket",
    "Document",
    "Facet",
    "Graph",
    "GraphNode",
    "Link",
    "Page",
    "Positions",
    "Query",
    "SegmentWriter",
    "Store",
    "Table",
    "Value",
    "Weight",
    "open_store",
]
