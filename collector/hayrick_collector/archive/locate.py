"""Where the packets of sessions lie, chunk by chunk: in the archive, on the chunk's sensor, with another collector on
the same cluster, or nowhere any more."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hayrick_collector.catalog import Catalog, ChunkRow
from hayrick_collector.config import CollectorConfig
from hayrick_collector.ondemand import Fetcher, Wanted
from hayrick_collector.ondemand.elsewhere import Owned
from hayrick_collector.store import Positions
from hayrick_common.chunk import IMPORT_STREAM, PCAP

Places = tuple["array[int]", "array[int]"]
"""Packets' positions in a chunk, and their lengths (as records of a classic pcap; 0 where that is not known)."""


@dataclass(slots=True)
class Located:
    """`stored`: chunks with the archive's file. `distant`: what may be asked for. `gone`: all others, and why."""

    stored: list[tuple[ChunkRow, Path]] = field(default_factory=list)
    distant: list[tuple[ChunkRow, Wanted]] = field(default_factory=list)
    gone: dict[str, str] = field(default_factory=dict)


def gather(chunks: dict[str, Places], each: Positions) -> None:
    """Add a session's packets to those of its chunk."""
    starts, lengths = chunks.setdefault(each.chunk, (array("q"), array("q")))
    starts.extend(each.packet_pos)
    lengths.extend(each.packet_len or [0] * len(each.packet_pos))


async def locate(config: CollectorConfig, catalog: Catalog, chunks: Mapping[str, Places], fetcher: Fetcher) -> Located:
    """Look for each chunk, in this order."""
    made, unknown = await asyncio.to_thread(_here, config, catalog, chunks)
    others = await fetcher.elsewhere(unknown)
    for key in unknown:
        owned = others.chunks.get(key)
        if owned and all(chunks[key][1]):
            made.distant.append((owned.row, _wanted(owned.row, *chunks[key], owned)))
        else:
            made.gone[key] = others.reason(key)
    return made


def stored(config: CollectorConfig, row: ChunkRow) -> Path | None:
    """The archive's file of a chunk; None where it has none."""
    path = config.folder.absolute(row.path)
    return path if row.meta.get("content", PCAP) == PCAP and path.exists() else None


def seekable(row: ChunkRow) -> bool:
    """Whether single packets can be read of the chunk without what lies before them; the decoder's summary says it."""
    return (row.summary or {}).get("seekable") is True


def _here(config: CollectorConfig, catalog: Catalog, chunks: Mapping[str, Places]) -> tuple[Located, list[str]]:
    """What the archive or a sensor has, and the keys of the rest."""
    made, unknown = Located(), []
    for key, places in chunks.items():
        row = catalog.get(key)
        if row is not None and (path := stored(config, row)):
            made.stored.append((row, path))
        elif row is None or row.stream == IMPORT_STREAM or not all(places[1]):
            unknown.append(key)
        else:
            made.distant.append((row, _wanted(row, *places)))
    return made, unknown


def _wanted(row: ChunkRow, positions: array[int], lengths: array[int], owned: Owned | None = None) -> Wanted:
    """What to ask of the chunk's sensor, or of the collector that has it."""
    places = sorted(dict(zip(positions, lengths, strict=True)).items())
    starts, sizes = array("q", (start for start, _ in places)), array("q", (size for _, size in places))
    pcapng = (row.summary or {}).get("format") == "pcapng"
    asked, pull = (owned.owner, owned.pull) if owned else (row.sensor, None)
    return Wanted(asked, row.key, starts, sizes, row.size, pcapng, seekable(row), pull)
