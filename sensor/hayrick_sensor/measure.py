"""What a closed capture file holds: hash, packets and time span, read once, in blocks; the file is not trusted.

Only headers are looked at (`headers.py`), since a sniffing host has no core to spare; no file is mapped, since one
that somebody else shortens would kill the process.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from hayrick_sensor.headers import Tally, walker_for

BLOCK_BYTES = 1 << 20
LEAST_BYTES = 32


@dataclass(frozen=True)
class Measure:
    """Times are epoch milliseconds. `problem` is empty, or says why it is no capture (then nothing was counted)."""

    size: int
    sha256: str
    packets: int = 0
    first_ms: int = 0
    last_ms: int = 0
    truncated: bool = False
    problem: str = ""

    @property
    def empty(self) -> bool:
        """True for a capture without packets: only a header, or not even one."""
        return self.packets == 0 and not self.problem


def measure(path: Path) -> Measure:
    """Measure the file; raises OSError only. Hashing lets other threads run, and so does the walk now and then."""
    digest, size, tally = hashlib.sha256(), 0, Tally()
    buffer = memoryview(bytearray(BLOCK_BYTES))  # the same for all blocks: new memory costs as much as reading
    with path.open("rb", buffering=0) as stream:
        there = _start(stream, buffer)
        walk, problem = walker_for(buffer[:there], tally)
        while there:
            digest.update(buffer[:there])
            size += there
            if walk is not None:
                walk.feed(buffer[:there])
            there = stream.readinto(buffer) or 0
    if walk is not None:
        problem = walk.finish()
    cut = tally.cut and tally.packets > 0
    return Measure(size, digest.hexdigest(), tally.packets, tally.first_ms, tally.last_ms, cut, problem)


def _start(stream: FileIO, buffer: memoryview) -> int:
    """Read the first block, enough of it to tell what the file is unless the file ends before; how many bytes."""
    there = 0
    while there < LEAST_BYTES and (more := stream.readinto(buffer[there:])):
        there += more
    return there
