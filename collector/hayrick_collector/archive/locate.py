"""Where the packets of sessions lie, chunk by chunk: in the archive, on the chunk's sensor, or nowhere any more."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hayrick_collector.catalog import Catalog, ChunkRow
from hayrick_collector.config import CollectorConfig
from hayrick_collector.ondemand import Wanted
from hayrick_collector.store import Positions
from hayrick_common.chunk import IMPORT_STREAM, PCAP

GONE = "no longer stored"
Places = tuple["array[int]", "array[int]"]
"""Packets' positions in a chunk, and their lengths (as records of a classic pcap; 0 where that is not known)."""


@dataclass(slots=True)
class Located:
    """`stored`: chunks with the archive's file. `distant`: what may be had of sensors. `gone`: keys of all others."""

    stored: list[tuple[ChunkRow, Path]] = field(default_factory=list)
    distant: list[tuple[ChunkRow, Wanted]] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


def gather(chunks: dict[str, Places], each: Positions) -> None:
    """Add a session's packets to those of its chunk."""
    starts, lengths = chunks.setdefault(each.chunk, (array("q"), array("q")))
    starts.extend(each.packet_pos)
    lengths.extend(each.packet_len or [0] * len(each.packet_pos))


def locate(config: CollectorConfig, catalog: Catalog, chunks: Mapping[str, Places]) -> Located:
    """Look for each chunk, in this order."""
    made = Located()
    for key, places in chunks.items():
        row = catalog.get(key)
        if row is None:
            made.gone.append(key)
            continue
        path = config.folder.absolute(row.path)
        if row.meta.get("content", PCAP) == PCAP and path.exists():
            made.stored.append((row, path))
        elif row.stream == IMPORT_STREAM or not all(places[1]):
            made.gone.append(key)
        else:
            made.distant.append((row, _wanted(row, *places)))
    return made


def seekable(row: ChunkRow) -> bool:
    """Whether single packets can be read of the chunk without what lies before them; the decoder's summary says it."""
    return (row.summary or {}).get("seekable") is True


def _wanted(row: ChunkRow, positions: array[int], lengths: array[int]) -> Wanted:
    places = sorted(dict(zip(positions, lengths, strict=True)).items())
    starts, sizes = array("q", (start for start, _ in places)), array("q", (size for _, size in places))
    pcapng = (row.summary or {}).get("format") == "pcapng"
    return Wanted(row.sensor, row.key, starts, sizes, row.size, pcapng, seekable(row))
