"""What of a capture must be here to read some of its packets, in either format: no I/O but reading what is here.

`needed` says what is missing yet, and is asked again after each answer; `check` holds what came against the sessions.
A session tells a packet's place and sixteen bytes more than what was captured of it: a classic record's length.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Protocol

from hayrick_collector.ondemand.pieces import Pieces
from hayrick_collector.ondemand.ranges import Range

CLASSIC_HEADER: Range = (0, 24)
RECORD_HEADER = 16
FIRST_HEAD = 4096  # bytes of a pcapng's beginning asked for at first: all that precedes its packets, nearly always
LONGEST_HEAD = 256 << 10
LONGEST_BLOCK = 512 << 10
BLOCK_FRAME = 12  # kind, length, and length again
MOST_OPTIONS = 65_536
_ORDERS = {
    b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\xa1\xb2\x3c\x4d": ">",
}  # fmt: skip
_SECTION = b"\x0a\x0d\x0d\x0a"
_SECTION_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_INTERFACE, _OBSOLETE, _SIMPLE, _ENHANCED = 1, 2, 3, 6
OTHERS = "the sensor sent other packets than its sessions tell of"


class Capture(Protocol):
    """The wanted packets of one capture."""

    def needed(self, here: Pieces) -> list[Range]:
        """Ranges that are not here, ascending; they may overlap. Raises ValueError when they will never be enough."""

    def check(self, found: Sequence[tuple[Range, bytes]]) -> None:
        """Raises ValueError when an answer has other packets than were wanted."""

    def readable(self, here: Pieces) -> Iterator[int]:
        """Positions of the wanted packets that are here."""


class Classic:
    """A classic capture: a header, and each packet after a header of its own."""

    def __init__(self, positions: Sequence[int], lengths: Sequence[int]) -> None:
        self._places = list(zip(positions, lengths, strict=True))
        self._starts, self._lengths = positions, lengths
        self._order: str | None = None

    def needed(self, here: Pieces) -> list[Range]:
        self._order = _ORDERS.get(here.bytes_at(0, 4))
        return [each for each in [CLASSIC_HEADER, *self._places] if not here.holds(*each)]

    def check(self, found: Sequence[tuple[Range, bytes]]) -> None:
        self._order = self._order or _ORDERS.get(_beginning(found)[:4])
        if self._order is None:
            raise ValueError("the sensor's file is no classic pcap")
        for index, head in _within(found, self._starts, RECORD_HEADER):
            captured: int = struct.unpack_from(self._order + "I", head, 8)[0]
            if captured + RECORD_HEADER != self._lengths[index]:
                raise ValueError(OTHERS)

    def readable(self, here: Pieces) -> Iterator[int]:
        if here.holds(*CLASSIC_HEADER):
            yield from (offset for offset, length in self._places if here.holds(offset, length))


class Blocks:
    """A pcapng of `size` bytes whose interfaces are described before its packets. A block's length is known only once
    its beginning is here: at first it is taken to have no options."""

    def __init__(self, positions: Sequence[int], lengths: Sequence[int], size: int) -> None:
        self._starts, self._size = positions, size
        self._captured = [length - RECORD_HEADER for length in lengths]
        self._order = ""

    def needed(self, here: Pieces) -> list[Range]:
        begun = _Head.of(here)
        self._order = begun.order
        head = [] if begun.whole else [self._more_head(here)]
        wanted = [self._place(here, *each) for each in zip(self._starts, self._captured, strict=True)]
        return head + [each for each in wanted if not here.holds(*each)]

    def check(self, found: Sequence[tuple[Range, bytes]]) -> None:
        self._order = self._order or _Head(_beginning(found)).order
        for index, block in _within(found, self._starts, BLOCK_FRAME):
            _check_block(self._order, block, self._captured[index])

    def readable(self, here: Pieces) -> Iterator[int]:
        head = _Head.of(here)
        self._order = head.order
        if head.whole:
            for start, captured in zip(self._starts, self._captured, strict=True):
                length = self._length(here, start)
                if length and _fits(head, here.bytes_at(start, length), captured):
                    yield start

    def _more_head(self, here: Pieces) -> Range:
        have = 0
        while have < LONGEST_HEAD and here.holds(0, min(max(have * 4, FIRST_HEAD), self._size)):
            have = max(have * 4, FIRST_HEAD)
        if have >= min(LONGEST_HEAD, self._size):
            raise ValueError(f"no packet begins in the first {min(LONGEST_HEAD, self._size)} bytes of its capture")
        return 0, min(max(have * 4, FIRST_HEAD), self._size)

    def _place(self, here: Pieces, start: int, captured: int) -> Range:
        padded = captured + -captured % 4
        return start, min(self._length(here, start) or padded + 20 + BLOCK_FRAME, self._size - start)

    def _length(self, here: Pieces, start: int) -> int:
        """The block's, 0 where it is not known yet."""
        begun = here.bytes_at(start, 8) if self._order else b""
        return int(struct.unpack_from(self._order + "I", begun, 4)[0]) if begun else 0


class _Head:
    """What precedes a pcapng's packets: `whole` once the first packet's block is seen to begin."""

    def __init__(self, data: bytes) -> None:
        self.order = _SECTION_ORDERS.get(data[8:12], "") if data[:4] == _SECTION else ""
        self.interfaces, self.whole = 0, False
        if not self.order and len(data) >= 12:
            raise ValueError("the sensor's file is no pcapng")
        at = 0
        while self.order and at + 12 <= len(data) and not self.whole:
            kind, length = struct.unpack_from(self.order + "II", data, at)
            self.whole = kind in (_OBSOLETE, _SIMPLE, _ENHANCED)
            self.interfaces += kind == _INTERFACE
            if length < 12 or length % 4:
                raise ValueError("the sensor's file is a damaged pcapng")
            at += length

    @classmethod
    def of(cls, here: Pieces) -> _Head:
        here.seek(0)
        return cls(here.read(LONGEST_HEAD))


def _beginning(found: Sequence[tuple[Range, bytes]]) -> bytes:
    """The capture's first bytes, if they are in the answer."""
    return found[0][1] if found[0][0][0] == 0 else b""


def _within(found: Sequence[tuple[Range, bytes]], starts: Sequence[int], least: int) -> Iterator[tuple[int, bytes]]:
    """Each wanted packet of which at least so many bytes came: its index, and the bytes from its start."""
    for (offset, length), data in found:
        for index in range(bisect_left(starts, offset), len(starts)):
            start = starts[index] - offset
            if start + least > length:
                break
            yield index, data[start : start + least + 20]


def _check_block(order: str, block: bytes, captured: int) -> None:
    """A packet's block must be one, and say the length that its session tells."""
    if not order:
        raise ValueError("the sensor's file is no pcapng")
    kind, length = struct.unpack_from(order + "II", block)
    if kind == _SIMPLE:
        told = captured  # a simple packet's is what its interface cut it to
        least = BLOCK_FRAME + 4 + captured
    elif kind in (_ENHANCED, _OBSOLETE) and len(block) >= 24:
        told = struct.unpack_from(order + "I", block, 20)[0]
        least = BLOCK_FRAME + 20 + captured
    else:
        raise ValueError(OTHERS)
    if told != captured or length % 4 or not least <= length <= min(least + MOST_OPTIONS, LONGEST_BLOCK):
        raise ValueError(OTHERS)


def _fits(head: _Head, block: bytes, captured: int) -> bool:
    """Whether a whole block can be read: it ends as it begins, and its interface is known."""
    try:
        _check_block(head.order, block[: BLOCK_FRAME + 20], captured)
    except (ValueError, struct.error):
        return False
    kind, length = struct.unpack_from(head.order + "II", block)
    interface = 0
    if kind == _ENHANCED:
        interface = struct.unpack_from(head.order + "I", block, 8)[0]
    elif kind == _OBSOLETE:
        interface = struct.unpack_from(head.order + "H", block, 8)[0]
    return bool(block[-4:] == struct.pack(head.order + "I", length) and interface < head.interfaces)
