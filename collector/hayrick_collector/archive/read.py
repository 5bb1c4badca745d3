"""Packets back from the archive in time order: within a chunk, and merged over chunks, in bounded memory.

A chunk is opened only when the merge has come to its first packet. Held at once: a batch of packets for each open
chunk, and sixteen bytes for each packet still to come.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from hayrick_collector.archive.write import Packet

BATCH = 256  # packets read at once: at most 64 MiB at the largest snap length, usually a quarter of one

Reader = Callable[[Path, Sequence[int]], Iterable[tuple[int, int, int, bytes]]]


@dataclass(frozen=True, slots=True)
class Source:
    """What to read of one chunk: its file, packet positions in file order, and its first packet's time (ns)."""

    path: Path
    positions: array[int]
    first_ns: int


def decoder_reader(path: Path, positions: Sequence[int]) -> Iterable[tuple[int, int, int, bytes]]:
    """The decoder's own reader of packets by position."""
    import hayrick_decode

    return hayrick_decode.read_packets(str(path), list(positions))


def ordered(source: Source, read: Reader) -> Iterator[Packet]:
    """One chunk's packets by time. Captures are usually in order already; one that isn't is sorted by a first pass."""
    times = array("q", (packet[0] for packet in _batches(source.path, source.positions, read)))
    if all(before <= after for before, after in pairwise(times)):
        yield from map(Packet._make, _batches(source.path, source.positions, read))
        return
    order = sorted(range(len(times)), key=times.__getitem__)
    by_time = array("q", (source.positions[index] for index in order))
    yield from map(Packet._make, _batches(source.path, by_time, read))


def merged(sources: Iterable[Source], read: Reader = decoder_reader) -> Iterator[Packet]:
    """All sources' packets by time; equal times come in the order of the sources."""
    waiting = sorted(enumerate(sources), key=lambda item: (item[1].first_ns, item[0]), reverse=True)
    heap: list[tuple[int, int, Packet, Iterator[Packet]]] = []
    while waiting or heap:
        while waiting and (not heap or waiting[-1][1].first_ns <= heap[0][0]):
            number, source = waiting.pop()
            _push(heap, number, ordered(source, read))
        if heap:
            _, number, packet, rest = heapq.heappop(heap)
            yield packet
            _push(heap, number, rest)


def _push(heap: list[tuple[int, int, Packet, Iterator[Packet]]], number: int, rest: Iterator[Packet]) -> None:
    packet = next(rest, None)
    if packet is not None:
        heapq.heappush(heap, (packet.time_ns, number, packet, rest))


def _batches(path: Path, positions: array[int], read: Reader) -> Iterator[tuple[int, int, int, bytes]]:
    for start in range(0, len(positions), BATCH):
        yield from read(path, positions[start : start + BATCH])
