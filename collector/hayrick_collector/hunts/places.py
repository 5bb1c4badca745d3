"""Where the packets of some sessions lie: jobs for the hunting process, what sensors have fetched first."""

from __future__ import annotations

import asyncio
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hayrick_collector.archive.export import wanted_of
from hayrick_collector.catalog import Catalog, ChunkRow
from hayrick_collector.config import CollectorConfig
from hayrick_collector.ondemand import Fetcher, Wanted
from hayrick_collector.store import Positions
from hayrick_common.chunk import IMPORT_STREAM, PCAP

GONE = "no longer stored"
Client = tuple[str, int] | None


@dataclass(slots=True)
class Places:
    """`chunks`: as the hunting process takes them. `unread`: packets that cannot be had, by reason."""

    chunks: list[dict[str, Any]] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)


async def places(
    config: CollectorConfig,
    catalog: Catalog,
    fetcher: Fetcher,
    found: Iterable[Positions],
    clients: Mapping[str, Client],
) -> Places:
    """Find each session's packets, in the archive or, after they were fetched, in the cache."""
    chunks: dict[str, list[Positions]] = {}
    for each in found:
        chunks.setdefault(each.chunk, []).append(each)
    made = Places()
    distant: list[tuple[ChunkRow, Wanted, list[Positions]]] = []
    for key, sessions in chunks.items():
        row = await asyncio.to_thread(catalog.get, key)
        if row is not None and (job := await asyncio.to_thread(_stored, config, row)) is not None:
            made.chunks.append({**job, "sessions": [_session(each, each.packet_pos, clients) for each in sessions]})
        elif row is None or row.stream == IMPORT_STREAM or not all(all(each.packet_len) for each in sessions):
            made.unread[GONE] += sum(len(each.packet_pos) for each in sessions)
        else:
            distant.append((row, _wanted(row, sessions), sessions))
    await fetcher.fetch([wanted for _, wanted, _ in distant])
    for row, wanted, sessions in distant:
        _add(made, fetcher, row, wanted, sessions, clients)
    return made


def _stored(config: CollectorConfig, row: ChunkRow) -> dict[str, Any] | None:
    path = config.folder.absolute(row.path)
    if row.meta.get("content", PCAP) != PCAP or not path.exists():
        return None
    return {"path": str(path), "pieces": False, "seekable": _seekable(row)}


def _wanted(row: ChunkRow, sessions: Iterable[Positions]) -> Wanted:
    positions, lengths = array("q"), array("q")
    for each in sessions:
        positions.extend(each.packet_pos)
        lengths.extend(each.packet_len)
    return wanted_of(row, positions, lengths)


def _add(
    made: Places, fetcher: Fetcher, row: ChunkRow, wanted: Wanted, sessions: Iterable[Positions],
    clients: Mapping[str, Client],
) -> None:  # fmt: skip
    """A session that lacks packets is searched in those that are here."""
    here = set(wanted.here)
    if wanted.missing:
        made.unread[wanted.reason] += wanted.missing
    if here:
        kept = [_session(each, [at for at in each.packet_pos if at in here], clients) for each in sessions]
        job = {"path": str(fetcher.path(row.key)), "pieces": True, "seekable": _seekable(row)}
        made.chunks.append({**job, "sessions": [session for session in kept if session["positions"]]})


def _session(each: Positions, positions: list[int], clients: Mapping[str, Client]) -> dict[str, Any]:
    return {"id": each.id, "positions": positions, "client": clients.get(each.id)}


def _seekable(row: ChunkRow) -> bool:
    return (row.summary or {}).get("seekable") is True
