"""Moves sessions from one store into another through what every store can do, chunk by chunk.

A chunk is there whole or not at all, so a move that was cut short goes on where it stopped.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass

from hayrick_collector.expression import Catalogue, Match, Term
from hayrick_collector.store.interface import Document, Positions, Query, SegmentWriter, Store, Table

_PORTION = 500  # sessions in memory at once
_MOST_CHUNKS = 10_000_000
_DEADLINE_S = 600.0


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved; `skipped` chunks were there already."""

    chunks: int
    sessions: int
    skipped: int


class Documents:
    """A batch that has documents only: all that a store of whole documents asks for."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._lines = [json.dumps(each, ensure_ascii=False, separators=(",", ":")).encode() for each in documents]

    def __len__(self) -> int:
        return len(self._lines)

    def tables(self) -> Mapping[str, Table]:
        return {}

    def ndjson(self) -> bytes:
        return b"".join(line + b"\n" for line in self._lines)

    def bulk(self, chunk: str, stamp: int, most_items: int, most_bytes: int) -> None:
        """They say what people did to tags."""


async def move(
    source: Store, target: Store, catalogue: Catalogue, say: Callable[[str], None] = lambda _: None
) -> Moved:
    """Copy every chunk that `target`, a store of whole documents, has not; `source` stays as it is."""
    chunks = [str(value) async for value, _ in source.unique(Query(deadline_s=_DEADLINE_S), "chunk", _MOST_CHUNKS)]
    moved = sessions = 0
    for number, chunk in enumerate(chunks, 1):
        if await target.has_chunk(chunk):
            continue
        with target.writer(chunk) as writer:
            await _copy(source, writer, _of_chunk(catalogue, chunk))
            sessions += writer.commit()
        moved += 1
        say(f"{number} of {len(chunks)} chunks, {sessions} sessions")
    return Moved(moved, sessions, len(chunks) - moved)


async def _copy(source: Store, writer: SegmentWriter, query: Query) -> None:
    async for documents in _portions(source, query):
        places = {each.id: each async for each in source.positions_of([each["id"] for each in documents])}
        writer.add(Documents(_whole(each, places.get(each["id"])) for each in documents))


async def _portions(source: Store, query: Query) -> AsyncIterator[list[Document]]:
    cursor: str | None = None
    while True:
        page = await source.find(
            Query(query.expression, sort=query.sort, limit=_PORTION, cursor=cursor, total=False, deadline_s=_DEADLINE_S)
        )
        if page.items:
            yield page.items
        cursor = page.cursor
        if cursor is None:
            return


def _whole(document: Document, places: Positions | None) -> Document:
    """With its packets' positions; its tags are kept when the chunk is indexed again, as if a person had set them."""
    kept = {"hayrick": {"added": sorted(document["tags"]), "removed": []}} if document.get("tags") else {}
    told = {"packetPos": places.packet_pos, "packetLen": places.packet_len} if places else {"packetPos": []}
    return {**document, **told, **kept}


def _of_chunk(catalogue: Catalogue, chunk: str) -> Query:
    field = catalogue.find("chunk")
    if field is None:
        raise ValueError("the catalogue has no field chunk")
    return Query(Match(field, (Term(chunk),)), sort=[("id", "asc")])
