"""Ten copies of one capture, later and among other hosts each time, so that no session of one goes on in the next."""

from __future__ import annotations

import struct
from pathlib import Path

COPIES = 10
_HEADER, _RECORD = 24, struct.Struct("<IIII")
_TAGS = (0x8100, 0x88A8)
_HOUR_S = 3600


def copies(capture: Path, folder: Path) -> list[Path]:
    """The copies, made where they are not there yet. `capture` is a classic little-endian pcap of Ethernet."""
    made = [folder / f"{capture.stem}-{number:02d}.pcap" for number in range(COPIES)]
    for number, path in enumerate(made):
        if not path.exists() or path.stat().st_size != capture.stat().st_size:
            part = path.with_suffix(".part")
            part.write_bytes(_shifted(bytearray(capture.read_bytes()), number))
            part.replace(path)
    return made


def _shifted(data: bytearray, number: int) -> bytearray:
    """Each packet `number` hours later, its addresses in another network."""
    if data[:4] != b"\xd4\xc3\xb2\xa1":
        raise SystemExit("bench: ten copies are made of a classic little-endian pcap only")
    at = _HEADER
    while at + _RECORD.size <= len(data):
        seconds, fraction, length, original = _RECORD.unpack_from(data, at)
        _RECORD.pack_into(data, at, seconds + number * _HOUR_S, fraction, length, original)
        at += _RECORD.size
        _move(data, at, at + length, number)
        at += length
    return data


def _move(data: bytearray, start: int, end: int, number: int) -> None:
    at = start + 12
    while at + 4 <= end and int.from_bytes(data[at : at + 2], "big") in _TAGS:
        at += 4
    kind = int.from_bytes(data[at : at + 2], "big") if at + 2 <= end else 0
    for offset in {0x0800: (2 + 13, 2 + 17), 0x86DD: (2 + 8 + 7, 2 + 24 + 7)}.get(kind, ()):
        if at + offset < end:
            data[at + offset] ^= number
