"""One chunk's hidden file while it arrives: appended, hashed as it grows, named only once whole and durable."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime, timezone
from pathlib import Path

from hayrick_common.chunk import Manifest
from hayrick_common.files import PART_SUFFIX, commit_rename, make_folder, sync_folder

READ_BYTES = 1 << 20


def archive_path(data: Path, manifest: Manifest) -> Path:
    """Where the chunk will lie: archive/<sensor>/<stream>/<yyyymmdd>/<sequence>-<sha16>.pcap, by its UTC day."""
    day = datetime.fromtimestamp(manifest.day_ms / 1000, tz=timezone.utc).strftime("%Y%m%d")
    chunk = manifest.chunk
    return data / "archive" / chunk.sensor / chunk.stream / day / chunk.file_name


def part_file(data: Path, manifest: Manifest) -> Path:
    """Where the chunk hides until then."""
    return data / "incoming" / (manifest.key + PART_SUFFIX)


class Part:
    """The open hidden file. Not for two threads at once."""

    def __init__(self, data: Path, manifest: Manifest) -> None:
        """Open or continue it; reads (to hash) what an earlier delivery left, so call this in a thread."""
        self.manifest = manifest
        self.path = part_file(data, manifest)
        self.final = archive_path(data, manifest)
        self.hash = hashlib.sha256()
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self.stream = os.fdopen(os.open(self.path, flags, 0o640), "r+b", buffering=0)
        self.offset = self._continue()

    def _continue(self) -> int:
        size = os.fstat(self.stream.fileno()).st_size
        if size > self.manifest.size:
            self.stream.truncate(0)
            size = 0
        while block := self.stream.read(READ_BYTES):
            self.hash.update(block)
        return size

    def write(self, offset: int, data: bytes) -> None:
        """Append `data`, which belongs at `offset`; raises OSError."""
        if offset != self.offset:
            raise ValueError(f"block at {offset}, file at {self.offset}")
        view = memoryview(data)
        while view:
            view = view[self.stream.write(view) :]
        self.hash.update(data)
        self.offset += len(data)

    def finish(self) -> bool:
        """Verify, sync and name the file (call in a thread). False when the bytes are not the promised ones."""
        self.stream.close()
        whole = self.offset == self.manifest.size and self.hash.hexdigest() == self.manifest.chunk.sha256
        if whole:
            make_folder(self.final.parent)
            commit_rename(self.path, self.final)
        return whole

    def close(self) -> None:
        """Let go, keeping the bytes for the next delivery."""
        self.stream.close()


def discard(data: Path, manifest: Manifest) -> None:
    """Delete the hidden file if there is one."""
    part_file(data, manifest).unlink(missing_ok=True)


def already_named(data: Path, manifest: Manifest) -> Path | None:
    """The final file of a delivery that was cut between its rename and its record, if its bytes are right."""
    final = archive_path(data, manifest)
    if not final.is_file() or final.stat().st_size != manifest.size:
        return None
    digest = hashlib.sha256()
    with final.open("rb") as stream:
        while block := stream.read(READ_BYTES):
            digest.update(block)
    if digest.hexdigest() != manifest.chunk.sha256:
        return None
    sync_folder(final.parent)
    return final
