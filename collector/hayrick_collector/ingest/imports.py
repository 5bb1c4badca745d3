"""A case file into the archive: unpacked, hashed and copied in one pass, then named by its hash.

The same bytes are the same chunk, so a file brought twice is recognised and its second copy dropped.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hayrick_collector import owner
from hayrick_collector.archive.container import truncated, with_suffix
from hayrick_collector.archive.paths import DataFolder, archive_path, capture_suffix
from hayrick_collector.catalog import Catalog, ChunkRow
from hayrick_collector.config import CollectorConfig
from hayrick_collector.ingest.unpack import Unpacker
from hayrick_common.chunk import ChunkId
from hayrick_common.clock import epoch_ms
from hayrick_common.errors import CaptureError
from hayrick_common.files import commit_rename, make_folder

_HEAD = 4
_FOLDER = "imports"
_CHECK_DISK_EVERY = 64 << 20


@dataclass(frozen=True, slots=True)
class Landed:
    """An import that is durable in the archive. `new` is False when the catalog knew these bytes before."""

    row: ChunkRow
    new: bool


class Intake:
    """One import on its way in: `feed` its bytes, then `finish`, or `abort`. Blocking; call it off the event loop."""

    def __init__(self, config: CollectorConfig) -> None:
        self._folder = config.folder
        self._node = config.node
        self._keep_free = config.ingest.keep_free_mb << 20
        make_folder(self._folder.incoming / _FOLDER)
        self._hash = hashlib.sha256()
        self._unpacker = Unpacker()
        self._head = b""
        self._size = 0
        self._checked = 0
        self._check_disk()
        self._part = self._folder.incoming / _FOLDER / f"{owner.token()}-{uuid.uuid4().hex}.part"
        self._suffix = config.archive.form.suffix
        self._file = truncated(self._part)
        self._writer = config.archive.form.writer(self._file)
        try:
            self._writer.resume(self._hash.update, 0)
        except OSError:
            self.abort()
            raise

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises CaptureError when they cannot be a capture, OSError when the disk is short."""
        for plain in self._unpacker.feed(data):
            self._write(plain)

    def finish(self, catalog: Catalog, *, name: str, tags: Iterable[str]) -> Landed:
        """Make the import durable and known. Raises CaptureError when it is no capture."""
        for plain in self._unpacker.finish():
            self._write(plain)
        suffix = capture_suffix(self._head)
        if suffix is None:
            raise CaptureError(self._why_not())
        self._writer.finish()
        self._file.close()
        chunk = ChunkId.of_import(self._node, self._hash.hexdigest())
        known = catalog.get(chunk.key)
        final = self._place(known, chunk, suffix)
        if known and self._folder.absolute(known.path).exists():
            self._part.unlink()
            return Landed(known, new=False)
        make_folder(final.parent)
        commit_rename(self._part, final)
        if known:
            catalog.moved(chunk.key, known.path, self._folder.relative(final))
        new = self._record(catalog, chunk, final, name, tags)
        row = catalog.get(chunk.key)
        assert row is not None
        return Landed(row, new=new)

    def abort(self) -> None:
        """Leave nothing behind. Harmless after `finish`."""
        self._file.close()
        self._part.unlink(missing_ok=True)

    def _place(self, known: ChunkRow | None, chunk: ChunkId, suffix: str) -> Path:
        if known:
            return with_suffix(self._folder.absolute(known.path), self._suffix)
        return archive_path(self._folder, chunk, day_ms=epoch_ms(), suffix=suffix + self._suffix)

    def _record(self, catalog: Catalog, chunk: ChunkId, final: Path, name: str, tags: Iterable[str]) -> bool:
        anomaly = self._unpacker.anomaly
        return catalog.landed(
            chunk,
            size=self._size,
            path=self._folder.relative(final),
            original_name=name,
            tags=tags,
            meta={"anomalies": {anomaly: 1}} if anomaly else None,
        )

    def _write(self, plain: bytes) -> None:
        if len(self._head) < _HEAD:
            self._head += plain[: _HEAD - len(self._head)]
            if len(self._head) == _HEAD and capture_suffix(self._head) is None:
                raise CaptureError(self._why_not())
        self._writer.write(plain)
        self._hash.update(plain)
        self._size += len(plain)
        if self._size - self._checked >= _CHECK_DISK_EVERY:
            self._check_disk()

    def _check_disk(self) -> None:
        self._checked = self._size
        free = shutil.disk_usage(self._folder.root).free
        if free < self._keep_free:
            raise OSError(
                errno.ENOSPC,
                f"only {free >> 20} MB are free under {self._folder.root}; imports stop at"
                f" {self._keep_free >> 20} MB (ingest.keep_free_mb): make room, or move the data folder",
            )

    def _why_not(self) -> str:
        if not self._head:
            return "is empty, no capture" if not self._unpacker.anomaly else "is damaged: nothing could be unpacked"
        return f"is no capture: it starts with {self._head.hex(' ')}, which is neither pcap nor pcapng"


@contextmanager
def intake(config: CollectorConfig) -> Iterator[Intake]:
    """An Intake that leaves nothing behind, however the block ends."""
    taking = Intake(config)
    try:
        yield taking
    finally:
        taking.abort()


def remove_leftovers(folder: DataFolder) -> int:
    """Delete half-taken imports of processes that no longer live. Returns how many."""
    removed = 0
    for part in (folder.incoming / _FOLDER).glob("*.part"):
        if not owner.alive(part.name.rpartition("-")[0]):
            part.unlink(missing_ok=True)
            removed += 1
    return removed


def is_capture(path: Path) -> bool:
    """Whether a file is a capture by its content, compressed or not."""
    unpacker, head = Unpacker(), b""
    try:
        with path.open("rb") as file:
            for plain in (*unpacker.feed(os.read(file.fileno(), 65536)), *unpacker.finish()):
                head += plain[:_HEAD]
    except OSError:
        return False
    return capture_suffix(head) is not None
