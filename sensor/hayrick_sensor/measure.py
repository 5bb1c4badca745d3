"""What a closed capture file holds: hash, packets and time span, read once; dpkt parses, the file is not trusted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import dpkt

HEADER_BYTES = 24
BLOCK_BYTES = 1 << 20
PCAPNG_MAGIC = b"\x0a\x0d\x0d\x0a"


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


class _Source:
    """What dpkt reads from: hashes all that passes, and notes a packet cut short."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.hash = hashlib.sha256()
        self.size = 0
        self.short = False

    def read(self, length: int) -> bytes:
        data = self.stream.read(length)
        self.short = self.short or 0 < len(data) < length or (not data and length > HEADER_BYTES)
        self.hash.update(data)
        self.size += len(data)
        return data

    def drain(self) -> None:
        while data := self.stream.read(BLOCK_BYTES):
            self.hash.update(data)
            self.size += len(data)


def measure(path: Path) -> Measure:
    """Measure the file; raises OSError only."""
    with path.open("rb", buffering=BLOCK_BYTES) as stream:
        head = stream.read(4)
        stream.seek(0)
        source = _Source(stream)
        packets, first, last, problem = 0, 0.0, 0.0, ""
        try:
            for stamp, _ in _packets(source, head):
                if source.short:  # the last one, cut: nobody gets it back, so nobody may count it
                    break
                packets, first, last = packets + 1, min(first or stamp, stamp), max(last, stamp)
        except (ValueError, dpkt.UnpackError) as error:
            problem = "" if packets or source.short or not head else f"not a capture: {str(error)[:80]}"
        cut = source.short
        source.drain()
    digest = source.hash.hexdigest()
    return Measure(source.size, digest, packets, int(first * 1000), int(last * 1000), cut and packets > 0, problem)


def _packets(source: Any, head: bytes) -> Iterator[tuple[float, bytes]]:
    reader = dpkt.pcapng.Reader(source) if head == PCAPNG_MAGIC else dpkt.pcap.Reader(source)
    for stamp, packet in reader:
        yield float(stamp), packet
