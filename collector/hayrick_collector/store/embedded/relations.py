"""The tables of a snapshot as SQL: files of all versions in today's shape, replaced rows left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from hayrick_collector.store.embedded import columns, sql
from hayrick_collector.store.embedded.layout import PARALLEL, SESSIONS
from hayrick_collector.store.embedded.needles import Rows
from hayrick_collector.store.embedded.snapshot import Live
from hayrick_collector.store.embedded.sql import Sql

ID = "id"
FILE = "filename"  # DuckDB's own column with the path a row came from
ROW = "file_row_number"  # and with its number in there; a condition on it reads no more than it must
SESSION_BASICS = {"id": "VARCHAR", "firstPacket": "BIGINT", "lastPacket": "BIGINT"}
TAGS = "tags"


class Relations:
    """Makes the FROM clauses over some segments."""

    def __init__(self, live: Iterable[Live], tag_files: Iterable[str] = (), rows: Rows | None = None) -> None:
        """`rows`: of these files of sessions nothing else is wanted."""
        self._live = list(live)
        self._tag_files = list(tag_files)
        self._rows = rows or {}

    def has(self, table: str) -> bool:
        """Whether any segment has rows of the table."""
        return any(table in each.manifest.tables for each in self._live)

    def table(self, table: str, wanted: Mapping[str, str]) -> Sql | None:
        """A subquery with these columns (name to type) and, for sessions, the basics and the file; None: no rows."""
        if table == SESSIONS:
            return self._sessions({**SESSION_BASICS, **wanted})
        return self._united(table, {ID: "VARCHAR", **wanted})

    def whole(self, table: str, wanted: Mapping[str, str]) -> Sql:
        """All rows with these columns, tags as they were written: what compaction copies. Sessions are in the order of
        time, and what belongs to each of them in the same order."""
        rows = self._united(table, wanted) or Sql("(SELECT 1 WHERE false)")
        if table == SESSIONS:
            return "SELECT * FROM " + rows + " ORDER BY firstPacket, id"
        times = self._united(SESSIONS, {ID: "VARCHAR", "firstPacket": "BIGINT"}) if table in PARALLEL else None
        if times is None:
            return "SELECT * FROM " + rows
        return "SELECT part.* FROM " + rows + " AS part JOIN " + times + " AS time USING (id) ORDER BY firstPacket, id"

    def _sessions(self, wanted: Mapping[str, str]) -> Sql | None:
        plain = self._united(SESSIONS, wanted, [FILE, ROW])
        if plain is None or TAGS not in wanted or not self._tag_files:
            return plain
        others = [sql.name(column) for column in (*wanted, FILE, ROW) if column != TAGS]
        picked = ", ".join(f"base.{column}" for column in others)
        return (
            f"(SELECT {picked}, {_CHANGED_TAGS} AS tags FROM "
            + plain
            + " AS base LEFT JOIN "
            + self._deltas()
            + (" AS delta ON base.id = delta.id)")
        )

    def _deltas(self) -> Sql:
        """One row a session whose tags were ever changed: the tags it gained and lost, the last change winning."""
        last = "SELECT id, tag, arg_max(added, stamp) AS added FROM read_parquet(?) GROUP BY id, tag"
        return Sql(
            "(SELECT id, list(tag) FILTER (added) AS gained, list(tag) FILTER (NOT added) AS lost"
            f" FROM ({last}) GROUP BY id)",
            (self._tag_files,),
        )

    def _united(self, table: str, wanted: Mapping[str, str], extra: Iterable[str] = ()) -> Sql | None:
        groups: dict[tuple[tuple[str, str], ...], list[Live]] = defaultdict(list)
        for each in self._live:
            found = each.manifest.tables.get(table)
            if found:
                key = (*found.columns.items(), *((chunk, "") for chunk in sorted(each.without)))
                groups[key].append(each)
        pieces = [self._group(table, members, wanted, extra) for members in groups.values()]
        return "(" + sql.join(" UNION ALL ", pieces) + ")" if pieces else None

    def _group(self, table: str, members: list[Live], wanted: Mapping[str, str], extra: Iterable[str]) -> Sql:
        actual = members[0].manifest.tables[table].columns
        picked = [columns.adapted(column, actual.get(column), kind) for column, kind in wanted.items()]
        paths = [path for each in members for path in each.paths(table)]
        without = sorted(members[0].without)
        if table == SESSIONS:
            return self._some(paths, [*picked, *extra], Sql("chunk NOT IN ?", (without,)) if without else None)
        made = _read(paths, [*picked, *extra])
        if not without:
            return made
        kept = _read([path for each in members for path in each.paths(SESSIONS)], [ID])
        return made + " WHERE id IN (" + kept + Sql(" WHERE chunk NOT IN ?)", (without,))

    def _some(self, paths: list[str], picked: Iterable[str], also: Sql | None) -> Sql:
        """The wanted rows of these files of sessions."""
        listed = list(picked)
        whole = [path for path in paths if path not in self._rows]
        pieces = [_read(whole, listed) + _where(also)] if whole else []
        for path in paths:
            if numbers := self._rows.get(path):
                own = Sql(f"file_row_number IN ({', '.join(map(str, sorted(set(numbers))))})")
                pieces.append(_read([path], listed) + _where(own, also))
        return sql.join(" UNION ALL ", pieces) if pieces else _read(paths[:1], listed) + " WHERE false"


def _where(*conditions: Sql | None) -> Sql:
    wanted = [condition for condition in conditions if condition is not None]
    return " WHERE " + sql.all_of(wanted) if wanted else Sql("")


def _read(paths: list[str], picked: Iterable[str]) -> Sql:
    return Sql(f"SELECT {', '.join(picked)} FROM read_parquet(?, file_row_number = true)", (paths,))


_CHANGED_TAGS = (
    "CASE WHEN delta.id IS NULL THEN base.tags ELSE nullif(list_sort(list_distinct(list_concat("
    "list_filter(coalesce(base.tags, []), lambda each: NOT coalesce(list_contains(delta.lost, each), false)),"
    " coalesce(delta.gained, [])))), []) END"
)
