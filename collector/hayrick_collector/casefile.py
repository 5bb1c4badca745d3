"""A case as one zip for whoever comes after: its sessions, their packets, notes, sources, and the SHA-256 of it all.

It is made while it is sent: nothing of it is held but the piece in hand and the ids of its sessions.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import asdict
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from hayrick_collector.backend import Search
from hayrick_collector.dataout import stream
from hayrick_collector.desk.cases import Case, Cases, Evidence
from hayrick_collector.desk.notes import Notes
from hayrick_collector.desk.people import Person
from hayrick_collector.direct import DirectBackend
from hayrick_collector.expression.literal import written
from hayrick_common.clock import epoch_ms

_PAGE = 1000
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the time of a file says nothing: the manifest has the times that matter


async def sources(backend: DirectBackend, case: Case, person: Person) -> list[Evidence]:
    """The manifest of a case: every chunk that its sessions come from, or ever came from."""
    found = []
    async with aclosing(backend.unique(search_of(case, person), "chunk", None)) as chunks:
        async for each in chunks:
            row, _ = await backend.chunk(str(each["value"]))
            if row:
                landed = round(row["landed_at"] * 1000)
                found.append(Evidence(row["key"], row["sha256"], row["original_name"], row["size"], landed))
    if person.limited:  # sees what the sessions come from that are shown, and no more
        return found
    return await asyncio.to_thread(Cases(backend.desk).evidence, case.name, found)


async def bundle(backend: DirectBackend, case: Case, person: Person) -> AsyncGenerator[bytes]:
    """The zip, piece by piece: case.json, sessions.ndjson, notes.ndjson, packets.pcap (or .pcapng), and manifest.json
    with the case's sources and the SHA-256 of each file."""
    manifest = [asdict(each) for each in await sources(backend, case, person)]
    zipped = _Zip()
    ids: list[str] = []
    async for piece in zipped.file("case.json", _one(_json(asdict(case)))):
        yield piece
    async for piece in zipped.file("sessions.ndjson", _sessions(backend, search_of(case, person), ids)):
        yield piece
    async for piece in zipped.file("notes.ndjson", _notes(backend, ids)):
        yield piece
    missing: list[Any] = []
    if ids:
        export = await backend.export(search_of(case, person))
        missing = [asdict(each) for each in export.missing]
        async for piece in zipped.file(f"packets.{export.format}", export.pieces):
            yield piece
    told = {
        "case": case.name, "made_ms": epoch_ms(), "made_by": person.name, "collector": backend.config.node,
        "sessions": len(ids), "sources": manifest, "missing": missing, "files": zipped.files,
    }  # fmt: skip
    async for piece in zipped.file("manifest.json", _one(_json(told))):
        yield piece
    yield zipped.end()


def search_of(case: Case, person: Person) -> Search:
    """The sessions of a case that the person may see."""
    return Search(expression=f"tags == {written(case.name)}", person=person)


class _Zip:
    """A zip that is written to nowhere; what came of each piece is taken at once."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._zip = ZipFile(self._sink, "w", ZIP_DEFLATED, compresslevel=1)
        self.files: list[dict[str, Any]] = []

    async def file(self, name: str, pieces: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
        """One more file, with its pieces as they come."""
        digest, size = hashlib.sha256(), 0
        info = ZipInfo(name, _EPOCH)
        info.compress_type = ZIP_DEFLATED
        async with aclosing(pieces):
            with self._zip.open(info, "w", force_zip64=True) as member:
                async for piece in pieces:
                    digest.update(piece)
                    size += len(piece)
                    await asyncio.to_thread(member.write, piece)
                    if taken := self._sink.take():
                        yield taken
        yield self._sink.take()
        self.files.append({"name": name, "size": size, "sha256": digest.hexdigest()})

    def end(self) -> bytes:
        """What closes the zip."""
        self._zip.close()
        return self._sink.take()


class _Sink(io.RawIOBase):
    """A file that cannot be sought in, whose bytes are taken away."""

    def __init__(self) -> None:
        super().__init__()
        self._buffer = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self._buffer += piece
        return len(piece)

    def take(self) -> bytes:
        taken = bytes(self._buffer)
        self._buffer.clear()
        return taken


async def _one(text: bytes) -> AsyncGenerator[bytes]:
    yield text


async def _sessions(backend: DirectBackend, search: Search, ids: list[str]) -> AsyncGenerator[bytes]:
    async for page in stream.documents(backend.store, backend.catalogue, await backend.query_of(search)):
        ids.extend(str(each["id"]) for each in page)
        yield b"".join(_json(each, None) for each in page)


async def _notes(backend: DirectBackend, ids: list[str]) -> AsyncGenerator[bytes]:
    notes = Notes(backend.desk)
    for start in range(0, len(ids), _PAGE):
        found = await asyncio.to_thread(notes.on_any, ids[start : start + _PAGE])
        yield b"".join(_json(asdict(each), None) for each in found)


def _json(value: Any, indent: int | None = 2) -> bytes:
    return json.dumps(value, indent=indent).encode() + b"\n"
