"""Closes a chunk that tcpdump keeps open, since no packet comes to make it rotate: what is there is copied as a piece.

tcpdump is neither ended for that (it would lose what the kernel holds for it) nor disturbed. A piece is called
`<file>.<from>-<to>`, by offsets in the file it is of: what the next piece begins with is known from the names alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from hayrick_common.files import hidden_writer
from hayrick_sensor.headers import HEADER_BYTES, PcapWalker, Tally, walker_for

BLOCK_BYTES = 1 << 20
NAME = re.compile(r"(?P<file>.+\.pcap\d*)\.(?P<start>\d+)-(?P<end>\d+)")


def cut(path: Path, start: int) -> int:
    """Commit the whole packets from `start` on as a piece beside the file; where they end (`start`: there are none)."""
    with path.open("rb") as stream:
        head = stream.read(HEADER_BYTES)
        start = max(start, HEADER_BYTES)
        end = _end(stream, head, start)
        if end > start:
            with hidden_writer(path.with_name(f"{path.name}.{start}-{end}")) as piece:
                piece.write(head)
                _copy(stream, piece, start, end)
    return end


def ends(names: Iterable[str]) -> dict[str, int]:
    """File -> up to where pieces of it were taken, by the pieces' names; other names are let be."""
    found: dict[str, int] = {}
    for name in names:
        match = NAME.fullmatch(name)
        if match:
            found[match["file"]] = max(found.get(match["file"], 0), int(match["end"]))
    return found


def _end(stream: IO[bytes], head: bytes, start: int) -> int:
    """Where the last whole packet ends."""
    walk, _ = walker_for(head, Tally())
    if len(head) < HEADER_BYTES or not isinstance(walk, PcapWalker):
        return start
    walk.feed(head)
    stream.seek(start)
    while block := stream.read(BLOCK_BYTES):
        walk.feed(block)
    return start + walk.whole - HEADER_BYTES


def _copy(stream: IO[bytes], piece: IO[bytes], start: int, end: int) -> None:
    stream.seek(start)
    while start < end:
        block = stream.read(min(BLOCK_BYTES, end - start))
        if not block:
            raise OSError(f"{stream.name} became shorter while it was read")
        piece.write(block)
        start += len(block)
