"""Writes one chunk's segment: Parquet files, hidden until durable, then seen by one rename."""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path

import duckdb

from hayrick_collector.store.embedded import needles, sql
from hayrick_collector.store.embedded.duck import Limits, connect
from hayrick_collector.store.embedded.layout import (
    DOCUMENTS,
    MANIFEST,
    NEEDLES,
    PACKETS,
    PARALLEL,
    SESSIONS,
    Layout,
    Manifest,
    TableFiles,
    segment_name,
)
from hayrick_collector.store.interface import Batch, SegmentWriter, Table
from hayrick_common import files

WRITER_LIMITS = Limits(memory="256MB", threads=1, spill="1GB")
_ROW_GROUPS = {  # what is wanted is often few rows: read little around each
    SESSIONS: 24_576,
    DOCUMENTS: 2048,
    PACKETS: 8192,
    NEEDLES: needles.ROW_GROUP,
}
_FRESH_LEVEL, _MERGED_LEVEL = 1, 3  # of zstd: a fresh segment is to be there soon, and is written anew when merged
_HELD = "held"
_HELD_ROWS, _HELD_BATCHES = 4096, 16
_EVERY = frozenset((SESSIONS, *PARALLEL))  # each batch is a part: parts with the same number belong together


@dataclass(slots=True)
class _Written:
    """What was written of one table."""

    files: list[str] = field(default_factory=list)
    rows: int = 0


class ParquetFolder:
    """A hidden folder of Parquet parts that becomes a segment."""

    def __init__(
        self, layout: Layout, connection: duckdb.DuckDBPyConnection, label: str, *, level: int = _MERGED_LEVEL
    ) -> None:
        self._layout, self._connection = layout, connection
        self._tables: dict[str, _Written] = {}
        self._label, self._level = label, level
        self.folder = layout.hidden(label)
        self.folder.mkdir()

    def write(self, table: str, source: sql.Sql, part: int) -> None:
        """One part of a table, from a query that gives its rows; nothing is kept of no rows."""
        path = self.folder / f"{table}-{part:05d}.parquet"
        groups = f", ROW_GROUP_SIZE {_ROW_GROUPS[table]}" if table in _ROW_GROUPS else ""
        packed = f"COMPRESSION zstd, COMPRESSION_LEVEL {self._level}"
        copy = f"COPY ({source.text}) TO {sql.text(str(path))} (FORMAT parquet, {packed}{groups})"
        (rows,) = self._connection.execute(copy, source.parameters).fetchone() or (0,)
        if not rows:
            path.unlink()
            return
        written = self._tables.setdefault(table, _Written())
        written.files.append(path.name)
        written.rows += rows

    def only_chunk(self, chunk: str) -> bool:
        """Whether every session says that it is of this chunk."""
        other = "SELECT count(*) FROM read_parquet(?) WHERE chunk IS DISTINCT FROM ?"
        paths = self._paths(SESSIONS)
        return not paths or self._connection.execute(other, [paths, chunk]).fetchone() == (0,)

    def commit(
        self,
        chunks: dict[str, int] | str,
        *,
        level: int = 0,
        replaces: tuple[str, ...] = (),
        deleted: bool = False,
    ) -> Manifest:
        """Sync all, write the manifest, rename. `chunks`: each with its first stamp, or the one chunk that is new."""
        stamp = self._layout.next_stamp()
        first = {chunks: stamp} if isinstance(chunks, str) else chunks
        manifest = replace(self._manifest(first), level=level, replaces=replaces, deleted=deleted)
        files.write_file(self.folder / MANIFEST, manifest.to_bytes())
        for path in self.folder.iterdir():
            files.sync_file(path)
        files.sync_folder(self.folder)
        files.move(self.folder, self._layout.segments / segment_name(stamp, self._label))
        return manifest

    def abort(self) -> None:
        """Take the hidden folder away."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _manifest(self, chunks: dict[str, int]) -> Manifest:
        columns = self._columns()
        if SESSIONS in self._tables and self._tables[SESSIONS].rows >= needles.WORTH_ROWS:
            self.write(NEEDLES, needles.table_of({table: self._paths(table) for table in columns}, columns), 0)
            columns[NEEDLES] = dict(needles.COLUMNS)
        tables = {
            name: TableFiles(tuple(written.files), written.rows, columns[name])
            for name, written in sorted(self._tables.items())
        }
        size = sum(path.stat().st_size for path in self.folder.iterdir())
        if SESSIONS not in tables:
            return Manifest(chunks, size=size)
        spans = "min(firstPacket), max(firstPacket), min(lastPacket), max(lastPacket), min(id), max(id)"
        found = self._connection.execute(f"SELECT {spans} FROM read_parquet(?)", [self._paths(SESSIONS)]).fetchone()
        first_low, first_high, last_low, last_high, id_low, id_high = found or (0, 0, 0, 0, "", "")
        return Manifest(
            chunks,
            rows=tables[SESSIONS].rows,
            first_packet=(first_low, first_high),
            last_packet=(last_low, last_high),
            ids=(id_low, id_high),
            size=size,
            tables=tables,
        )

    def _columns(self) -> dict[str, dict[str, str]]:
        """Of each table the columns with their types, as its files say: to ask once for all is cheaper than to ask for
        each before it is written. ValueError if a table's parts differ."""
        names = {str(self.folder / name): table for table, written in self._tables.items() for name in written.files}
        asked = "SELECT file_name, name, duckdb_type, num_children FROM parquet_schema(?) ORDER BY file_name, column_id"
        rows = self._connection.execute(asked, [list(names)]).fetchall() if names else []
        found: dict[str, dict[str, str]] = {}
        for path, described in groupby(rows, key=itemgetter(0)):
            table, columns = names[path], _top(described)
            if found.setdefault(table, columns) != columns:
                raise ValueError(f"the table {table} changed its columns from one batch to the next")
        return found

    def _paths(self, table: str) -> list[str]:
        return [str(self.folder / name) for name in self._tables[table].files] if table in self._tables else []


def _top(described: Iterator[tuple[str, str, str | None, int | None]]) -> dict[str, str]:
    """Columns out of a Parquet schema, a tree by depth: first its root, and below a list a group and the element."""
    next(described)
    columns = {}
    for _, name, kind, children in described:
        columns[name] = kind or ""
        if children:
            deque(islice(described, 2), maxlen=0)
    return columns


@cache
def _shared(root: Path, spill: Path) -> duckdb.DuckDBPyConnection:
    """One DuckDB a process and store: starting it costs as much as writing a small chunk."""
    return connect(root, spill, WRITER_LIMITS)


def _many(held: list[Table]) -> bool:
    return sum(table.num_rows for table in held) >= _HELD_ROWS or len(held) >= _HELD_BATCHES


class EmbeddedWriter(SegmentWriter):
    """One chunk's segment. Works in any process, needs no event loop."""

    def __init__(self, root: Path, chunk: str) -> None:
        self._layout, self._chunk = Layout(root.absolute()), chunk
        self._layout.create()
        self._connection = _shared(self._layout.root, self._layout.spill).cursor()
        self._segment: ParquetFolder | None = ParquetFolder(self._layout, self._connection, chunk, level=_FRESH_LEVEL)
        self._parts: Counter[str] = Counter()
        self._held: dict[str, list[Table]] = {}

    def add(self, batch: Batch) -> None:
        """Write the batch out; of narrow tables a few thousand rows are held: a file costs more than its rows."""
        segment = self._open_segment()
        for name, table in batch.tables().items():
            if table.num_rows:
                self._held.setdefault(name, []).append(table)
        for name in [name for name, held in self._held.items() if name in _EVERY or _many(held)]:
            self._write(segment, name)

    def commit(self) -> int:
        """Seen and durable; ValueError if a session names another chunk than the writer's."""
        segment = self._open_segment()
        for name in list(self._held):
            self._write(segment, name)
        if not segment.only_chunk(self._chunk):
            raise ValueError(f"a session of the batch does not belong to the chunk {self._chunk}")
        rows = segment.commit(self._chunk).rows
        self._segment = None
        self._connection.close()
        return rows

    def abort(self) -> None:
        """Nothing stays; after a commit there is nothing to do."""
        if self._segment is not None:
            self._segment.abort()
            self._segment = None
            self._connection.close()

    def _write(self, segment: ParquetFolder, name: str) -> None:
        """One part of a table out of what is held of it."""
        held = self._held.pop(name)
        views = [f"{_HELD}{number}" for number in range(len(held))]
        if len({tuple(table.columns) for table in held}) > 1:
            raise ValueError(f"the table {name} changed its columns from one batch to the next")
        try:
            for view, table in zip(views, held, strict=True):
                self._connection.register(view, table)
            source = " UNION ALL ".join(f"SELECT * FROM {view}" for view in views)
            segment.write(name, sql.Sql(source), self._parts[name])
        finally:
            for view in views:
                with contextlib.suppress(duckdb.Error):
                    self._connection.unregister(view)
        self._parts[name] += 1

    def _open_segment(self) -> ParquetFolder:
        if self._segment is None:
            raise ValueError("the segment is committed or aborted already")
        return self._segment
