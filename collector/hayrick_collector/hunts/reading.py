"""One session's packets out of a stored file, and what a matcher says of them: packet by packet, or side by side."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import hayrick_decode
from hayrick_collector.hunts.match import Matcher
from hayrick_collector.hunts.spec import Side

BATCH = 512  # packets read at once
WINDOW = 16 << 20  # bytes of a side that are searched at once
OVERLAP = 64 << 10  # bytes that two windows share: a match that is longer may be missed across their border
Packet = tuple[int, int, int, bytes]
_SIDES: dict[Side, tuple[int, ...]] = {"both": (0, 1), "client": (0,), "server": (1,)}


@dataclass(frozen=True, slots=True)
class Session:
    """`client`: address and port of its source, None where it has none."""

    id: str
    positions: Sequence[int]
    client: tuple[str, int] | None = None

    def streams(self) -> hayrick_decode.Streams:
        """Its streams, not fed yet."""
        if self.client is None:
            return hayrick_decode.Streams()
        return hayrick_decode.Streams((ipaddress.ip_address(self.client[0]), self.client[1]))


class Chunk:
    """A stored capture that sessions are read from; counts what it read."""

    def __init__(self, file: BinaryIO, *, seekable: bool) -> None:
        self._file = file
        self._seekable = seekable
        self.packets = 0
        self.bytes = 0

    def batches(self, session: Session) -> Iterator[list[Packet]]:
        """The session's packets, some at a time. Raises ValueError, OSError, ArchiveError as reading does."""
        for start in range(0, len(session.positions), BATCH):
            found = hayrick_decode.read_packets(
                self._file, session.positions[start : start + BATCH], seekable=self._seekable
            )
            self.packets += len(found)
            self.bytes += sum(len(packet[3]) for packet in found)
            yield found

    def packets_of(self, session: Session, side: Side) -> Iterator[Packet]:
        """The packets that this side sent; a fragment may be anyone's."""
        streams = session.streams()
        for batch in self.batches(session):
            if side == "both":
                yield from batch
                continue
            sides = streams.sides(batch)
            yield from (packet for packet, sent in zip(batch, sides, strict=True) if sent in (None, *_SIDES[side]))

    def windows(self, session: Session, side: Side) -> Iterator[bytes]:
        """Each side's bytes in order, in windows that overlap. Where bytes are missing, what follows is joined on."""
        streams = session.streams()
        held = {wanted: bytearray() for wanted in _SIDES[side]}
        for batch in self.batches(session):
            yield from _fill(held, streams.feed(batch))
        yield from _fill(held, streams.finish())
        yield from (bytes(rest) for rest in held.values() if rest)


def labels(chunk: Chunk, session: Session, match: Matcher, *, raw: bool, side: Side) -> tuple[str, ...]:
    """What the matcher says of the session; a matcher with one label is not asked again once it matched."""
    parts: Iterator[bytes] = chunk.windows(session, side)
    if raw:
        parts = (packet[3] for packet in chunk.packets_of(session, side))
    found: dict[str, None] = {}
    for part in parts:
        found.update(dict.fromkeys(match(part)))
        if "match" in found:
            break
    return tuple(found)


def _fill(held: dict[int, bytearray], pieces: Sequence[Any]) -> Iterator[bytes]:
    for sent, _, _, data in pieces:
        if (buffer := held.get(sent)) is None:
            continue
        buffer += data
        if len(buffer) >= WINDOW:
            yield bytes(buffer)
            del buffer[:-OVERLAP]
