"""What all questions are made of: the sessions an expression means, against one snapshot, with a cursor of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import duckdb

from hayrick_collector.expression import Catalogue, Field
from hayrick_collector.store import questions
from hayrick_collector.store.embedded import needles
from hayrick_collector.store.embedded.compiler import Compiler
from hayrick_collector.store.embedded.layout import SESSIONS
from hayrick_collector.store.embedded.relations import Relations
from hayrick_collector.store.embedded.snapshot import Live, Snapshot, pruned
from hayrick_collector.store.embedded.sql import Sql, all_of
from hayrick_collector.store.interface import Query


class View:
    """The segments of one snapshot, and a cursor to ask them by."""

    def __init__(
        self, cursor: duckdb.DuckDBPyConnection, catalogue: Catalogue, snapshot: Snapshot, tag_files: Sequence[str]
    ) -> None:
        self._cursor, self.catalogue, self._tag_files = cursor, catalogue, tag_files
        self.live = list(snapshot.live())
        self._found: dict[frozenset[int], tuple[dict[str, Sequence[int]], set[str]]] = {}

    def field(self, name: str) -> Field:
        """ValueError if the catalogue has none of this name."""
        return questions.known(self.catalogue, name)

    def relations(self, query: Query, among: Iterable[Live] | None = None) -> Relations:
        """The tables of the time asked for, of some segments or all; where the expression is about rare values, no more
        rows of sessions than may have them."""
        live = pruned(self.live if among is None else among, query.start_ms, query.stop_ms)
        keys = needles.keys(query.node)
        return Relations(live, self._tag_files, self.rows_of(keys, live) if keys is not None else None)

    def rows_of(self, keys: frozenset[int], live: Sequence[Live]) -> needles.Rows:
        """Where sessions with these keys are in these segments at least, each of which is looked at once."""
        found, looked = self._found.setdefault(keys, ({}, set()))
        unseen = [each for each in live if each.segment.name not in looked]
        if unseen:
            found.update(needles.rows(self._cursor, unseen, keys))
            looked.update(each.segment.name for each in unseen)
        return found

    def hits(
        self, query: Query, wanted: dict[str, str], among: Iterable[Live] | None = None, also: Iterable[Sql] = ()
    ) -> Sql | None:
        """A subquery of the sessions found (among those of some segments, with more conditions), with these columns,
        the basics, the file and the row in it; None: there can be none."""
        relations = self.relations(query, among)
        compiler = Compiler(relations)
        condition = compiler.condition(query.node)
        sessions = relations.table(SESSIONS, {**compiler.columns, **wanted})
        if sessions is None:
            return None
        return "(SELECT * FROM " + sessions + " WHERE " + all_of([condition, *_times(query), *also]) + ")"

    def rows(self, statement: Sql) -> list[tuple[Any, ...]]:
        """All rows of the answer."""
        return self._cursor.execute(statement.text, statement.parameters).fetchall()

    def one(self, statement: Sql) -> Any:
        """The one value of the answer."""
        return self.rows(statement)[0][0]


def _times(query: Query) -> list[Sql]:
    """Sessions that overlap the time asked for."""
    found = []
    if query.start_ms is not None:
        found.append(Sql("lastPacket >= ?", (query.start_ms,)))
    if query.stop_ms is not None:
        found.append(Sql("firstPacket <= ?", (query.stop_ms,)))
    return found
