"""What a collector gives to others on its cluster: which chunks it has, and bytes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hayrick_collector.archive import open_packets
from hayrick_collector.archive.locate import stored
from hayrick_collector.catalog import Catalog, ChunkRow
from hayrick_collector.config import CollectorConfig
from hayrick_collector.landing.pulls import checked
from hayrick_collector.ondemand.elsewhere import GONE, Pull
from hayrick_collector.ondemand.ranges import Range
from hayrick_common.chunk import IMPORT_STREAM
from hayrick_common.errors import PacketsAwayError


def rows(catalog: Catalog, keys: Sequence[str]) -> list[ChunkRow]:
    """Those of the chunks that are known here; blocks."""
    return [row for key in keys if (row := catalog.get(key)) is not None]


async def bytes_of(
    config: CollectorConfig, catalog: Catalog, pull: Pull | None, key: str, ranges: list[Range]
) -> bytes:
    """The ranges' bytes, from the archive or from the sensor that keeps the chunk. ValueError for ranges that nobody
    may ask for, PacketsAwayError says why there is nothing to be had; ArchiveError, KeyFileError."""
    checked(key.partition(".")[0], key, ranges)
    row = await asyncio.to_thread(catalog.get, key)
    if row is None:
        raise PacketsAwayError(GONE)
    if await asyncio.to_thread(stored, config, row):
        return await asyncio.to_thread(_read, config, row, ranges)
    if row.stream == IMPORT_STREAM or pull is None:
        raise PacketsAwayError(GONE)
    return await pull(row.sensor, key, ranges)


def _read(config: CollectorConfig, row: ChunkRow, ranges: list[Range]) -> bytes:
    pieces = []
    try:
        with open_packets(config, row) as file:
            for offset, length in ranges:
                file.seek(offset)
                pieces.append(file.read(length))
    except FileNotFoundError as error:  # retention was quicker
        raise PacketsAwayError(GONE) from error
    if [len(each) for each in pieces] != [length for _, length in ranges]:
        raise ValueError(f"{row.key} has not so many bytes")
    return b"".join(pieces)
