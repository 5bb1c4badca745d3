"""The standard seekable zstd format: independent frames, then a seek table in a skippable frame (`zstd -d` reads it).

Everything here is pure: bytes in, numbers out, every number of a file checked against the file's size.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

import zstandard

MAGIC = b"\x28\xb5\x2f\xfd"
LARGEST_FRAME = 4 << 20  # uncompressed bytes of one frame; the wire's blocks have 1 MiB at most
LARGEST_STORED = LARGEST_FRAME + (LARGEST_FRAME >> 8) + 1024  # a frame of noise is a little larger than the noise
_SKIPPABLE = b"\x5e\x2a\x4d\x18"
_SEEKABLE = b"\xb1\xea\x92\x8f"
_FOOTER = struct.Struct("<IB4s")
_HEAD = struct.Struct("<4sI")
_ENTRY = struct.Struct("<II")
_ENTRY_CHECKED = struct.Struct("<III")
FOOTER_BYTES = _FOOTER.size


def frame_length(data: bytes | memoryview) -> int | None:
    """Bytes of the zstd frame that `data` begins with; None when it ends before the frame does.

    Raises ValueError when there is no frame.
    """
    if len(data) < 6:
        return None
    if data[:4] != MAGIC:
        raise ValueError("no zstd frame")
    descriptor = data[4]
    if descriptor & 0x08:
        raise ValueError("a zstd frame of a later format")
    single = bool(descriptor & 0x20)
    sizes = (int(single), 2, 4, 8)
    at = 5 + (not single) + (0, 1, 2, 4)[descriptor & 3] + sizes[descriptor >> 6]
    last = False
    while not last:
        if at + 3 > len(data):
            return None
        head = int.from_bytes(data[at : at + 3], "little")
        last, kind = bool(head & 1), head >> 1 & 3
        if kind == 3:
            raise ValueError("a damaged zstd frame")
        at += 3 + (1 if kind == 1 else head >> 3)
    at += 4 if descriptor & 0x04 else 0
    return at if at <= len(data) else None


def plain_length(frame: bytes | memoryview) -> int:
    """Uncompressed bytes that the frame's header promises. Raises ValueError for none, or for too many."""
    try:
        header = zstandard.get_frame_parameters(frame[:18])
    except zstandard.ZstdError as error:
        raise ValueError(f"a damaged zstd frame: {error}") from error
    if header.content_size > LARGEST_FRAME or header.dict_id:  # an unknown size is the largest number there is
        raise ValueError("a zstd frame of unknown or excessive size")
    return int(header.content_size)


def is_standalone(frame: bytes, length: int) -> bool:
    """Whether `frame` is exactly one frame that promises `length` bytes."""
    try:
        return frame_length(frame) == len(frame) and plain_length(frame) == length
    except ValueError:
        return False


def seek_table(frames: Iterable[tuple[int, int]]) -> bytes:
    """The skippable frame that closes the file; of each frame its stored and its uncompressed length."""
    entries = b"".join(_ENTRY.pack(*each) for each in frames)
    footer = _FOOTER.pack(len(entries) // _ENTRY.size, 0, _SEEKABLE)
    return _HEAD.pack(_SKIPPABLE, len(entries) + len(footer)) + entries + footer


def table_length(footer: bytes, size: int) -> int:
    """Bytes of the seek table by the file's last nine. Raises ValueError when a file of `size` has no such table."""
    count, entry = _footer(footer)
    length = _HEAD.size + count * entry.size + FOOTER_BYTES
    if length > size:
        raise ValueError("its seek table is longer than the file")
    return length


def read_table(table: bytes, size: int) -> list[tuple[int, int]]:
    """Stored and uncompressed length of each frame. Raises ValueError unless they fill a file of `size` exactly."""
    count, entry = _footer(table[-FOOTER_BYTES:])
    magic, length = _HEAD.unpack_from(table)
    if magic != _SKIPPABLE or length != len(table) - _HEAD.size or count * entry.size != length - FOOTER_BYTES:
        raise ValueError("its seek table is damaged")
    frames = [(each[0], each[1]) for each in entry.iter_unpack(table[_HEAD.size : -FOOTER_BYTES])]
    if any(stored > LARGEST_STORED or plain > LARGEST_FRAME for stored, plain in frames):
        raise ValueError("its seek table tells of a frame larger than any")
    if sum(stored for stored, _ in frames) != size - len(table):
        raise ValueError("its seek table does not fit its length")
    return frames


def _footer(footer: bytes) -> tuple[int, struct.Struct]:
    if len(footer) != FOOTER_BYTES:
        raise ValueError("it is cut short")
    count, descriptor, magic = _FOOTER.unpack(footer)
    if magic != _SEEKABLE or descriptor & 0x7C:
        raise ValueError("it has no seek table at its end: it is cut short or damaged")
    return count, _ENTRY_CHECKED if descriptor & 0x80 else _ENTRY
