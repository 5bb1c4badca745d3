"""A chunk's identity and its manifest: the words by which sensor and collector speak of the same bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
SHA256 = re.compile(r"[0-9a-f]{64}")
IMPORT_STREAM = "import"
MAX_SEQUENCE = 10**10 - 1
MAX_CHUNK_BYTES = 64 << 30
PCAP = "pcap"
RECORDS = "records"


def check_name(name: str, what: str = "name") -> str:
    """Return `name` if it may stand in a path and a key, else raise ValueError."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{what} {name[:80]!r} must be 1 to 64 of the characters A-Z a-z 0-9 _ -")
    return name


@dataclass(frozen=True, order=True)
class ChunkId:
    """Names one closed capture file for ever. Sequence counts from 1 per sensor and stream; imports have 0."""

    sensor: str
    stream: str
    sequence: int
    sha256: str

    def __post_init__(self) -> None:
        check_name(self.sensor, "sensor")
        check_name(self.stream, "stream")
        if not SHA256.fullmatch(self.sha256):
            raise ValueError("sha256 must be 64 lower-case hex digits")
        lowest = 0 if self.imported else 1
        if not lowest <= self.sequence <= MAX_SEQUENCE:
            raise ValueError(f"sequence {self.sequence} is not in {lowest} to {MAX_SEQUENCE}")

    @classmethod
    def of_import(cls, node: str, sha256: str) -> ChunkId:
        """Identity of a case file: the same bytes are the same chunk, whoever brings them."""
        return cls(node, IMPORT_STREAM, 0, sha256)

    @property
    def imported(self) -> bool:
        """True for a file brought by hand rather than by a sensor."""
        return self.stream == IMPORT_STREAM

    @property
    def key(self) -> str:
        """Short unique name, used in stores, receipts and URLs."""
        if self.imported:
            return f"{IMPORT_STREAM}.{self.sha256[:32]}"
        return f"{self.sensor}.{self.stream}.{self.sequence:010d}.{self.sha256[:16]}"

    @property
    def file_name(self) -> str:
        """Name of the landed file inside its day's folder."""
        if self.imported:
            return f"{self.sha256[:32]}.pcap"
        return f"{self.sequence:010d}-{self.sha256[:16]}.pcap"


@dataclass(frozen=True)
class Manifest:
    """What a sensor says of a chunk before sending it. Times are epoch milliseconds, 0 where unknown.

    `gap_ms` is the time the stream was known not to be captured just before this chunk;
    `truncated` says that the last packet is cut, as after a killed tcpdump. `content` is what of the chunk is
    transferred: the capture itself, or ("records") the file of its sessions, which `content_sha256` and `content_size`
    describe; identity and all other numbers are the capture's in either case.
    """

    chunk: ChunkId
    size: int
    packets: int = 0
    first_ms: int = 0
    last_ms: int = 0
    closed_ms: int = 0
    gap_ms: int = 0
    truncated: bool = False
    content: str = PCAP
    content_sha256: str = ""
    content_size: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_CHUNK_BYTES:
            raise ValueError(f"size {self.size} is not in 0 to {MAX_CHUNK_BYTES}")
        if self.content not in (PCAP, RECORDS):
            raise ValueError(f"content {self.content[:40]!r} is neither {PCAP} nor {RECORDS}")
        if self.content == RECORDS and not SHA256.fullmatch(self.content_sha256):
            raise ValueError("content_sha256 must be 64 lower-case hex digits")
        if not 0 <= self.content_size <= MAX_CHUNK_BYTES:
            raise ValueError(f"content_size {self.content_size} is not in 0 to {MAX_CHUNK_BYTES}")

    @property
    def payload_size(self) -> int:
        """Bytes of what is transferred."""
        return self.content_size if self.content == RECORDS else self.size

    @property
    def payload_sha256(self) -> str:
        """Hash of what is transferred."""
        return self.content_sha256 if self.content == RECORDS else self.chunk.sha256

    @property
    def key(self) -> str:
        """The chunk's key."""
        return self.chunk.key

    @property
    def file_name(self) -> str:
        """Name of what is transferred, beside others of the stream."""
        name = self.chunk.file_name
        return f"{name.removesuffix('.pcap')}.{RECORDS}" if self.content == RECORDS else name

    @property
    def day_ms(self) -> int:
        """The instant whose UTC day names the archive folder; the same in every delivery."""
        return self.first_ms or self.closed_ms
