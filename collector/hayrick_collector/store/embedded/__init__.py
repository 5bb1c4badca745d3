"""The embedded store: immutable Parquet segments, queried by DuckDB, for one machine."""

from hayrick_collector.store.embedded.duck import Limits
from hayrick_collector.store.embedded.maintenance import Compaction
from hayrick_collector.store.embedded.store import EmbeddedStore
from hayrick_collector.store.embedded.writer import EmbeddedWriter

__all__ = ["Compaction", "EmbeddedStore", "EmbeddedWriter", "Limits"]
