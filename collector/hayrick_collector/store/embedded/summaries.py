"""Sums over what was found: facets, unique values, histograms, graphs; runs in a thread."""

from __future__ import annotations

from typing import Any

from hayrick_collector.expression import Field
from hayrick_collector.store import questions
from hayrick_collector.store.embedded import columns
from hayrick_collector.store.embedded.layout import SESSIONS
from hayrick_collector.store.embedded.sql import TRUE, Sql, join, name
from hayrick_collector.store.embedded.view import View
from hayrick_collector.store.interface import Bucket, Facet, Graph, Link, Query, Value, Weight

_WEIGHTS = {"network.packets": "BIGINT", "network.bytes": "BIGINT"}
_PORTION_VALUES = 100_000
_PICKED = '"network.packets" AS packets, "network.bytes" AS bytes'
_SUMS = "count(*) AS sessions, coalesce(sum(packets), 0) AS packets, coalesce(sum(bytes), 0) AS bytes"


class Summaries(View):
    """Adds up sessions."""

    def facets(self, query: Query, name_of_field: str, limit: int, order: Weight) -> list[Facet]:
        """Commonest values first; equal ones by value."""
        field = self.field(name_of_field)
        values = self._values(query, field)
        if values is None:
            return []
        statement = f"SELECT v, {_SUMS} FROM " + values + f" GROUP BY v ORDER BY {order} DESC, v LIMIT {int(limit)}"
        kind = self._kind(field)
        return [Facet(columns.shown(kind, row[0]), *map(int, row[1:])) for row in self.rows(statement)]

    def unique(
        self, query: Query, name_of_field: str, limit: int | None, after: Any
    ) -> tuple[list[tuple[Value, int]], Any]:
        """Values in order behind `after` (None: from the first), with their sessions; and what the next are behind."""
        field = self.field(name_of_field)
        values = self._values(query, field, weighed=False)
        if values is None:
            return [], None
        behind = TRUE if after is None else columns.beyond(self._kind(field), "v", after)
        size = _PORTION_VALUES if limit is None else min(limit, _PORTION_VALUES)
        grouped = Sql(f" GROUP BY v ORDER BY v LIMIT {int(size)}")
        rows = self.rows("SELECT v, count(*) FROM " + values + " WHERE " + behind + grouped)
        found = [(columns.shown(self._kind(field), value), count) for value, count in rows]
        return found, rows[-1][0] if len(rows) == size else None

    def histogram(self, query: Query, interval_ms: int, metric: str, split: str | None, limit: int) -> list[Bucket]:
        """Buckets that have sessions, in order of time."""
        if interval_ms < 1:
            raise ValueError("a histogram's interval is at least 1 ms")
        hits = self._measured(query, metric)
        parts = None if split is None else self._values(query, self.field(split), weighed=False)
        if hits is None or (split is not None and parts is None):
            return []
        start = f"firstPacket - firstPacket % {int(interval_ms)} AS start"
        if parts is None:
            rows = self.rows(f"SELECT {start}, sum(m) FROM " + hits + " GROUP BY start ORDER BY start")
            return [Bucket(begin, int(total)) for begin, total in rows]
        kind = self._kind(self.field(split or ""))
        rows = self.rows(
            "WITH part AS MATERIALIZED " + parts + ", top AS (SELECT v, count(*) AS n FROM part GROUP BY v"
            f" ORDER BY n DESC, v LIMIT {int(limit)}) SELECT {start}, v, sum(m) FROM "
            + hits
            + " JOIN part USING (id) JOIN top USING (v) GROUP BY start, v, n ORDER BY start, n DESC, v"
        )
        return [Bucket(begin, int(total), columns.shown(kind, value)) for begin, value, total in rows]

    def graph(self, query: Query, source: str, destination: str, limit: int, order: Weight) -> Graph:
        """Heaviest links first; equal ones by their ends."""
        ends = self.field(source), self.field(destination)
        pairs = self._pairs(query, *ends)
        if pairs is None:
            return Graph([], [], more=False)
        statement = f"SELECT v, w, {_SUMS} FROM " + pairs
        rows = self.rows(statement + f" GROUP BY v, w ORDER BY {order} DESC, v, w LIMIT {int(limit) + 1}")
        first, last = (self._kind(end) for end in ends)
        links = [Link(columns.shown(first, v), columns.shown(last, w), *map(int, sums)) for v, w, *sums in rows]
        return questions.graph(links, limit, order)

    def _pairs(self, query: Query, source: Field, destination: Field) -> Sql | None:
        """A subquery (v, w, packets, bytes) with every pair of values of every session found, each once."""
        members = [*self.catalogue.members(source), *self.catalogue.members(destination)]
        if len(members) == 2 and all(each.table == SESSIONS and not columns.is_list(each) for each in members):
            first, last = members
            hits = self.hits(query, {**_WEIGHTS, **columns.columns(first), **columns.columns(last)})
            both = f"SELECT {_value(first)[0]} AS v, {_value(last)[0]} AS w, {_PICKED} FROM "
            return (
                None if hits is None else "(SELECT * FROM (" + both + hits + ") WHERE v IS NOT NULL AND w IS NOT NULL)"
            )
        left, right = self._values(query, source), self._values(query, destination)
        if left is None or right is None:
            return None
        return (
            "(SELECT f.v AS v, l.v AS w, f.packets AS packets, f.bytes AS bytes FROM "
            + left
            + " AS f JOIN "
            + right
            + " AS l USING (id))"
        )

    def _measured(self, query: Query, metric: str) -> Sql | None:
        """A subquery (id, firstPacket, m) of the sessions found with each one's amount."""
        field = None if metric == "sessions" else questions.addable(self.catalogue, metric)
        inside = field is not None and field.table == SESSIONS
        hits = self.hits(query, columns.columns(field) if field and inside else {})
        amount = "1" if field is None else _amount(field)
        if hits is None or field is None or inside:
            return None if hits is None else f"(SELECT id, firstPacket, {amount} AS m FROM " + hits + ")"
        narrow = self.relations(query).table(field.table, columns.columns(field))
        if narrow is None:
            return "(SELECT id, firstPacket, 0 AS m FROM " + hits + ")"
        return f"(SELECT id, firstPacket, {amount} AS m FROM " + hits + " AS hit LEFT JOIN " + narrow + " USING (id))"

    def _values(self, query: Query, field: Field, *, weighed: bool = True) -> Sql | None:
        """A subquery (id, v, packets, bytes) with every value of every session found, each once; without packets and
        bytes if they are not wanted."""
        pieces = [self._values_of(query, member, weighed=weighed) for member in self.catalogue.members(field)]
        found = [piece for piece in pieces if piece is not None]
        if not found:
            return None
        return "(" + join(" UNION ", found) + ")"

    def _values_of(self, query: Query, field: Field, *, weighed: bool) -> Sql | None:
        stored = columns.columns(field)
        inside = field.table == SESSIONS
        hits = self.hits(query, {**(_WEIGHTS if weighed else {}), **(stored if inside else {})})
        if hits is None:
            return None
        value, nothing = _value(field)
        names = "id, v, packets, bytes" if weighed else "id, v"
        picked = f"SELECT id, {value} AS v{f', {_PICKED}' if weighed else ''} FROM "
        if inside:
            source = hits
        else:
            relation = self.relations(query).table(field.table, stored)
            if relation is None:
                return None
            joined = weighed or not query.everything
            source = hits + " AS hit JOIN " + relation + " AS narrow USING (id)" if joined else relation
        return f"SELECT {names} FROM (" + (picked + source) + f" WHERE {nothing}) WHERE v IS NOT NULL"

    def _kind(self, field: Field) -> Field:
        """The field whose values are shown: a group's members are of one kind."""
        return next(iter(self.catalogue.members(field)), field)


def _value(field: Field) -> tuple[str, str]:
    """SQL of each value of a row, and what tells that there is one."""
    column = name(next(iter(columns.columns(field))))
    if field.counts:
        return f"nullif(len({column}), 0)", "true"
    if field.kind == "ip":
        return columns.address_value(field), f"{column} IS NOT NULL"
    if not field.multi:
        return column, "true"
    return f"unnest(CASE WHEN len({column}) > 1 THEN list_distinct({column}) ELSE {column} END)", "true"


def _amount(field: Field) -> str:
    """SQL of the sum of a row's values."""
    column = name(field.column or "")
    if field.counts:
        return f"coalesce(len({column}), 0)"
    return f"coalesce({f'list_sum({column})' if field.multi else column}, 0)"
