"""Walks the packet headers of pcap and pcapng as blocks of bytes come by, without looking into any packet.

Bounded: no more is kept of a file than one header of it.
"""

from __future__ import annotations

import struct
from array import array
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

PCAPNG_MAGIC = b"\x0a\x0d\x0d\x0a"
HEADER_BYTES = 24
_MAGICS = {0xA1B2C3D4: (16, 1_000), 0xA1B23C4D: (16, 1_000_000), 0xA1B2CD34: (24, 1_000)}
_SECTION, _INTERFACE, _PACKET, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
_ORDER = 0x1A2B3C4D
MAX_INTERFACES = 65_536
MAX_OPTIONS_BYTES = 65_536


@dataclass
class Tally:
    """What was counted so far; times are epoch milliseconds. `cut`: the file ends within a packet."""

    packets: int = 0
    first_ms: int = 0
    last_ms: int = 0
    cut: bool = False

    def at(self, milliseconds: int) -> None:
        """One more packet; 0 where its time is not told."""
        self.many(1, milliseconds, milliseconds)

    def many(self, packets: int, first_ms: int, last_ms: int) -> None:
        """More packets, and the times of their earliest and latest."""
        self.packets += packets
        self.first_ms = min(self.first_ms or first_ms, first_ms or self.first_ms)
        self.last_ms = max(self.last_ms, last_ms)


class Walker(Protocol):
    """Takes a file's bytes in order."""

    def feed(self, block: bytes | memoryview) -> None:
        """The next bytes."""

    def finish(self) -> str:
        """There are no more; says why the file is no capture, if it is none."""


def walker_for(head: bytes | memoryview, tally: Tally) -> tuple[Walker | None, str]:
    """Whoever can walk a file that begins so (None: nobody), and why it is no capture; a stub of a header is none."""
    if head[:4] == PCAPNG_MAGIC:
        return PcapngWalker(tally), ""
    for order in "<>":
        shape = _MAGICS.get(struct.unpack_from(order + "I", head)[0]) if len(head) >= 4 else None
        if shape:
            return PcapWalker(tally, order, *shape), ""
    return None, "not a capture: no magic number of one" if len(head) >= HEADER_BYTES else ""


class PcapWalker:
    """Classic pcap, in either byte order, of micro- or nanoseconds. `whole` is where its last whole packet ends."""

    def __init__(self, tally: Tally, order: str, record: int, fraction: int) -> None:
        self.whole = HEADER_BYTES
        self._tally = tally
        self._unpack = struct.Struct(f"{order}QI{record - 12}x").unpack_from
        self._swapped = order == "<"
        self._record = record
        self._fraction = fraction
        self._base = 0
        self._rest = b""
        self._next = HEADER_BYTES
        self._waiting: int | None = None

    def feed(self, block: bytes | memoryview) -> None:
        """The next bytes."""
        if not self._rest or self._take_cut_header(block):
            self._go_on(block)
        self._base += len(block)

    def _take_cut_header(self, block: bytes | memoryview) -> bool:
        """The header that began in the block before; False while it is not whole."""
        head = self._rest + block[: self._record - len(self._rest)]
        if len(head) < self._record:
            self._rest = head
            return False
        time, length = self._unpack(head)
        self._waiting = self._milliseconds(self._in_order([time])[0])
        self._next = self._record + length - len(self._rest)
        return True

    def _go_on(self, block: bytes | memoryview) -> None:
        self._rest = b""
        if self._next > len(block):
            self._next -= len(block)
            return
        if self._waiting is not None:
            self._tally.at(self._waiting)
            self._waiting = None
        here = self._run(block, self._next)
        self._rest = bytes(block[here:])
        self._next = max(0, here - len(block))

    def _run(self, data: bytes | memoryview, here: int) -> int:
        """Count packets from `here` on; where the next header is. So hot that it calls nothing of ours."""
        unpack, record, times, length = self._unpack, self._record, list[int](), 0
        note = times.append
        with suppress(struct.error):  # that no whole header is left: cheaper than to look each time
            while True:
                time, length = unpack(data, here)
                note(time)
                here += record + length
        whole = here
        if here > len(data):
            whole -= record + length
            self._waiting = self._milliseconds(self._in_order([times.pop()])[0])
        if times:
            stamps = self._in_order(times)
            self._tally.many(len(times), self._milliseconds(min(stamps)), self._milliseconds(max(stamps)))
        self.whole = self._base + whole
        return here

    def _in_order(self, times: list[int]) -> array[int]:
        """As numbers with the seconds before their fractions: a little-endian file has them the other way round."""
        found = array("Q", times)
        if self._swapped:
            halves = array("I", found.tobytes())
            halves[::2], halves[1::2] = halves[1::2], halves[::2]
            found = array("Q", halves.tobytes())
        return found

    def _milliseconds(self, stamp: int) -> int:
        return (stamp >> 32) * 1000 + (stamp & 0xFFFFFFFF) // self._fraction

    def finish(self) -> str:
        """There are no more."""
        self._tally.cut = bool(self._rest) or self._waiting is not None
        return ""


class PcapngWalker:
    """pcapng: any number of sections and interfaces, each with its own resolution of time."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._order = "<"
        self._interfaces: list[tuple[int, int]] = []
        self._rest = b""
        self._skip = 0
        self._waiting: int | None = None
        self._broken = False

    def feed(self, block: bytes | memoryview) -> None:
        """The next bytes."""
        if self._skip > len(block):
            self._skip -= len(block)
            return
        if self._waiting is not None:
            self._tally.at(self._waiting)
            self._waiting = None
        data, here = self._rest + block[self._skip :], 0
        while not self._broken and (length := self._block(data, here)):
            here += length
        self._rest = b"" if self._broken else data[here:]
        self._skip = max(0, here - len(data))

    def finish(self) -> str:
        """There are no more; bytes that are no blocks behind packets count as a cut."""
        self._tally.cut = self._broken or bool(self._rest) or self._skip > 0
        return "not a capture: no pcapng block where one should be" if self._broken and not self._tally.packets else ""

    def _block(self, data: bytes, here: int) -> int:
        """Take the block at `here`; its length, or 0 where too little of it has come (or it is none)."""
        if len(data) - here < 12:
            return 0
        kind: int
        length: int
        kind, length = struct.unpack_from(self._order + "II", data, here)
        if kind == _SECTION:
            self._order = "<" if struct.unpack_from("<I", data, here + 8)[0] == _ORDER else ">"
            length = struct.unpack_from(self._order + "I", data, here + 4)[0]
            self._interfaces = []
        if length < 12 or length % 4:
            self._broken = True
            return 0
        wanted = {_INTERFACE: MAX_OPTIONS_BYTES, _ENHANCED: 28, _PACKET: 28}.get(kind, 12)
        if len(data) - here < min(wanted, length):
            return 0
        self._take(kind, data[here : here + min(wanted, length)], here + length > len(data))
        return length

    def _take(self, kind: int, body: bytes, unfinished: bool) -> None:
        if kind == _INTERFACE and len(self._interfaces) < MAX_INTERFACES:
            self._interfaces.append(self._resolution(body))
        if kind not in (_ENHANCED, _PACKET, _SIMPLE):
            return
        stamp = 0 if kind == _SIMPLE or len(body) < 28 else self._stamp(kind, body)
        if unfinished:
            self._waiting = stamp
        else:
            self._tally.at(stamp)

    def _stamp(self, kind: int, body: bytes) -> int:
        shape = self._order + ("III" if kind == _ENHANCED else "HxxII")
        number, high, low = struct.unpack_from(shape, body, 8)
        if number >= len(self._interfaces):
            return 0
        ticks, offset = self._interfaces[number]
        stamp: int = offset * 1000 + ((high << 32) | low) * 1000 // ticks
        return max(0, stamp)

    def _resolution(self, body: bytes) -> tuple[int, int]:
        """Ticks a second, and seconds to add, of an interface."""
        ticks, offset, here = 1_000_000, 0, 16
        while here + 4 <= len(body) - 4:
            code, length = struct.unpack_from(self._order + "HH", body, here)
            if code == 0:
                break
            if code == 9 and length == 1:
                value = body[here + 4]
                ticks = int(2 ** (value & 0x7F) if value & 0x80 else 10 ** min(value, 30))
            elif code == 14 and length == 8 and here + 12 <= len(body):
                offset = struct.unpack_from(self._order + "q", body, here + 4)[0]
            here += 4 + (length + 3) // 4 * 4
        return ticks, offset
