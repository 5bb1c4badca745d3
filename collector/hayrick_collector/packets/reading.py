"""The first packets of a session, with what is missing of it."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import hayrick_decode
from hayrick_collector.archive import export, keylog
from hayrick_collector.archive.read import merged
from hayrick_collector.archive.write import Packet
from hayrick_collector.backend import Missing
from hayrick_collector.direct import DirectBackend

MOST_PACKETS = 20_000
MOST_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Read:
    """`packets` in time order; `count` is how many the session has stored; `key_log` opens what of it is encrypted."""

    packets: Sequence[Packet]
    count: int
    missing: tuple[Missing, ...]
    key_log: bytes = b""

    @property
    def whole(self) -> bool:
        """Whether these are all stored packets."""
        return len(self.packets) == self.count


async def read(backend: DirectBackend, session_id: str, most: int = MOST_PACKETS) -> Read:
    """At most `most` packets (never above MOST_PACKETS) and MOST_BYTES of a session, the first ones. Raises as opening
    a chunk does."""
    planned = await export.plan(
        backend.config, backend.catalog, backend.store.positions_of([session_id]), backend.fetcher
    )
    packets = await asyncio.to_thread(_first, planned.sources, min(most, MOST_PACKETS))
    return Read(packets, planned.packets, tuple(planned.missing))


def secrets(backend: DirectBackend, document: Mapping[str, Any]) -> bytes:
    """The secrets that lie beside a session's packets here; empty where there are none. Blocking. Raises as opening a
    chunk does."""
    row = backend.catalog.get(str(document.get("chunk")))
    return keylog.read(backend.config.folder.absolute(row.path), backend.config.archive.keys) if row else b""


def plain(packets: Sequence[Packet]) -> list[tuple[int, int, int, bytes]]:
    """Packets as the decoder takes them."""
    return [packet[:4] for packet in packets]


def streams(document: Mapping[str, Any]) -> hayrick_decode.Streams:
    """A reassembler that knows which end is the client."""
    source = document.get("source") or {}
    if not source.get("ip"):
        return hayrick_decode.Streams()
    return hayrick_decode.Streams((ipaddress.ip_address(source["ip"]), int(source.get("port") or 0)))


def _first(sources: Sequence[Any], most: int) -> list[Packet]:
    packets: list[Packet] = []
    size = 0
    for packet in islice(merged(sources), most):
        size += len(packet.data)
        if packets and size > MOST_BYTES:
            break
        packets.append(packet)
    return packets
