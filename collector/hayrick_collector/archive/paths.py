"""Where things lie in a collector's data folder: pure functions of the folder and the chunk's identity."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from hayrick_common.chunk import ChunkId
from hayrick_common.files import make_folder

PCAPNG_MAGIC = b"\x0a\x0d\x0d\x0a"
_MICROSECONDS = {
    b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1",
    b"\xa1\xb2\xcd\x34", b"\x34\xcd\xb2\xa1",  # the modified format of 1999
}  # fmt: skip
_NANOSECONDS = {b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1"}
PCAP_MAGICS = _MICROSECONDS | _NANOSECONDS


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The data folder of one collector. `create()` makes what is missing."""

    root: Path

    @property
    def incoming(self) -> Path:
        return self.root / "incoming"

    @property
    def archive(self) -> Path:
        return self.root / "archive"

    @property
    def inbox(self) -> Path:
        return self.root / "inbox"

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def scratch(self) -> Path:
        """What exports write before they know how it begins; nothing in it outlives its export."""
        return self.root / "scratch"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def catalog(self) -> Path:
        return self.root / "catalog.sqlite"

    @property
    def desk(self) -> Path:
        return self.root / "desk.sqlite3"

    @property
    def lock(self) -> Path:
        return self.root / "collector.lock"

    def create(self) -> None:
        """Make the folders; packets are private, so the root is closed to others."""
        for folder in (self.root, self.incoming, self.archive, self.inbox, self.store):
            make_folder(folder)
        make_folder(self.keys, 0o700)

    def relative(self, path: Path) -> str:
        """A path under the root as the catalog keeps it."""
        return path.resolve().relative_to(self.root.resolve()).as_posix()

    def absolute(self, relative: str) -> Path:
        return self.root / relative


def default_data() -> Path:
    """$HAYRICK_DATA, or ~/.local/share/hayrick."""
    named = os.environ.get("HAYRICK_DATA")
    return Path(named) if named else Path.home() / ".local" / "share" / "hayrick"


def archive_path(folder: DataFolder, chunk: ChunkId, *, day_ms: int, suffix: str = ".pcap") -> Path:
    """A chunk's place: archive/<sensor>/<stream>/<yyyymmdd>/<file name>, by its day (UTC, epoch milliseconds)."""
    day = datetime.fromtimestamp(day_ms / 1000, tz=timezone.utc).strftime("%Y%m%d")
    return folder.archive / chunk.sensor / chunk.stream / day / f"{Path(chunk.file_name).stem}{suffix}"


def finer_than_microseconds(head: bytes) -> bool:
    """Whether a capture's times may be, by its first four bytes; a pcapng's interfaces choose for themselves."""
    return head[:4] not in _MICROSECONDS


def capture_suffix(head: bytes) -> str | None:
    """`.pcap` or `.pcapng` by a file's first four bytes; None when it is neither."""
    if head[:4] == PCAPNG_MAGIC:
        return ".pcapng"
    return ".pcap" if head[:4] in PCAP_MAGICS else None
