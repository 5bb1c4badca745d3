"""A capture out of many chunks: which files, which packets, which format, and then the bytes.

All that must be known before the first byte (how many packets, whether one PCAP can hold them, what is gone) is settled
when planning; the packets themselves are read only as the bytes are taken.
"""

from __future__ import annotations

import asyncio
from array import array
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any, BinaryIO

from hayrick_collector.archive.locate import Places, gather, locate, seekable
from hayrick_collector.archive.paths import finer_than_microseconds
from hayrick_collector.archive.read import Source, merged
from hayrick_collector.archive.reader import open_file
from hayrick_collector.archive.write import Format, Pcap, Pcapng
from hayrick_collector.backend import CaptureFormat, Export, Missing
from hayrick_collector.catalog import Catalog, ChunkRow
from hayrick_collector.config import CollectorConfig
from hayrick_collector.ondemand import Fetcher, Wanted
from hayrick_collector.store import Positions
from hayrick_common.errors import UsageError

PIECE = 256 << 10
_STRETCH_BITS = 24
ETHERNET = 1


@dataclass(slots=True)
class Plan:
    """What an export will read."""

    sources: list[Source] = field(default_factory=list)
    linktypes: set[int] = field(default_factory=set)
    nanoseconds: bool = False
    sessions: int = 0
    packets: int = 0
    missing: list[Missing] = field(default_factory=list)


async def plan(
    config: CollectorConfig, catalog: Catalog, positions: AsyncIterator[Positions], fetcher: Fetcher
) -> Plan:
    """Gather the packets of all sessions, chunk by chunk: sixteen bytes a packet are held, thirty-two for a moment.

    What is on sensors is fetched; what cannot be had any more is `missing`. Raises ArchiveError or KeyFileError when a
    stored chunk cannot be opened.
    """
    chunks: dict[str, Places] = {}
    made = Plan()
    async for each in positions:
        gather(chunks, each)
        made.sessions += 1
    located = await locate(config, catalog, chunks, fetcher)
    made.missing += [Missing(key, len(ordered(chunks[key][0])), reason) for key, reason in located.gone.items()]
    for row, path in located.stored:
        opener = partial(open_file, path, config.archive.keys)
        await asyncio.to_thread(_add, made, opener, row, ordered(chunks[row.key][0]))
    await fetcher.fetch([wanted for _, wanted in located.distant])
    for row, wanted in located.distant:
        await asyncio.to_thread(_add_distant, made, fetcher, row, wanted)
    return made


def ordered(positions: array[int]) -> array[int]:
    """Each once and rising; 16 MiB of the file at a time, since outside an array a number takes ten times the room."""
    stretches: dict[int, array[int]] = defaultdict(lambda: array("q"))
    for each in positions:
        stretches[each >> _STRETCH_BITS].append(each)
    return array("q", chain.from_iterable(sorted(set(stretches.pop(each))) for each in sorted(stretches)))


def start(made: Plan, wanted: CaptureFormat | None) -> Export:
    """The export, ready to be taken. Raises UsageError when a PCAP is wanted that cannot hold the link types."""
    if wanted == "pcap" and len(made.linktypes) > 1:
        kinds = ", ".join(map(str, sorted(made.linktypes)))
        raise UsageError(f"these packets have several link types ({kinds}), which one PCAP cannot hold: write PCAPNG")
    chosen: CaptureFormat = wanted or ("pcapng" if len(made.linktypes) > 1 else "pcap")
    pieces = _pieces(made.sources, _writer(made, chosen))
    return Export(chosen, made.sessions, made.packets, tuple(made.missing), pieces)


def _add_distant(made: Plan, fetcher: Fetcher, row: ChunkRow, wanted: Wanted) -> None:
    if wanted.here:
        _add(made, fetcher.opener(wanted.key), row, wanted.here)
    if wanted.missing:
        made.missing.append(Missing(wanted.key, wanted.missing, wanted.reason))


def _add(made: Plan, opener: Callable[[], BinaryIO], row: ChunkRow, positions: array[int]) -> None:
    made.packets += len(positions)
    summary = row.summary or {}
    first_ns, interface = (row.first_packet or 0) * 1_000_000, f"{row.sensor}/{row.stream}"
    made.sources.append(Source(opener, positions, first_ns, seekable(row), interface))
    made.linktypes.update(list(summary.get("linktypes", ())) or [ETHERNET])
    made.nanoseconds = made.nanoseconds or _finer(summary, opener)


def _finer(summary: dict[str, Any], opener: Callable[[], BinaryIO]) -> bool:
    """Whether its times may be finer than microseconds: said where this version indexed it, else read."""
    if (told := summary.get("nanoseconds")) is not None:
        return bool(told)
    with opener() as file:
        return finer_than_microseconds(file.read(4))


def _writer(made: Plan, chosen: CaptureFormat) -> Format:
    if chosen == "pcapng":
        return Pcapng()
    return Pcap(next(iter(made.linktypes), ETHERNET), nanoseconds=made.nanoseconds)


async def _pieces(sources: list[Source], writer: Format) -> AsyncGenerator[bytes]:
    """The file in pieces; reading and packing run in a thread, a piece at a time."""
    pieces = _joined(sources, writer)
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece


def _joined(sources: list[Source], writer: Format) -> Iterator[bytes]:
    gathered = [writer.head()]
    size = len(gathered[0])
    for packet in merged(sources):
        record = writer.packet(packet)
        gathered.append(record)
        size += len(record)
        if size >= PIECE:
            yield b"".join(gathered)
            gathered, size = [], 0
    if gathered:
        yield b"".join(gathered)
