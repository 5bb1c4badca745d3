"""Stored packets: where a chunk's file lies, in what form, and how its packets are read back and exported."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from hayrick_collector.catalog import ChunkRow
    from hayrick_collector.config import CollectorConfig


def open_packets(config: CollectorConfig, row: ChunkRow) -> BinaryIO:
    """A chunk's stored bytes, uncompressed and in the clear: seekable, read-only, for one thread at a time.

    Raises OSError, ArchiveError when the file is damaged (then or while reading), KeyFileError when its key is missing.
    """
    from hayrick_collector.archive.reader import open_file  # settings read this package: keep them light

    return open_file(config.folder.absolute(row.path), config.archive.keys)
