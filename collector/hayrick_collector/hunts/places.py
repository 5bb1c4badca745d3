"""Where the packets of some sessions lie: jobs for the hunting process, what sensors have fetched first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hayrick_collector.archive.locate import Places as PacketPlaces
from hayrick_collector.archive.locate import gather, locate, seekable
from hayrick_collector.catalog import Catalog, ChunkRow
from hayrick_collector.config import CollectorConfig
from hayrick_collector.ondemand import Fetcher, Wanted
from hayrick_collector.store import Positions

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
    packets: dict[str, PacketPlaces] = {}
    sessions: dict[str, list[Positions]] = {}
    for each in found:
        gather(packets, each)
        sessions.setdefault(each.chunk, []).append(each)
    located = await locate(config, catalog, packets, fetcher)
    made = Places()
    for key, reason in located.gone.items():
        made.unread[reason] += sum(len(each.packet_pos) for each in sessions[key])
    for row, path in located.stored:
        told = [_session(each, each.packet_pos, clients) for each in sessions[row.key]]
        made.chunks.append({"path": str(path), "pieces": False, "seekable": seekable(row), "sessions": told})
    await fetcher.fetch([wanted for _, wanted in located.distant])
    for row, wanted in located.distant:
        _add(made, fetcher, row, wanted, sessions[row.key], clients)
    return made


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
        job = {"path": str(fetcher.path(row.key)), "pieces": True, "seekable": seekable(row)}
        made.chunks.append({**job, "sessions": [session for session in kept if session["positions"]]})


def _session(each: Positions, positions: list[int], clients: Mapping[str, Client]) -> dict[str, Any]:
    return {"id": each.id, "positions": positions, "client": clients.get(each.id)}
