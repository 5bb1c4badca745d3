"""Many sessions' packets out of one stored file, read once from its start to its end, and what a matcher says of each.

Sessions lie interleaved in a file of compressed frames: read one by one, each would have every frame undone anew.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

import hayrick_decode
from hayrick_collector.hunts.match import FOUND, Matcher
from hayrick_collector.hunts.spec import Side
from hayrick_common.errors import HayrickError

BATCH = 8192  # packets read at once
WINDOW = 16 << 20  # bytes of a side that are searched at once
OVERLAP = 64 << 10  # bytes that two windows share: a match that is longer may be missed across their border
Packet = tuple[int, int, int, bytes]
SIDES: dict[Side, tuple[int, ...]] = {"both": (0, 1), "client": (0,), "server": (1,)}


@dataclass(slots=True)
class Session:
    """`client`: address and port of its source, None where it has none. `left`: packets that are still to come."""

    id: str
    positions: Sequence[int]
    client: tuple[str, int] | None = None
    found: dict[str, None] = field(default_factory=dict)
    held: dict[int, bytearray] = field(default_factory=dict)
    left: int = 0
    made: hayrick_decode.Streams | None = None

    @property
    def streams(self) -> hayrick_decode.Streams:
        """Its streams, made when first needed."""
        if self.made is None:
            ends = None if self.client is None else (ipaddress.ip_address(self.client[0]), self.client[1])
            self.made = hayrick_decode.Streams(ends)
        return self.made

    def sent_by(self, packets: list[Packet], side: Side) -> list[Packet]:
        """The packets that this side sent; a fragment may be anyone's."""
        if side == "both":
            return packets
        wanted = (None, *SIDES[side])
        return [packet for packet, sent in zip(packets, self.streams.sides(packets), strict=True) if sent in wanted]

    def windows(self, packets: list[Packet] | None, side: Side) -> Iterator[bytes]:
        """What is to be searched once these packets came (None: once all came) of each side's bytes in order. Where
        bytes are missing, what follows is joined on."""
        pieces = self.streams.finish() if packets is None else self.streams.feed(packets)
        for sent, _, _, data in pieces:
            if sent not in SIDES[side]:
                continue
            buffer = self.held.setdefault(sent, bytearray())
            buffer += data
            if len(buffer) >= WINDOW:
                yield bytes(buffer)
                del buffer[:-OVERLAP]
        if packets is None:
            yield from (bytes(buffer) for buffer in self.held.values() if buffer)


class Chunk:
    """A stored capture that sessions are read from. Counts what was read, and what was not, by reason."""

    def __init__(self, file: BinaryIO, *, seekable: bool) -> None:
        self._file = file
        self._seekable = seekable
        self.packets = 0
        self.bytes = 0
        self.unread: Counter[str] = Counter()

    def batches(self, sessions: Sequence[Session]) -> Iterator[list[tuple[Session, list[Packet]]]]:
        """The sessions' packets in the order of the file, some at a time, by session."""
        places = sorted((position, number) for number, each in enumerate(sessions) for position in each.positions)
        for each in sessions:
            each.left = len(each.positions)
        for start in range(0, len(places), BATCH):
            batch: dict[int, list[Packet]] = {}
            part = places[start : start + BATCH]
            for (_, number), packet in zip(part, self._read([at for at, _ in part]), strict=True):
                sessions[number].left -= 1
                batch.setdefault(number, []).extend([packet] if packet else [])
            yield [(sessions[number], packets) for number, packets in batch.items()]

    def _read(self, positions: list[int]) -> Sequence[Packet | None]:
        """Packets by position, None for one that cannot be read: then the others are read one by one."""
        try:
            read = hayrick_decode.read_packets(self._file, positions, seekable=self._seekable)
        except (HayrickError, OSError, ValueError) as error:
            if len(positions) == 1:
                self.unread[str(error)] += 1
                return [None]
            middle = len(positions) // 2
            return [*self._read(positions[:middle]), *self._read(positions[middle:])]
        self.packets += len(read)
        self.bytes += sum(len(packet[3]) for packet in read)
        return read


def search(
    chunk: Chunk, sessions: Sequence[Session], match: Matcher, *, raw: bool, side: Side,
    told: Callable[[], None] = lambda: None,
) -> None:  # fmt: skip
    """Write what the matcher says into each session's `found`; one that matched a lone pattern is not searched on."""
    for batch in chunk.batches(sessions):
        for session, packets in batch:
            try:
                _searched(session, packets, match, raw=raw, side=side)
            except TimeoutError as error:
                chunk.unread[str(error)] += len(packets)
            if session.left == 0:
                session.held, session.made = {}, None
            told()


def _searched(session: Session, packets: list[Packet], match: Matcher, *, raw: bool, side: Side) -> None:
    if FOUND[0] in session.found:
        return
    if raw:
        for packet in session.sent_by(packets, side):
            session.found.update(dict.fromkeys(match(packet[3])))
        return
    for window in session.windows(packets, side):
        session.found.update(dict.fromkeys(match(window)))
    if session.left == 0 and FOUND[0] not in session.found:
        for window in session.windows(None, side):
            session.found.update(dict.fromkeys(match(window)))
