"""What to do when the journal is lost: a broken one is set aside, and the chunks that lie here are taken up again.

Their names hold number and hash: of those it has the collector says so. Where it has other bytes, see `Floor`.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path

from hayrick_common.chunk import ChunkId, Manifest
from hayrick_common.files import move
from hayrick_sensor.journal import Journal
from hayrick_sensor.layout import Layout
from hayrick_sensor.measure import measure
from hayrick_sensor.spool_events import Entry

log = logging.getLogger(__name__)


def open_journal(layout: Layout, sensor: str, streams: Iterable[str]) -> Journal:
    """The journal, a new one if there is none or it is broken; what lies in `chunks/` is in it."""
    try:
        journal = Journal(layout.journal, sensor)
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:  # locked, full, no permission: not broken
            raise
        _set_aside(layout.journal, error)
        journal = Journal(layout.journal, sensor)
    if journal.renewed:
        for stream in streams:
            _take_up(layout, journal, sensor, stream)
    return journal


def _set_aside(path: Path, error: Exception) -> None:
    stamp = int(time.time())
    log.error("the journal %s is broken (%s): set aside as %s.broken-%d", path, error, path.name, stamp)
    for end in ("", "-wal", "-shm"):
        found = path.with_name(path.name + end)
        if found.exists():
            move(found, path.with_name(f"{path.name}.broken-{stamp}{end}"))


def _take_up(layout: Layout, journal: Journal, sensor: str, stream: str) -> None:
    found = layout.chunk_files(stream)
    if found:
        log.error("stream %s: the journal is new, but %d chunks lie here; they are taken up again", stream, len(found))
        journal.count("journals_lost")
    for sequence, path in sorted(found.items()):
        entry = _entry(sensor, stream, sequence, path)
        if entry.path == f"{stream}/{path.name}":
            journal.record(entry)
        else:  # not the bytes it is named for: a chunk of its own
            move(path, layout.open_folder(stream) / f"{0:012x}-{sequence}.pcap")


def _entry(sensor: str, stream: str, sequence: int, path: Path) -> Entry:
    m, closed_ms = measure(path), path.stat().st_mtime_ns // 1_000_000
    chunk = ChunkId(sensor, stream, sequence, m.sha256)
    manifest = Manifest(chunk, m.size, m.packets, m.first_ms, m.last_ms, closed_ms, 0, m.truncated)
    return Entry(manifest, path.name, "", f"{stream}/{chunk.file_name}", owned=True)
