"""Packets back from the archive in time order: within a chunk, and merged over chunks, in bounded memory.

A chunk is opened only when the merge has come to its first packet. Held at once: a batch of packets for each begun
chunk, sixteen bytes for each packet still to come, and the files (with a frame or two) that were read last.
"""

from __future__ import annotations

import heapq
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from hayrick_collector.archive.write import Packet

BATCH = 256  # packets read at once: at most 64 MiB at the largest snap length, usually a quarter of one

OPEN_FILES = 32  # chunks that are kept open together

Reader = Callable[[BinaryIO, Sequence[int], bool], Iterable[tuple[int, int, int, bytes]]]


@dataclass(frozen=True, slots=True)
class Source:
    """What to read of one chunk: how to open it, packet positions in file order, and its first packet's time (ns).

    `seekable` is what the decoder's summary said of it; `interface` names where it was captured.
    """

    open: Callable[[], BinaryIO]
    positions: array[int]
    first_ns: int
    seekable: bool = False
    interface: str = ""


def decoder_reader(file: BinaryIO, positions: Sequence[int], seekable: bool) -> Iterable[tuple[int, int, int, bytes]]:
    """The decoder's own reader of packets by position."""
    import hayrick_decode

    return hayrick_decode.read_packets(file, list(positions), seekable=seekable)


class _Files:
    """Open chunks, those read last: a file that is read batch by batch is opened once, and thousands are no trouble."""

    def __init__(self) -> None:
        self._open: OrderedDict[int, BinaryIO] = OrderedDict()

    def get(self, source: Source) -> BinaryIO:
        file = self._open.pop(id(source), None) or source.open()
        self._open[id(source)] = file
        if len(self._open) > OPEN_FILES:
            self._open.popitem(last=False)[1].close()
        return file

    def close(self, source: Source) -> None:
        if file := self._open.pop(id(source), None):
            file.close()

    def close_all(self) -> None:
        while self._open:
            self._open.popitem()[1].close()


def merged(sources: Iterable[Source], read: Reader = decoder_reader) -> Iterator[Packet]:
    """All sources' packets by time; equal times come in the order of the sources."""
    files = _Files()
    try:
        yield from _merged(sources, read, files)
    finally:
        files.close_all()


def _merged(sources: Iterable[Source], read: Reader, files: _Files) -> Iterator[Packet]:
    waiting = sorted(enumerate(sources), key=lambda item: (item[1].first_ns, item[0]), reverse=True)
    heap: list[tuple[int, int, Packet, Iterator[Packet]]] = []
    while waiting or heap:
        while waiting and (not heap or waiting[-1][1].first_ns <= heap[0][0]):
            number, source = waiting.pop()
            _push(heap, number, _ordered(source, read, files))
        if heap:
            _, number, packet, rest = heapq.heappop(heap)
            yield packet
            _push(heap, number, rest)


def _push(heap: list[tuple[int, int, Packet, Iterator[Packet]]], number: int, rest: Iterator[Packet]) -> None:
    packet = next(rest, None)
    if packet is not None:
        heapq.heappush(heap, (packet.time_ns, number, packet, rest))


def _ordered(source: Source, read: Reader, files: _Files) -> Iterator[Packet]:
    """One chunk's packets by time. Captures are usually in order already; one that isn't is sorted by a first pass."""
    times = array("q", (packet[0] for packet in _batches(source, source.positions, read, files)))
    positions = source.positions
    if any(before > after for before, after in pairwise(times)):
        order = sorted(range(len(times)), key=times.__getitem__)
        positions = array("q", (source.positions[index] for index in order))
    yield from (Packet(*each, source.interface) for each in _batches(source, positions, read, files))
    files.close(source)


def _batches(
    source: Source, positions: array[int], read: Reader, files: _Files
) -> Iterator[tuple[int, int, int, bytes]]:
    for start in range(0, len(positions), BATCH):
        yield from read(files.get(source), positions[start : start + BATCH], source.seekable)
