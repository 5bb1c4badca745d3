"""Which bytes of a capture are to be asked for: pure functions of the packets' places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from hayrick_common.wire import PULL_MAX_RANGES

Range = tuple[int, int]
GAP_BYTES = 64  # bytes between two packets that cost less than a range of their own
REQUEST_BYTES = 256 << 10  # what has come of a request is kept once all of it has: on a slow line that takes a while


def coalesced(places: Iterable[Range]) -> Iterator[Range]:
    """(offset, length) of packets, ascending, as fewer and longer ranges."""
    start = end = -1
    for offset, length in places:
        if start >= 0 and offset - end <= GAP_BYTES and offset + length - start <= REQUEST_BYTES:
            end = max(end, offset + length)
            continue
        if start >= 0:
            yield start, end - start
        start, end = offset, offset + length
    if start >= 0:
        yield start, end - start


def requests(ranges: Iterable[Range]) -> Iterator[list[Range]]:
    """Ranges by requests, each within what one may ask for; a range that is longer goes alone."""
    batch: list[Range] = []
    size = 0
    for each in ranges:
        if batch and (size + each[1] > REQUEST_BYTES or len(batch) == PULL_MAX_RANGES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += each[1]
    if batch:
        yield batch


def split(body: bytes, ranges: Sequence[Range]) -> list[bytes]:
    """An answer's bytes by range; ValueError when it has not exactly what was asked for."""
    wanted = sum(length for _, length in ranges)
    if len(body) != wanted:
        raise ValueError(f"the sensor sent {len(body)} bytes where {wanted} were asked for")
    pieces, at = [], 0
    for _, length in ranges:
        pieces.append(body[at : at + length])
        at += length
    return pieces
