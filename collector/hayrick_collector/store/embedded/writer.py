"""Writes one chunk's segment: Parquet files, hidden until durable, then seen by one rename."""

from __future__ import annotations

import shutil
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

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
_USUAL_ROW_GROUP = 122_880
_LEVEL = 3  # of zstd, when segments are merged; a fresh one is to be there soon and is packed less
_HELD_ROWS, _HELD_BATCHES = 4096, 16
_SPANS = ("firstPacket", "lastPacket", "id", "chunk")
_EVERY = frozenset((SESSIONS, *PARALLEL))  # each batch is a part: parts with the same number belong together


@dataclass(slots=True)
class _Written:
    """What was written of one table."""

    files: list[str] = field(default_factory=list)
    rows: int = 0
    columns: dict[str, str] = field(default_factory=dict)


class ParquetFolder:
    """A hidden folder of Parquet parts that becomes a segment."""

    def __init__(self, layout: Layout, connected: Callable[[], duckdb.DuckDBPyConnection], label: str) -> None:
        """`connected`: asked once DuckDB has something to do."""
        self._layout, self._connected = layout, connected
        self._tables: dict[str, _Written] = {}
        self._spans: dict[str, tuple[Any, Any]] = {}
        self._label = label
        self.folder = layout.hidden(label)
        self.folder.mkdir()

    def put(self, table: str, rows: list[Table], part: int) -> None:
        """One part of a table, as it was decoded. ValueError if its columns are not those of the part before."""
        first, *more = rows
        columns = dict(zip(first.columns, first.types, strict=True))
        written = self._tables.setdefault(table, _Written(columns=columns))
        if any(dict(zip(each.columns, each.types, strict=True)) != written.columns for each in rows):
            raise ValueError(f"the table {table} changed its columns from one batch to the next")
        path = self._part(table, part)
        path.write_bytes(first.parquet(more, _ROW_GROUPS.get(table, _USUAL_ROW_GROUP)))
        written.files.append(path.name)
        written.rows += sum(each.num_rows for each in rows)
        if table == SESSIONS:
            for each in rows:
                self._span({name: each.span(name) for name in _SPANS})

    def write(self, table: str, source: sql.Sql, part: int) -> None:
        """One part of a table, from a query that gives its rows; nothing is kept of no rows."""
        path = self._part(table, part)
        groups = f", ROW_GROUP_SIZE {_ROW_GROUPS[table]}" if table in _ROW_GROUPS else ""
        packed = f"COMPRESSION zstd, COMPRESSION_LEVEL {_LEVEL}"
        copy = f"COPY ({source.text}) TO {sql.text(str(path))} (FORMAT parquet, {packed}{groups})"
        (rows,) = self._connected().execute(copy, source.parameters).fetchone() or (0,)
        if not rows:
            path.unlink()
            return
        written = self._tables.setdefault(table, _Written())
        written.files.append(path.name)
        written.rows += rows
        if table == SESSIONS:
            asked = ", ".join(f"min({name}), max({name})" for name in _SPANS)
            found = self._connected().execute(f"SELECT {asked} FROM read_parquet(?)", [str(path)]).fetchone() or ()
            self._span(dict(zip(_SPANS, zip(found[::2], found[1::2], strict=True), strict=True)))

    def only_chunk(self, chunk: str) -> bool:
        """Whether every session says that it is of this chunk."""
        return self._spans.get("chunk", (chunk, chunk)) == (chunk, chunk)

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

    def _part(self, table: str, part: int) -> Path:
        return self.folder / f"{table}-{part:05d}.parquet"

    def _span(self, found: Mapping[str, tuple[Any, Any] | None]) -> None:
        for name, ends in found.items():
            if ends is not None:
                low, high = self._spans.get(name, ends)
                self._spans[name] = min(low, ends[0]), max(high, ends[1])

    def _manifest(self, chunks: dict[str, int]) -> Manifest:
        self._learn_columns()
        if SESSIONS in self._tables and self._tables[SESSIONS].rows >= needles.WORTH_ROWS:
            columns = {table: written.columns for table, written in self._tables.items()}
            self.write(NEEDLES, needles.table_of({table: self._paths(table) for table in columns}, columns), 0)
            self._tables[NEEDLES].columns = dict(needles.COLUMNS)
        tables = {
            name: TableFiles(tuple(written.files), written.rows, written.columns)
            for name, written in sorted(self._tables.items())
        }
        size = sum(path.stat().st_size for path in self.folder.iterdir())
        if SESSIONS not in tables:
            return Manifest(chunks, size=size)
        return Manifest(
            chunks,
            rows=tables[SESSIONS].rows,
            first_packet=self._spans["firstPacket"],
            last_packet=self._spans["lastPacket"],
            ids=self._spans["id"],
            size=size,
            tables=tables,
        )

    def _learn_columns(self) -> None:
        """Of each table that DuckDB wrote the columns with their types, as its files say: to ask once for all is
        cheaper than to ask for each before it is written."""
        unknown = {table: written for table, written in self._tables.items() if not written.columns}
        names = {str(self.folder / name): table for table, written in unknown.items() for name in written.files}
        if not names:
            return
        asked = "SELECT file_name, name, duckdb_type, num_children FROM parquet_schema(?) ORDER BY file_name, column_id"
        rows = self._connected().execute(asked, [list(names)]).fetchall()
        for path, described in groupby(rows, key=itemgetter(0)):
            unknown[names[path]].columns = _top(described)

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
        layout = Layout(root.absolute())
        layout.create()
        self._chunk = chunk
        self._segment: ParquetFolder | None = ParquetFolder(layout, partial(_shared, layout.root, layout.spill), chunk)
        self._parts: Counter[str] = Counter()
        self._held: dict[str, list[Table]] = {}

    def add(self, batch: Batch) -> None:
        """Write the batch out; of narrow tables a few thousand rows are held: a file costs more than its rows."""
        segment = self._open_segment()
        for name, table in batch.tables().items():
            if table.num_rows:
                self._held.setdefault(name, []).append(table)
        for name in [name for name, held in self._held.items() if name in _EVERY or _many(held)]:
            self._put(segment, name)

    def commit(self) -> int:
        """Seen and durable; ValueError if a session names another chunk than the writer's."""
        segment = self._open_segment()
        for name in list(self._held):
            self._put(segment, name)
        if not segment.only_chunk(self._chunk):
            raise ValueError(f"a session of the batch does not belong to the chunk {self._chunk}")
        rows = segment.commit(self._chunk).rows
        self._segment = None
        return rows

    def abort(self) -> None:
        """Nothing stays; after a commit there is nothing to do."""
        if self._segment is not None:
            self._segment.abort()
            self._segment = None

    def _put(self, segment: ParquetFolder, name: str) -> None:
        """One part of a table out of what is held of it."""
        segment.put(name, self._held.pop(name), self._parts[name])
        self._parts[name] += 1

    def _open_segment(self) -> ParquetFolder:
        if self._segment is None:
            raise ValueError("the segment is committed or aborted already")
        return self._segment
