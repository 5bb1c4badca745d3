"""Retention, deletion and compaction: each is one rename that readers see whole; what is replaced goes later."""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from hayrick_collector.store.embedded.layout import NEEDLES, Layout, Manifest, TableFiles
from hayrick_collector.store.embedded.relations import Relations
from hayrick_collector.store.embedded.snapshot import Live, Segment, Snapshot
from hayrick_collector.store.embedded.writer import ParquetFolder
from hayrick_common import files

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Compaction:
    """When small segments of a day are merged, and how far."""

    at_least: int = 8
    small_rows: int = 100_000
    merged_rows: int = 500_000


def delete_chunk(layout: Layout, snapshot: Snapshot, connection: duckdb.DuckDBPyConnection, chunk: str) -> bool:
    """A segment without rows, newer than all, takes the chunk over."""
    if not snapshot.holds(chunk):
        return False
    folder = ParquetFolder(layout, lambda: connection, chunk)
    folder.commit(chunk, deleted=True)
    return True


def delete_before(layout: Layout, snapshot: Snapshot, before_ms: int) -> int:
    """Remove segments whose every session ended before; those they replaced go first, or they would come back."""
    doomed = [each for each in snapshot.live() if each.manifest.last_packet[1] < before_ms]
    chunks = {chunk for each in doomed for chunk in each.manifest.chunks}
    older = [segment for segment in snapshot.replaced() if chunks & set(segment.manifest.chunks)]
    for segment in [*older, *(each.segment for each in doomed)]:
        _remove(layout, segment.folder)
    return sum(each.manifest.rows for each in doomed)


def sweep(layout: Layout, snapshot: Snapshot, grace_s: float) -> int:
    """Remove replaced segments once no reader can still use them, and what dead writers left."""
    now, removed = time.time(), 0
    for segment in snapshot.replaced():
        owners = [snapshot.owners[chunk] for chunk in segment.manifest.chunks]
        if all(now - owner.folder.stat().st_ctime >= grace_s for owner in owners):
            _remove(layout, segment.folder)
            removed += 1
    for segment in _needless(snapshot):
        _remove(layout, segment.folder)
        removed += 1
    for folder in layout.abandoned():
        shutil.rmtree(folder, ignore_errors=True)
    return removed


def _needless(snapshot: Snapshot) -> Iterable[Segment]:
    """Deletions of chunks that no other segment has any more."""
    covering: dict[str, int] = defaultdict(int)
    for segment in snapshot.segments:
        for chunk in segment.manifest.chunks:
            covering[chunk] += 1
    for segment in snapshot.segments:
        if segment.manifest.deleted and all(covering[chunk] == 1 for chunk in segment.manifest.chunks):
            yield segment


def _remove(layout: Layout, folder: Path) -> None:
    """Hidden first: no reader lists half of it."""
    hidden = files.part_path(folder)
    files.move(folder, hidden)
    shutil.rmtree(hidden)


def compact(layout: Layout, snapshot: Snapshot, connection: duckdb.DuckDBPyConnection, rule: Compaction) -> int:
    """Merge the small segments of each day that has many; returns how many were merged."""
    merged = 0
    for group in groups(snapshot.live(), rule):
        _merge(layout, connection, group)
        merged += len(group)
    return merged


def groups(live: Iterable[Live], rule: Compaction) -> list[list[Live]]:
    """Small segments that began on the same day, by time, in portions that stay below the most rows."""
    days: dict[int, list[Live]] = defaultdict(list)
    for each in live:
        if each.manifest.rows < rule.small_rows:
            days[each.manifest.first_packet[0] // DAY_MS].append(each)
    found: list[list[Live]] = []
    for members in days.values():
        found.extend(_portions(sorted(members, key=lambda each: each.manifest.first_packet), rule))
    return [group for group in found if len(group) >= rule.at_least]


def _portions(members: list[Live], rule: Compaction) -> list[list[Live]]:
    portions: list[list[Live]] = [[]]
    rows = 0
    for each in members:
        if rows + each.manifest.rows > rule.merged_rows:
            portions.append([])
            rows = 0
        portions[-1].append(each)
        rows += each.manifest.rows
    return portions


def _merge(layout: Layout, connection: duckdb.DuckDBPyConnection, group: list[Live]) -> Manifest:
    label = f"day{group[0].manifest.first_packet[0] // DAY_MS}"
    folder = ParquetFolder(layout, lambda: connection, label)
    try:
        relations = Relations(group)
        for table in sorted({table for each in group for table in each.manifest.tables} - {NEEDLES}):
            folder.write(table, relations.whole(table, _all_columns(group, table)), 0)
        chunks = {
            chunk: stamp for each in group for chunk, stamp in each.manifest.chunks.items() if chunk not in each.without
        }
        level = 1 + max(each.manifest.level for each in group)
        return folder.commit(chunks, level=level, replaces=tuple(each.segment.name for each in group))
    except BaseException:
        folder.abort()
        raise


def _all_columns(group: Iterable[Live], table: str) -> dict[str, str]:
    """Columns of all members; where types differ, the newest member's."""
    found: dict[str, str] = {}
    for each in sorted(group, key=lambda each: each.segment.name):
        files_of = each.manifest.tables.get(table, TableFiles((), 0, {}))
        found.update(files_of.columns)
    return found
