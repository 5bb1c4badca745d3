"""The expression's tree to one SQL condition on sessions; narrow tables are joined by id, only where needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from hayrick_collector.expression.tree import And, Exists, Match, Node, Not, Or
from hayrick_collector.store.embedded import conditions
from hayrick_collector.store.embedded.columns import columns
from hayrick_collector.store.embedded.layout import SESSIONS
from hayrick_collector.store.embedded.relations import Relations
from hayrick_collector.store.embedded.sql import FALSE, Sql, all_of, any_of

_Operator: TypeAlias = Callable[[Iterable[Sql]], Sql]


@dataclass(frozen=True, slots=True)
class _Part:
    """A condition on rows of one table, with the columns it reads."""

    table: str
    sql: Sql
    columns: dict[str, str] = field(default_factory=dict)


class Compiler:
    """Compiles against the tables there are. `columns` gathers what the condition reads of sessions."""

    def __init__(self, relations: Relations) -> None:
        self._relations = relations
        self.columns: dict[str, str] = {}

    def condition(self, node: Node) -> Sql:
        """SQL that is true for the rows of sessions that the tree means."""
        return self._on_sessions(self._part(node))

    def _part(self, node: Node) -> _Part:
        match node:
            case And(items):
                return self._joined([self._part(item) for item in items], all_of)
            case Or(items):
                return self._joined([self._part(item) for item in items], any_of)
            case Not(item):
                return _Part(SESSIONS, "((" + self._on_sessions(self._part(item)) + ") IS NOT TRUE)")
            case Exists(found):
                return _Part(found.table, conditions.exists(node), columns(found))
            case Match(found, _):
                return _Part(found.table, conditions.match(node), columns(found))

    def _joined(self, parts: list[_Part], operator: _Operator) -> _Part:
        """Conditions on the same narrow table become one: a session has one row in each."""
        by_table: dict[str, list[_Part]] = {}
        for part in parts:
            by_table.setdefault(part.table, []).append(part)
        merged = [
            _Part(table, operator(part.sql for part in members), _all_columns(members))
            for table, members in by_table.items()
        ]
        if len(merged) == 1:
            return merged[0]
        return _Part(SESSIONS, operator([self._on_sessions(part) for part in merged]))

    def _on_sessions(self, part: _Part) -> Sql:
        if part.table == SESSIONS:
            self.columns.update(part.columns)
            return part.sql
        relation = self._relations.table(part.table, part.columns)
        if relation is None:
            return FALSE
        return "id IN (SELECT id FROM " + relation + " WHERE " + part.sql + ")"


def _all_columns(parts: Iterable[_Part]) -> dict[str, str]:
    return {column: kind for part in parts for column, kind in part.columns.items()}
