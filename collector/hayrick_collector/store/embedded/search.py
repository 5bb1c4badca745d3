"""The SQL of every question, made against one snapshot; runs in a thread with a cursor of its own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import duckdb

from hayrick_collector.expression import Catalogue, Field, Node
from hayrick_collector.store import documents, questions
from hayrick_collector.store.embedded import columns, paging
from hayrick_collector.store.embedded.compiler import Compiler
from hayrick_collector.store.embedded.layout import DOCUMENTS, PACKETS, SESSIONS
from hayrick_collector.store.embedded.paging import Key
from hayrick_collector.store.embedded.relations import TAGS, Relations
from hayrick_collector.store.embedded.snapshot import Snapshot, holding, pruned
from hayrick_collector.store.embedded.sql import TRUE, Sql, all_of, join, name
from hayrick_collector.store.interface import Bucket, Document, Facet, FacetOrder, Page, Positions, Query, Value

_WEIGHTS = {"network.packets": "BIGINT", "network.bytes": "BIGINT"}


class Place(NamedTuple):
    """Where a session is: its chunk, and the file of its row in sessions."""

    id: str
    chunk: str
    file: str


class Search:
    """Answers questions over the segments of one snapshot."""

    def __init__(
        self, cursor: duckdb.DuckDBPyConnection, catalogue: Catalogue, snapshot: Snapshot, tag_files: Sequence[str]
    ) -> None:
        self._cursor, self._catalogue, self._tag_files = cursor, catalogue, tag_files
        self._live = list(snapshot.live())

    def find(self, query: Query) -> Page:
        """A page of documents, and how many there are in all."""
        keys = [Key(self.field(sort), direction) for sort, direction in query.sort]
        found = self._page(query, keys)
        more = len(found) > query.limit
        page = found[: query.limit]
        cursor = paging.encode(page[-1][2:], page[-1][0]) if more and page else None
        items = self._documents([Place(row[0], "", row[1]) for row in page])
        if query.fields is not None:
            items = [documents.pick(item, ("id", *query.fields)) for item in items]
        return Page(items, self._total(query, len(found), more=more), cursor)

    def _total(self, query: Query, shown: int, *, more: bool) -> int | None:
        """A first page that is also the last needs no counting."""
        if not query.total:
            return None
        return shown if not more and query.cursor is None else self.count(query)

    def count(self, query: Query) -> int:
        """From the manifests alone where every session counts."""
        live = pruned(self._live, query.start_ms, query.stop_ms)
        whole = query.start_ms is None and query.stop_ms is None and not any(each.without for each in live)
        if whole and query.node == Query().node:
            return sum(each.manifest.rows for each in live)
        hits = self._hits(query, {})
        return int(self._one("SELECT count(*) FROM " + hits)) if hits else 0

    def get(self, session_id: str) -> Document | None:
        """Only the segments whose span of ids covers this one are looked at."""
        items = self._documents(self.places_of([session_id]))
        return items[0] if items else None

    def places(self, query: Query) -> list[Place]:
        """Where all found are, chunk by chunk."""
        hits = self._hits(query, {"chunk": "VARCHAR"})
        return _places(self._rows("SELECT id, chunk, filename FROM " + hits)) if hits else []

    def places_of(self, ids: Sequence[str]) -> list[Place]:
        """Where these sessions are, as far as they are there."""
        sessions = Relations(holding(self._live, ids)).table(SESSIONS, {"chunk": "VARCHAR"})
        if sessions is None:
            return []
        return _places(self._rows("SELECT id, chunk, filename FROM " + sessions + Sql(" WHERE id IN ?", (list(ids),))))

    def positions(self, places: Sequence[Place]) -> list[Positions]:
        """Packets of the sessions at these places, which are looked up again if they are of an older snapshot."""
        files = {path for each in self._live for path in each.paths(SESSIONS)}
        if any(place.file not in files for place in places):
            places = self.places_of([place.id for place in places])
        chunks = {place.id: place.chunk for place in places}
        rows = self._rows(_of_sessions(places, PACKETS, "id, packetPos, packetLen")) if places else []
        found = [
            Positions(chunks[id_], id_, list(positions or ()), list(lengths or ())) for id_, positions, lengths in rows
        ]
        return sorted(found, key=lambda each: (each.chunk, each.id))

    def ids(self, query: Query) -> list[str]:
        """Ids of all found."""
        hits = self._hits(query, {})
        return [row[0] for row in self._rows("SELECT id FROM " + hits)] if hits else []

    def facets(self, query: Query, name_of_field: str, limit: int, order: FacetOrder) -> list[Facet]:
        """Commonest values first; equal ones by value."""
        field = self.field(name_of_field)
        values = self._values(query, field)
        if values is None:
            return []
        sums = "count(*) AS sessions, coalesce(sum(packets), 0) AS packets, coalesce(sum(bytes), 0) AS bytes"
        statement = f"SELECT v, {sums} FROM " + values + f" GROUP BY v ORDER BY {order} DESC, v LIMIT {int(limit)}"
        kind = self._catalogue.members(field)[0]
        return [Facet(columns.shown(kind, row[0]), *map(int, row[1:])) for row in self._rows(statement)]

    def unique(self, query: Query, name_of_field: str, limit: int) -> list[tuple[Value, int]]:
        """Values in order, with their sessions."""
        field = self.field(name_of_field)
        values = self._values(query, field)
        if values is None:
            return []
        kind = self._catalogue.members(field)[0]
        rows = self._rows("SELECT v, count(*) FROM " + values + f" GROUP BY v ORDER BY v LIMIT {int(limit)}")
        return [(columns.shown(kind, value), count) for value, count in rows]

    def histogram(self, query: Query, interval_ms: int, metric: str) -> list[Bucket]:
        """Buckets that have sessions, in order of time."""
        if interval_ms < 1:
            raise ValueError("a histogram's interval is at least 1 ms")
        wanted, value = self._metric(metric)
        hits = self._hits(query, wanted)
        if hits is None:
            return []
        bucket = f"firstPacket - firstPacket % {int(interval_ms)}"
        rows = self._rows(f"SELECT {bucket} AS start, {value} FROM " + hits + " GROUP BY start ORDER BY start")
        return [Bucket(start, int(total)) for start, total in rows]

    def field(self, name_of_field: str) -> Field:
        """ValueError if the catalogue has none of this name."""
        return questions.known(self._catalogue, name_of_field)

    def _metric(self, metric: str) -> tuple[dict[str, str], str]:
        if metric == "sessions":
            return {}, "count(*)"
        field = questions.addable(self._catalogue, metric)
        return columns.columns(field), f"coalesce(sum({name(field.column or '')}), 0)"

    def _relations(self, query: Query) -> Relations:
        return Relations(pruned(self._live, query.start_ms, query.stop_ms), self._tag_files)

    def _hits(self, query: Query, wanted: dict[str, str], node: Node | None = None) -> Sql | None:
        """A subquery of the sessions found, with these columns, the basics and the file; None: there can be none."""
        relations = self._relations(query)
        compiler = Compiler(relations)
        condition = compiler.condition(query.node if node is None else node)
        sessions = relations.table(SESSIONS, {**compiler.columns, **wanted})
        if sessions is None:
            return None
        return "(SELECT * FROM " + sessions + " WHERE " + all_of([condition, *_times(query)]) + ")"

    def _page(self, query: Query, keys: Sequence[Key]) -> list[tuple[Any, ...]]:
        """Id, file and sort values of one session more than the page takes."""
        own = {
            column: kind
            for key in keys
            if key.field.table == SESSIONS and not key.field.any_of
            for column, kind in columns.columns(key.field).items()
        }
        hits = self._hits(query, own)
        if hits is None:
            return []
        values, joins = self._sort_values(query, keys)
        picked = ", ".join(["hit.id AS id", "hit.filename AS filename", *values])
        statement = f"SELECT * FROM (SELECT {picked} FROM " + hits + " AS hit" + joins + ")"
        behind = paging.after(keys, paging.decode(query.cursor, len(keys))) if query.cursor else TRUE
        ordered = " WHERE " + behind + f" ORDER BY {paging.order(keys)} LIMIT {int(query.limit) + 1}"
        return self._rows(statement + ordered)

    def _sort_values(self, query: Query, keys: Sequence[Key]) -> tuple[list[str], Sql]:
        """The SQL of each sort value, and the joins of narrow tables they need."""
        values, joins = [], Sql("")
        for number, key in enumerate(keys):
            field, table = key.field, f"sorted{number}"
            if field.any_of or field.column is None:
                raise ValueError(f"{field.expression} is a group of fields; sort by one of {', '.join(field.any_of)}")
            if field.table == SESSIONS:
                values.append(f"{key.value('hit')} AS k{number}")
                continue
            relation = self._relations(query).table(field.table, columns.columns(field))
            if relation is None:
                values.append(f"NULL AS k{number}")
                continue
            joins = joins + " LEFT JOIN " + relation + f" AS {table} ON {table}.id = hit.id"
            values.append(f"{key.value(table)} AS k{number}")
        return values, joins

    def _values(self, query: Query, field: Field) -> Sql | None:
        """A subquery (id, v, packets, bytes) with every value of every session found, each once."""
        members = self._catalogue.members(field)
        pieces = [self._values_of(query, member) for member in members]
        found = [piece for piece in pieces if piece is not None]
        if not found:
            return None
        return "(" + join(" UNION " if len(found) > 1 else "", found) + ")"

    def _values_of(self, query: Query, field: Field) -> Sql | None:
        stored = columns.columns(field)
        inside = field.table == SESSIONS
        hits = self._hits(query, {**_WEIGHTS, **(stored if inside else {})})
        if hits is None:
            return None
        value, nothing = _value(field)
        picked = f'SELECT id, {value} AS v, "network.packets" AS packets, "network.bytes" AS bytes FROM '
        if inside:
            source = hits
        else:
            relation = self._relations(query).table(field.table, stored)
            if relation is None:
                return None
            source = hits + " AS hit JOIN " + relation + " AS narrow USING (id)"
        return "SELECT id, v, packets, bytes FROM (" + (picked + source) + f" WHERE {nothing}) WHERE v IS NOT NULL"

    def _documents(self, places: Sequence[Place]) -> list[Document]:
        """Documents in this order, with the tags as they are now."""
        if not places:
            return []
        ids = [place.id for place in places]
        texts = dict(self._rows(_of_sessions(places, DOCUMENTS, "id, document")))
        files = {place.file for place in places}
        here = [each for each in self._live if files & set(each.paths(SESSIONS))]
        sessions = Relations(here, self._tag_files).table(SESSIONS, {TAGS: "VARCHAR[]"})
        tags = dict(self._rows("SELECT id, tags FROM " + (sessions or TRUE) + Sql(" WHERE id IN ?", (ids,))))
        return [_document(session, texts[session], tags.get(session)) for session in ids]

    def _rows(self, statement: Sql) -> list[tuple[Any, ...]]:
        return self._cursor.execute(statement.text, statement.parameters).fetchall()

    def _one(self, statement: Sql) -> Any:
        return self._rows(statement)[0][0]


def _times(query: Query) -> list[Sql]:
    """Sessions that overlap the time asked for."""
    found = []
    if query.start_ms is not None:
        found.append(Sql("lastPacket >= ?", (query.start_ms,)))
    if query.stop_ms is not None:
        found.append(Sql("firstPacket <= ?", (query.stop_ms,)))
    return found


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


def _places(rows: Iterable[tuple[str, str, str]]) -> list[Place]:
    return sorted((Place(*row) for row in rows), key=lambda place: (place.chunk, place.file, place.id))


def _of_sessions(places: Sequence[Place], table: str, picked: str) -> Sql:
    """Rows of another table of these sessions: a part of it holds the sessions of the part with the same number."""
    files = sorted({_sibling(place.file, table) for place in places})
    return Sql(f"SELECT {picked} FROM read_parquet(?) WHERE id IN ?", (files, [place.id for place in places]))


def _sibling(file: str, table: str) -> str:
    folder, _, last = file.rpartition("/")
    return f"{folder}/{table}{last.removeprefix(SESSIONS)}"


def _document(session: str, text: str, tags: list[str] | None) -> Document:
    found: Document = json.loads(text)
    documents.put(found, "id", session)
    documents.put(found, TAGS, tags)
    documents.put(found, "tagsCnt", len(tags) if tags else None)
    return found
