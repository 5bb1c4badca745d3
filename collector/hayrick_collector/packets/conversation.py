"""What each side said, in the order it arrived: TCP put in order by the decoder, datagrams as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import hayrick_decode
from hayrick_collector.packets.reading import Read, plain, streams


@dataclass(slots=True)
class Piece:
    """Bytes that `side` (0 client, 1 server) sent without the other saying something between. `time_ns` of the first
    packet; `missing` bytes before them never came; `offset` within the side's bytes that did."""

    side: int
    time_ns: int
    missing: int
    offset: int
    data: bytearray


def pieces(document: Mapping[str, Any], read: Read, most: int) -> tuple[list[Piece], bool]:
    """The first `most` bytes, and whether there are more. Of TLS that secrets open, what it carried."""
    stream = streams(document)
    found = [*stream.feed(plain(read.packets)), *stream.finish()]
    if read.key_log:
        found = hayrick_decode.opened(found, read.key_log) or found
    made: list[Piece] = []
    offsets = [0, 0]
    left = most
    for side, time_ns, missing, data in found:
        taken = data[:left]
        if not taken:
            return made, bool(data)
        last = made[-1] if made else None
        if last is not None and last.side == side and not missing and _joined(document):
            last.data += taken
        else:
            made.append(Piece(side, time_ns, missing, offsets[side], bytearray(taken)))
        offsets[side] += len(taken)
        left -= len(taken)
        if len(taken) < len(data):
            return made, True
    return made, False


def sides(made: Iterable[Piece]) -> tuple[bytes, bytes]:
    """Each side's bytes, joined."""
    joined = (bytearray(), bytearray())
    for piece in made:
        joined[piece.side].extend(piece.data)
    return bytes(joined[0]), bytes(joined[1])


def _joined(document: Mapping[str, Any]) -> bool:
    return document.get("ipProtocol") == 6  # a datagram stays one
