"""Stores of sessions behind one interface; `open_store` chooses by the settings. No dialect leaks above here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hayrick_collector.expression import Catalogue
from hayrick_collector.store.interface import (
    Batch,
    Bucket,
    Document,
    Facet,
    Page,
    Positions,
    Query,
    SegmentWriter,
    Store,
    Table,
)
from hayrick_common.errors import ConfigError

if TYPE_CHECKING:
    from hayrick_collector.config import CollectorConfig


def open_store(where: CollectorConfig | Path, catalogue: Catalogue | None = None) -> Store:
    """The store of these settings, or the embedded one in a folder; `await store.open()` makes it answer.

    Its writers need no open store. Without a catalogue the decoder's own is taken.
    """
    if catalogue is None:
        import hayrick_decode

        catalogue = Catalogue.from_dicts(hayrick_decode.fields())
    from hayrick_collector.store.embedded import EmbeddedStore

    if isinstance(where, Path):
        return EmbeddedStore(where, catalogue)
    if where.store.kind != "duckdb":
        raise ConfigError(f"store.kind {where.store.kind!r} is not known to this version")
    return EmbeddedStore(where.folder.store, catalogue)


__all__ = [
    "Batch",
    "Bucket",
    "Document",
    "Facet",
    "Page",
    "Positions",
    "Query",
    "SegmentWriter",
    "Store",
    "Table",
    "open_store",
]
