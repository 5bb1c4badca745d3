"""What a closed capture file holds: hash, packets and time span, read once, in blocks; the file is not trusted.

Only headers are looked at (`headers.py`), since a sniffing host has no core to spare; no file is mapped, since one
that somebody else shortens would kill the process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
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
    with path.open("rb", buffering=0) as stream:
        head = _start(stream.read, BLOCK_BYTES)
        walk, problem = walker_for(head, tally)
        block = head
        while block:
            digest.update(block)
            size += len(block)
            if walk is not None:
                walk.feed(block)
            block = stream.read(BLOCK_BYTES) or b""
    if walk is not None:
        problem = walk.finish()
    cut = tally.cut and tally.packets > 0
    return Measure(size, digest.hexdigest(), tally.packets, tally.first_ms, tally.last_ms, cut, problem)


def _start(read: Callable[[int], bytes | None], most: int) -> bytes:
    """The first block: enough of it to tell what the file is, unless the file ends before."""
    block = read(most) or b""
    while 0 < len(block) < LEAST_BYTES:
        more = read(most)
        if not more:
            break
        block += more
    return block
