"""Where rare values are: for each large segment a table of keys in order, each with the row of a session that has it.

A key is a hash of a session's id or of one of its addresses, so what the table finds may be too much and is never too
little: conditions are still asked of the rows found, and of no others.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import duckdb

from hayrick_collector.expression.tree import And, Interval, Match, Node, Or, Term
from hayrick_collector.store.embedded import sql
from hayrick_collector.store.embedded.layout import NEEDLES, SESSIONS
from hayrick_collector.store.embedded.snapshot import Live
from hayrick_collector.store.embedded.sql import Sql, name

Rows: TypeAlias = Mapping[str, Sequence[int]]
"""The rows that may match in each file of sessions; a file that is not in here has to be read whole."""

COLUMNS = {"key": "UBIGINT", "part": "USMALLINT", "row": "UINTEGER"}
WORTH_ROWS = 50_000  # in a smaller segment reading all is as quick
ROW_GROUP = 32_768  # what is read for one key; smaller groups cost more to choose among
MOST_KEYS = 1000
_MOST_ROWS = 20_000  # of one file: beyond that reading all is as quick
_KEY = "md5_number_lower"


def table_of(paths: Mapping[str, Sequence[str]], columns: Mapping[str, Mapping[str, str]]) -> Sql:
    """The rows of a segment's table: `key`, `part` (which of the files of sessions), `row` in there."""
    sessions = list(paths[SESSIONS])
    places = "SELECT list_position(?, filename) - 1 AS part, file_row_number AS row, * FROM read_parquet(?"
    own = Sql(f"({places}, filename = true, file_row_number = true))", (sessions, sessions))
    entries = [_entries(Sql(f"{_KEY}(id)"), own)]
    for table, kinds in columns.items():
        source = own if table == SESSIONS else _beside(own, paths[table])
        entries += [_entries(Sql(f"{_KEY}({value})"), source) for value in _addresses(kinds)]
    return "SELECT * FROM (" + sql.join(" UNION ALL ", entries) + ") WHERE key IS NOT NULL ORDER BY key"


def _entries(key: Sql, source: Sql) -> Sql:
    return "SELECT " + key + " AS key, part::USMALLINT AS part, row::UINTEGER AS row FROM " + source


def _beside(own: Sql, paths: Sequence[str]) -> Sql:
    narrow = Sql("(SELECT own.part, own.row, narrow.* FROM read_parquet(?) AS narrow JOIN ", (list(paths),))
    return narrow + own + " AS own USING (id))"


def _addresses(kinds: Mapping[str, str]) -> Iterable[str]:
    """The SQL of each address in a table, as `_text` says it."""
    for column, kind in kinds.items():
        if kind == "BLOB[]":
            yield f"lower(hex(unnest({name(column)})))"
        elif column.endswith(".hi") and kind == "UBIGINT":
            low = name(column.removesuffix("hi") + "lo")
            yield f"CASE WHEN {low} IS NOT NULL THEN printf('%016x%016x', {name(column)}, {low}) END"


def keys(node: Node) -> frozenset[int] | None:
    """Keys of which every session that the tree means has some; None: it means no rare values, or too many."""
    found = _keys(node)
    return None if found is None or len(found) > MOST_KEYS else found


def keys_of(ids: Iterable[str]) -> frozenset[int]:
    """The keys of these sessions."""
    return frozenset(map(_key, ids))


def _keys(node: Node) -> frozenset[int] | None:
    match node:
        case And(items):
            return min((found for found in map(_keys, items) if found is not None), key=len, default=None)
        case Or(items):
            each = [_keys(item) for item in items]
            known = [found for found in each if found is not None]
            return frozenset().union(*known) if len(known) == len(each) else None
        case Match(field, tests) if field.kind == "ip" and not field.counts:
            spans = [test for test in tests if isinstance(test, Interval)]
            exact = {span.low for span in spans if span.low == span.high}
            return None if None in exact or len(exact) < len(set(spans)) else frozenset(map(_key, map(_text, exact)))
        case Match(field, tests) if (field.table, field.column) == (SESSIONS, "id"):
            terms = [test.value for test in tests if isinstance(test, Term)]
            return keys_of(map(str, terms)) if len(terms) == len(tests) else None
        case _:
            return None


def _text(address: int | None) -> str:
    return f"{address or 0:032x}"


def _key(text: str) -> int:
    """As DuckDB makes it."""
    return int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest()[8:], "little")


def rows(cursor: duckdb.DuckDBPyConnection, live: Iterable[Live], wanted: frozenset[int]) -> Rows:
    """Where sessions with these keys are, in the segments that have such a table."""
    tables = {each.paths(NEEDLES)[0]: each.paths(SESSIONS) for each in live if NEEDLES in each.manifest.tables}
    found: dict[str, list[int]] = defaultdict(list, {path: [] for paths in tables.values() for path in paths})
    if tables and wanted:
        listed = ", ".join(map(str, sorted(wanted)))
        asked = f"SELECT filename, part, row FROM read_parquet(?, filename = true) WHERE key IN ({listed})"
        for table, part, row in cursor.execute(asked, [list(tables)]).fetchall():
            found[tables[table][part]].append(row)
    return {path: numbers for path, numbers in found.items() if len(numbers) <= _MOST_ROWS}
