"""Changes of tags: immutable Parquet files of (session, tag, added or not, when); the latest change of a pair wins.

They are kept apart from the segments for ever, so that indexing a chunk again keeps what an analyst said of it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from hayrick_collector.store.embedded import sql
from hayrick_collector.store.embedded.layout import Layout
from hayrick_common import files

_SUFFIX = ".parquet"
_FEW = 8  # as many files are read as they are
_REPLACES = "replaces"


def listed(layout: Layout) -> list[str]:
    """Paths of all committed changes, oldest first."""
    committed = (path for path in layout.tags.iterdir() if path.suffix == _SUFFIX)
    return sorted(str(path) for path in committed)


def write(
    cursor: duckdb.DuckDBPyConnection, layout: Layout, ids: Sequence[str], add: Iterable[str], remove: Iterable[str]
) -> None:
    """Add and take away these tags of these sessions, durably; a tag in both is added."""
    added = list(add)
    changes = [(tag, True) for tag in added] + [(tag, False) for tag in remove if tag not in added]
    names, signs = [tag for tag, _ in changes], [sign for _, sign in changes]
    rows = "SELECT unnest(?::VARCHAR[]) AS tag, unnest(?::BOOLEAN[]) AS added"
    sessions = "SELECT unnest(?::VARCHAR[]) AS id"
    statement = f"SELECT id, tag, added, ?::BIGINT AS stamp FROM ({sessions}) CROSS JOIN ({rows})"
    at = _next_stamp(layout)
    _commit(cursor, layout, at, sql.Sql(statement, (at, list(ids), names, signs)), replaces=[])


def merge(cursor: duckdb.DuckDBPyConnection, layout: Layout, grace_s: float) -> int:
    """Many files into one; the old ones go once nobody can be reading them. Returns how many files went."""
    found = listed(layout)
    removed = _remove_replaced(cursor, layout, found, grace_s)
    left = [path for path in found if Path(path).exists()]
    if len(left) > _FEW and not removed and not _replaced(cursor, left):
        latest = (
            "SELECT id, tag, arg_max(added, stamp) AS added, max(stamp) AS stamp FROM read_parquet(?) GROUP BY id, tag"
        )
        _commit(cursor, layout, _next_stamp(layout), sql.Sql(latest, (left,)), [Path(path).name for path in left])
    return removed


def _remove_replaced(cursor: duckdb.DuckDBPyConnection, layout: Layout, found: list[str], grace_s: float) -> int:
    now, gone = time.time(), 0
    for merged, names in _replaced(cursor, found).items():
        if now - Path(merged).stat().st_mtime < grace_s:
            continue
        for name in names:
            (layout.tags / name).unlink(missing_ok=True)
            gone += 1
    files.sync_folder(layout.tags)
    return gone


def _replaced(cursor: duckdb.DuckDBPyConnection, found: list[str]) -> dict[str, list[str]]:
    """Merged files, with the names they took the place of that are still there."""
    here = {Path(path).name for path in found}
    statement = "SELECT file_name, decode(value) FROM parquet_kv_metadata(?) WHERE decode(key) = ?"
    rows = cursor.execute(statement, [found, _REPLACES]).fetchall() if found else []
    names = {merged: [name for name in json.loads(value) if name in here] for merged, value in rows}
    return {merged: left for merged, left in names.items() if left}


def _next_stamp(layout: Layout) -> int:
    """Later than every change there is, even when the clock went back."""
    return max([time.time_ns(), *(int(Path(path).name[:20]) + 1 for path in listed(layout))])


def _commit(cursor: duckdb.DuckDBPyConnection, layout: Layout, at: int, rows: sql.Sql, replaces: Sequence[str]) -> None:
    final = layout.tags / f"{at:020d}-{os.urandom(4).hex()}{_SUFFIX}"
    hidden = files.part_path(final)
    options = f"(FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{_REPLACES}: {sql.text(json.dumps(list(replaces)))}}})"
    try:
        cursor.execute(f"COPY ({rows.text}) TO {sql.text(str(hidden))} {options}", rows.parameters)
        files.commit_rename(hidden, final)
    finally:
        hidden.unlink(missing_ok=True)
