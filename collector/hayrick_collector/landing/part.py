"""One chunk's hidden file while it arrives: in its final form as it grows, named only once whole and durable.

What is hashed and counted are the uncompressed bytes; a zstd frame that the wire brought is stored as it is.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from datetime import datetime, timezone
from io import FileIO
from pathlib import Path

from hayrick_collector.archive.container import SUFFIXES, Form
from hayrick_collector.archive.reader import digest_of
from hayrick_common.chunk import PCAP, Manifest
from hayrick_common.errors import ArchiveError, KeyFileError
from hayrick_common.files import PART_SUFFIX, commit_rename, make_folder, sync_folder

PLAIN = Form(level=0)


def archive_path(data: Path, manifest: Manifest, suffix: str = "") -> Path:
    """Where the chunk will lie: archive/<sensor>/<stream>/<yyyymmdd>/<sequence>-<sha16>.pcap, by its UTC day;
    .records for the records of one.

    `suffix` is that of the form it is stored in.
    """
    day = datetime.fromtimestamp(manifest.day_ms / 1000, tz=timezone.utc).strftime("%Y%m%d")
    chunk = manifest.chunk
    return data / "archive" / chunk.sensor / chunk.stream / day / (manifest.file_name + suffix)


def part_file(data: Path, manifest: Manifest, suffix: str = "") -> Path:
    """Where the chunk hides until then."""
    content = f".{manifest.content}" if manifest.content != PCAP else ""
    return data / "incoming" / (manifest.key + content + suffix + PART_SUFFIX)


class Part:
    """The open hidden file. Not for two threads at once."""

    def __init__(self, data: Path, manifest: Manifest, form: Form = PLAIN) -> None:
        """Open or continue it; reads (to hash) what an earlier delivery left, so call this in a thread.

        Raises OSError, also when there is no key to seal it with.
        """
        self.manifest = manifest
        self.path = part_file(data, manifest, form.suffix)
        self.final = archive_path(data, manifest, form.suffix)
        self.hash = hashlib.sha256()
        discard(data, manifest, keep=form.suffix)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self.stream = FileIO(os.open(self.path, flags, 0o640), "r+b")
        try:
            self._writer = form.writer(self.stream)
            self._writer.resume(self.hash.update, manifest.payload_size)
        except BaseException:
            self.stream.close()
            raise

    @property
    def offset(self) -> int:
        """Uncompressed bytes that are there."""
        return self._writer.offset

    def write(self, offset: int, data: bytes, frame: bytes | None = None) -> None:
        """Append `data`, which belongs at `offset`; raises OSError.

        `frame` is one zstd frame of exactly these bytes, if they came as one: it is trusted to hold them.
        """
        if offset != self.offset:
            raise ValueError(f"block at {offset}, file at {self.offset}")
        self._writer.append(data, frame)
        self.hash.update(data)

    def finish(self) -> bool:
        """Verify, sync and name the file (call in a thread). False when the bytes are not the promised ones."""
        whole = self.offset == self.manifest.payload_size and self.hash.hexdigest() == self.manifest.payload_sha256
        with self.stream:
            if whole:
                self._writer.finish()
        if whole:
            make_folder(self.final.parent)
            commit_rename(self.path, self.final)
        return whole

    def close(self) -> None:
        """Let go, keeping the bytes for the next delivery."""
        self.stream.close()


def short_of_disk(data: Path, keep_free_bytes: int) -> bool:
    """Whether less is free than must stay so; nothing more is taken then, and sensors keep what they have."""
    return bool(keep_free_bytes) and shutil.disk_usage(data).free < keep_free_bytes


def discard(data: Path, manifest: Manifest, *, keep: str | None = None) -> None:
    """Delete the hidden file if there is one, in whatever form, but for the suffix to keep."""
    for suffix in SUFFIXES:
        if suffix != keep:
            part_file(data, manifest, suffix).unlink(missing_ok=True)


def already_named(data: Path, manifest: Manifest, form: Form = PLAIN) -> Path | None:
    """The final file of a delivery that was cut between its rename and its record, if its bytes are right."""
    for suffix in SUFFIXES:
        final = archive_path(data, manifest, suffix)
        if final.is_file() and _holds(final, manifest, form):
            sync_folder(final.parent)
            return final
    return None


def _holds(final: Path, manifest: Manifest, form: Form) -> bool:
    try:
        return digest_of(final, form.keys) == manifest.payload_sha256
    except (ArchiveError, KeyFileError):
        return False
