"""Finding sessions: which, their documents, their packets; runs in a thread."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from hayrick_collector.expression import EVERYTHING
from hayrick_collector.store import documents
from hayrick_collector.store.embedded import columns, needles, paging, sql
from hayrick_collector.store.embedded.layout import DOCUMENTS, PACKETS, SESSIONS
from hayrick_collector.store.embedded.paging import Key
from hayrick_collector.store.embedded.relations import TAGS, Relations
from hayrick_collector.store.embedded.snapshot import Live, holding, pruned
from hayrick_collector.store.embedded.sql import TRUE, Sql
from hayrick_collector.store.embedded.view import View
from hayrick_collector.store.interface import Document, Page, Positions, Query


class Place(NamedTuple):
    """Where a session is: its chunk, and the file and number of its row in sessions."""

    id: str
    chunk: str
    file: str
    row: int


_PLACE = "SELECT id, chunk, filename, file_row_number FROM "
_FILES = 50  # read by one statement


class Search(View):
    """Finds sessions."""

    def find(self, query: Query) -> Page:
        """A page of documents, and how many there are in all."""
        keys = [Key(self.field(sort), direction) for sort, direction in query.sort]
        found = self._page(query, keys)
        more = len(found) > query.limit
        page = found[: query.limit]
        cursor = paging.encode(page[-1][paging.KEYS_AT :], page[-1][0]) if more and page else None
        items = self._documents([Place(row[0], "", row[1], row[2]) for row in page])
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
        if query.everything and not any(each.without for each in self.live):
            return sum(each.manifest.rows for each in self.live)
        hits = self.hits(query, {})
        return int(self.one("SELECT count(*) FROM " + hits)) if hits else 0

    def get(self, session_id: str) -> Document | None:
        """Only the segments whose span of ids covers this one are looked at."""
        items = self._documents(self.places_of([session_id]))
        return items[0] if items else None

    def places(self, query: Query) -> list[Place]:
        """Where all found are, chunk by chunk."""
        hits = self.hits(query, {"chunk": "VARCHAR"})
        return _places(self.rows(_PLACE + hits)) if hits else []

    def places_of(self, ids: Sequence[str]) -> list[Place]:
        """Where these sessions are, as far as they are there."""
        live = holding(self.live, ids)
        rows = self.rows_of(needles.keys_of(ids), live) if len(ids) <= needles.MOST_KEYS else None
        sessions = Relations(live, rows=rows).table(SESSIONS, {"chunk": "VARCHAR"})
        if sessions is None:
            return []
        return _places(self.rows(_PLACE + sessions + Sql(" WHERE id IN ?", (list(ids),))))

    def positions(self, places: Sequence[Place]) -> list[Positions]:
        """Packets of the sessions at these places, which are looked up again if they are of an older snapshot."""
        files = {path for each in self.live for path in each.paths(SESSIONS)}
        if any(place.file not in files for place in places):
            places = self.places_of([place.id for place in places])
        chunks = {place.id: place.chunk for place in places}
        rows = self._parallel(places, PACKETS, "packetPos, packetLen")
        found = [
            Positions(chunks[id_], id_, list(positions or ()), list(lengths or ())) for id_, positions, lengths in rows
        ]
        return sorted(found, key=lambda each: (each.chunk, each.id))

    def ids(self, query: Query) -> list[str]:
        """Ids of all found."""
        hits = self.hits(query, {})
        return [row[0] for row in self.rows("SELECT id FROM " + hits)] if hits else []

    def _page(self, query: Query, keys: Sequence[Key]) -> list[tuple[Any, ...]]:
        """Id, file, row and sort values of one session more than the page takes. By time, few segments are looked at
        first, and more only while they may hold sessions that come before those found."""
        live = pruned(self.live, query.start_ms, query.stop_ms)
        if keys[0].field.column != "firstPacket":
            return self._page_among(query, keys, live)
        upwards = keys[0].direction == "asc"
        live.sort(key=lambda each: each.manifest.first_packet[0] if upwards else -each.manifest.first_packet[1])
        found: list[tuple[Any, ...]] = []
        wave, start = 1, 0
        while start < len(live):
            more = self._page_among(query, keys, live[start : start + wave])
            found = (paging.merged(keys, [*found, *more]) if found else more)[: query.limit + 1]
            start, wave = start + wave, wave * 4
            if len(found) > query.limit and start < len(live):
                first, last = live[start].manifest.first_packet
                time = found[-1][paging.KEYS_AT]
                if time < first if upwards else time > last:
                    break
        return found

    def _page_among(self, query: Query, keys: Sequence[Key], live: Sequence[Live]) -> list[tuple[Any, ...]]:
        own = {
            column: kind
            for key in keys
            if key.field.table == SESSIONS and not key.field.any_of
            for column, kind in columns.columns(key.field).items()
        }
        seen = paging.decode(query.cursor, len(keys)) if query.cursor else None
        hits = self.hits(query, own, live, self._bounds(query, keys, live, seen))
        if hits is None:
            return []
        values, joins = self._sort_values(query, keys, live)
        picked = ", ".join(["hit.id AS id", "hit.filename AS filename", "hit.file_row_number AS row", *values])
        statement = f"SELECT * FROM (SELECT {picked} FROM " + hits + " AS hit" + joins + ")"
        behind = paging.after(keys, seen) if seen else TRUE
        ordered = " WHERE " + behind + f" ORDER BY {paging.order(keys)} LIMIT {int(query.limit) + 1}"
        return self.rows(statement + ordered)

    def _bounds(self, query: Query, keys: Sequence[Key], live: Sequence[Live], seen: Sequence[Any] | None) -> list[Sql]:
        """What files can be left out by, where a page is by time: behind the cursor, and if every session is meant,
        not behind the last of the page, which reading the times alone tells."""
        if keys[0].field.column != "firstPacket":
            return []
        upwards = keys[0].direction == "asc"
        sign, word = (">=", "ASC") if upwards else ("<=", "DESC")
        bounds = [Sql(f"firstPacket {sign} ?", (seen[0],))] if seen else []
        if query.node != EVERYTHING or seen:
            return bounds
        hits = self.hits(query, {}, live)
        times = (
            self.rows("SELECT firstPacket FROM " + hits + f" ORDER BY firstPacket {word} LIMIT {int(query.limit) + 1}")
            if hits
            else []
        )
        return [Sql(f"firstPacket {'<=' if upwards else '>='} ?", times[-1])] if len(times) > query.limit else []

    def _sort_values(self, query: Query, keys: Sequence[Key], live: Sequence[Live]) -> tuple[list[str], Sql]:
        """The SQL of each sort value, and the joins of narrow tables they need."""
        values, joins = [], Sql("")
        for number, key in enumerate(keys):
            field, table = key.field, f"sorted{number}"
            if field.any_of or field.column is None:
                raise ValueError(f"{field.expression} is a group of fields; sort by one of {', '.join(field.any_of)}")
            if field.table == SESSIONS:
                values.append(f"{key.value('hit')} AS k{number}")
                continue
            relation = self.relations(query, live).table(field.table, columns.columns(field))
            if relation is None:
                values.append(f"NULL AS k{number}")
                continue
            joins = joins + " LEFT JOIN " + relation + f" AS {table} ON {table}.id = hit.id"
            values.append(f"{key.value(table)} AS k{number}")
        return values, joins

    def _documents(self, places: Sequence[Place]) -> list[Document]:
        """Documents in this order, with the tags as they are now."""
        if not places:
            return []
        texts = dict(self._parallel(places, DOCUMENTS, "document"))
        tags = self._tags(places)
        return [_document(place.id, texts[place.id], tags.get(place.id)) for place in places]

    def _tags(self, places: Sequence[Place]) -> dict[str, list[str] | None]:
        """The tags of the sessions at these places, as they are now."""
        rows: needles.Rows = {file: [place.row for place in members] for file, members in _by_file(places).items()}
        here = [each for each in self.live if not rows.keys().isdisjoint(each.paths(SESSIONS))]
        others = {path: () for each in here for path in each.paths(SESSIONS)}
        sessions = Relations(here, self._tag_files, {**others, **rows}).table(SESSIONS, {TAGS: "VARCHAR[]"})
        return dict(self.rows("SELECT id, tags FROM " + sessions)) if sessions else {}

    def _parallel(self, places: Sequence[Place], table: str, picked: str) -> list[tuple[Any, ...]]:
        """Rows (id first) of a table that has one for each session: at the same place in the file with the same number,
        or somewhere else in there, in what an older version wrote."""
        by_file = _by_file(places)
        found: list[tuple[Any, ...]] = []
        files = sorted(by_file)
        for start in range(0, len(files), _FILES):
            pieces = [_at(by_file[file], _sibling(file, table), picked) for file in files[start : start + _FILES]]
            found += self.rows(sql.join(" UNION ALL ", pieces))
        seen = {row[0] for row in found}
        missing = [place for place in places if place.id not in seen]
        return found + (self.rows(_somewhere(missing, table, picked)) if missing else [])


def _by_file(places: Iterable[Place]) -> dict[str, list[Place]]:
    found: dict[str, list[Place]] = {}
    for place in places:
        found.setdefault(place.file, []).append(place)
    return found


def _places(rows: Iterable[tuple[str, str, str, int]]) -> list[Place]:
    return sorted((Place(*row) for row in rows), key=lambda place: (place.chunk, place.file, place.id))


def _at(places: Sequence[Place], file: str, picked: str) -> Sql:
    rows, ids = [place.row for place in places], [place.id for place in places]
    source = f"SELECT id, {picked} FROM read_parquet(?, file_row_number = true) WHERE file_row_number IN ? AND id IN ?"
    return Sql(source, ([file], rows, ids))


def _somewhere(places: Sequence[Place], table: str, picked: str) -> Sql:
    files = sorted({_sibling(place.file, table) for place in places})
    return Sql(f"SELECT id, {picked} FROM read_parquet(?) WHERE id IN ?", (files, [place.id for place in places]))


def _sibling(file: str, table: str) -> str:
    folder, _, last = file.rpartition("/")
    return f"{folder}/{table}{last.removeprefix(SESSIONS)}"


def _document(session: str, text: str, tags: list[str] | None) -> Document:
    found: Document = json.loads(text)
    documents.put(found, "id", session)
    documents.put(found, TAGS, tags)
    documents.put(found, "tagsCnt", len(tags) if tags else None)
    return found
