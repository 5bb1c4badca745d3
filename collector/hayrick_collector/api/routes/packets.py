"""What was said in one session: its packets, its conversation, the files in it, and Wireshark's view of a packet."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, Field

from hayrick_collector.api.errors import ApiError
from hayrick_collector.api.models import Document
from hayrick_collector.api.routes import BackendDep, session_of
from hayrick_collector.api.security import PersonDep, needs
from hayrick_collector.packets import conversation, dissect, files, summary
from hayrick_collector.packets.http import Message
from hayrick_collector.packets.reading import Read, plain, read, secrets, streams
from hayrick_collector.packets.thumbnail import NoThumbnailError, possible, thumbnail

router = APIRouter(
    prefix="/api/sessions/{session_id}", tags=["packets"], dependencies=[Depends(needs("packets", audit="packets"))]
)
MOST_SAID = 8 << 20
Number = Annotated[int, Path(ge=0)]


class PacketItem(BaseModel):
    """`number` from 0; `time_ns` since 1970, in digits; `side` 0 is the client, 1 the server, null a fragment."""

    number: int
    time_ns: str
    side: int | None
    source: str
    destination: str
    info: str
    length: int
    captured: int
    payload: int


class PacketsAnswer(BaseModel):
    """`count` packets are stored of the session; `missing` says what is not and why. `dissection`: tshark is here."""

    items: list[PacketItem]
    count: int
    missing: list[Document]
    dissection: bool


class DissectionAnswer(BaseModel):
    """The protocols of a packet as Wireshark shows them, a tree, and the packet's `data` (base64)."""

    protocols: list[Document]
    data: str


class PieceItem(BaseModel):
    """`data` (base64) that a side sent. `kind`: `raw`, or of an HTTP message its `head`, or its `body`, whose codings
    are `undone`. `missing` bytes before it never came; `whole`: nothing of the message is lacking."""

    side: int
    time_ns: str
    missing: int
    kind: str
    undone: list[str] = []
    whole: bool = True
    size: int
    data: str


class ConversationAnswer(BaseModel):
    """What was said, in order. `more`: it goes on beyond `limit`, or beyond the packets that are read for it."""

    items: list[PieceItem]
    more: bool
    missing: list[Document]


class FileItem(BaseModel):
    """A file: `kind` is told by its bytes, `claimed` by its sender. Names are hostile text."""

    number: int
    side: int
    name: str
    kind: str
    claimed: str
    whole: bool
    undone: list[str]
    size: int
    sha256: str
    md5: str
    thumbnail: bool = Field(description="there may be a picture of it to ask for")


class FilesAnswer(BaseModel):
    """The files that HTTP messages of a session carry."""

    items: list[FileItem]
    more: bool = Field(description="the session is longer than what was searched")


async def known(backend: BackendDep, person: PersonDep, session_id: str) -> Document:
    """The session, if the person may see it."""
    return await session_of(backend, person, session_id)


Known = Annotated[Document, Depends(known)]


async def found(backend: BackendDep, document: Known) -> tuple[Document, Read]:
    """The session and as many of its packets as are read for anything."""
    packets = await read(backend, document["id"])
    return document, replace(packets, key_log=await asyncio.to_thread(secrets, backend, document))


Found = Annotated[tuple[Document, Read], Depends(found)]


@router.get("/packets")
async def packet_list(
    backend: BackendDep,
    document: Known,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=5_000)] = 1_000,
) -> PacketsAnswer:
    """The session's packets in time order, a line each."""
    packets = await read(backend, document["id"], offset + limit)
    items = await asyncio.to_thread(_lines, document, packets, offset)
    return PacketsAnswer(
        items=items,
        count=packets.count,
        missing=_missing(packets),
        dissection=await asyncio.to_thread(dissect.installed),
    )


@router.get("/packets/{number}")
async def dissection(backend: BackendDep, document: Known, number: Number) -> DissectionAnswer:
    """One packet by Wireshark's dissectors, and its bytes; no protocols where tshark is not installed."""
    packets = await read(backend, document["id"], number + 1)
    if number >= len(packets.packets):
        raise ApiError(404, "not_found", f"no packet {number} among the first {len(packets.packets)} of the session")
    nodes = []
    if await asyncio.to_thread(dissect.installed):
        nodes = await dissect.dissect(packets.packets, number)
    return DissectionAnswer(protocols=[each.as_dict() for each in nodes], data=_base64(packets.packets[number].data))


@router.get("/conversation")
async def conversation_of(
    asked: Found,
    limit: Annotated[int, Query(ge=1, le=MOST_SAID, description="bytes of both sides together")] = 1 << 20,
    decode: Annotated[bool, Query(description="HTTP messages apart, chunks and compression undone")] = False,
) -> ConversationAnswer:
    """What each side said: streams put together, datagrams as they came, TLS undone where its secrets are known."""
    document, packets = asked
    items, more = await asyncio.to_thread(_conversation, document, packets, limit, decode)
    return ConversationAnswer(items=items, more=more or not packets.whole, missing=_missing(packets))


@router.get("/files")
async def file_list(asked: Found) -> FilesAnswer:
    """The files in the session, with their hashes."""
    document, packets = asked
    listed, more = await asyncio.to_thread(_files, document, packets)
    return FilesAnswer(items=[_item(number, each) for number, each in enumerate(listed)], more=more)


@router.get("/files/{number}.zip", response_class=Response)
async def file_zip(asked: Found, number: Number) -> Response:
    """One file in a zip whose password is `infected`."""
    file = await _file(asked, number)
    body = await asyncio.to_thread(files.zipped, file)
    name = f"{file.sha256[:16]}.zip"
    return Response(
        body, media_type="application/zip", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


@router.get("/files/{number}.png", response_class=Response, responses={200: {"content": {"image/png": {}}}})
async def file_thumbnail(asked: Found, number: Number) -> Response:
    """A small PNG made anew of the pixels of an image; 422 where there is none."""
    try:
        return Response(await thumbnail(await _file(asked, number)), media_type="image/png")
    except NoThumbnailError as error:
        raise ApiError(422, "no_thumbnail", str(error)) from error


async def _file(asked: tuple[Document, Read], number: int) -> files.File:
    listed, _ = await asyncio.to_thread(_files, *asked)
    if number >= len(listed):
        raise ApiError(404, "not_found", f"no file {number} in this session")
    return listed[number]


def _lines(document: Document, packets: Read, offset: int) -> list[PacketItem]:
    wanted = packets.packets[offset:]
    sides = streams(document).sides(plain(wanted))
    return [
        PacketItem(
            number=offset + at,
            time_ns=str(packet.time_ns),
            side=side,
            length=packet.original_length,
            captured=len(packet.data),
            **asdict(summary.line(packet)),
        )
        for at, (packet, side) in enumerate(zip(wanted, sides, strict=True))
    ]


def _conversation(document: Document, packets: Read, limit: int, decode: bool) -> tuple[list[PieceItem], bool]:
    made, more = conversation.pieces(document, packets, limit)
    heard = files.exchanged(*conversation.sides(made)) if decode else ()
    if not any(heard):
        return [_piece(each, bytes(each.data)) for each in made], more
    items: list[tuple[int, int, PieceItem]] = []
    for side, said in enumerate(heard):
        mine = [each for each in made if each.side == side]
        items += [_placed(mine, part) for message in said for part in _parts(side, message)]
        items += [_placed(mine, part) for part in _rest(mine, said)]
    return [item for _, _, item in sorted(items, key=lambda each: each[:2])], more


def _parts(side: int, message: Message) -> list[tuple[int, PieceItem]]:
    head = PieceItem(side=side, time_ns="0", missing=0, kind="head", size=len(message.head), data=_base64(message.head))
    body = PieceItem(
        kind="body", undone=list(message.undone), whole=message.whole, size=len(message.body),
        data=_base64(message.body[:MOST_SAID]),
        side=side,
        time_ns="0",
        missing=0,
    )  # fmt: skip
    return [(message.start, head), *([(message.start + len(message.head), body)] if message.body else [])]


def _rest(mine: Sequence[conversation.Piece], said: Sequence[Message]) -> list[tuple[int, PieceItem]]:
    """What comes before the first message, and behind the last one that could be read."""
    first, stop = (said[0].start, said[-1].stop) if said else (0, 0)
    before = [(each.offset, each, bytes(each.data[: max(0, first - each.offset)])) for each in mine]
    behind = [(max(each.offset, stop), each, bytes(each.data[max(0, stop - each.offset) :])) for each in mine]
    return [(offset, _piece(each, data)) for offset, each, data in (*before, *behind) if data]


def _placed(mine: Sequence[conversation.Piece], part: tuple[int, PieceItem]) -> tuple[int, int, PieceItem]:
    """A part with the time of the piece that its first byte came in, for sorting."""
    offset, item = part
    piece = next((each for each in reversed(mine) if each.offset <= offset), mine[0])
    return piece.time_ns, item.side, item.model_copy(update={"time_ns": str(piece.time_ns)})


def _piece(piece: conversation.Piece, data: bytes) -> PieceItem:
    return PieceItem(
        side=piece.side, time_ns=str(piece.time_ns), missing=piece.missing, kind="raw", size=len(data),
        data=_base64(data),
    )  # fmt: skip


def _files(document: Document, packets: Read) -> tuple[list[files.File], bool]:
    made, more = conversation.pieces(document, packets, 1 << 30)
    return files.files(*conversation.sides(made)), more or not packets.whole


def _item(number: int, file: files.File) -> FileItem:
    return FileItem(
        number=number, side=file.side, name=file.name, kind=file.kind, claimed=file.claimed, whole=file.whole,
        undone=list(file.undone), size=len(file.data), sha256=file.sha256, md5=file.md5,
        thumbnail=possible(file),
    )  # fmt: skip


def _missing(packets: Read) -> list[Document]:
    return [asdict(each) for each in packets.missing[:50]]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
