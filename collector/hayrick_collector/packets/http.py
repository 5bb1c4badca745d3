"""HTTP/1 messages in a side's bytes, with chunks and compression undone. Lenient: what it cannot read it leaves as it
is; nobody's claim about a length is believed beyond the bytes that are there."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field

import zstandard

MOST_BODY = 16 << 20  # bytes of a body after decompression
_HEAD_BYTES = 256 << 10
_PREAMBLE_BYTES = 4 << 10  # of a proxy's protocol, say, before the first message
_START = re.compile(rb"(?:HTTP/\d\.\d (\d{3})|([A-Z]{3,20}) (\S+) HTTP/\d\.\d)[^\n]*\r?\n")
_EMPTY = re.compile(rb"\r?\n\r?\n")
_NO_BODY = ("204", "304")


@dataclass(slots=True)
class Message:
    """One message from `start` to `stop` of its side's bytes. `body` is decoded as `undone` tells; `whole`: nothing of
    it is missing, and nothing was left out."""

    start: int
    head: bytes
    method: str = ""
    target: str = ""
    status: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    undone: tuple[str, ...] = ()
    whole: bool = True
    stop: int = 0


def messages(data: bytes, asked: list[str] | None = None) -> list[Message]:
    """The messages at the start of a side's bytes. `asked`: methods of the requests that these answer."""
    found: list[Message] = []
    begin = _START.search(data, 0, _PREAMBLE_BYTES)
    place = begin.start() if begin else 0
    methods = iter(asked or ())
    while (message := _head(data, place)) is not None:
        final = not message.status.startswith("1")
        method = next(methods, "") if message.status and final else ""
        place = message.stop = _body(data, message, place + len(message.head), method)
        found.append(message)
        if message.status == "101" or (method == "CONNECT" and message.status.startswith("2")):
            break
    return found


def _head(data: bytes, place: int) -> Message | None:
    start = _START.match(data, place)
    stop = _EMPTY.search(data, start.end() - 2, place + _HEAD_BYTES) if start else None
    if start is None or stop is None:
        return None
    head = data[place : stop.end()]
    status, method, target = (part.decode("latin-1") if part else "" for part in start.groups())
    headers: dict[str, str] = {}
    for line in head.split(b"\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon:
            headers[name.strip().lower().decode("latin-1")] = value.strip().decode("latin-1")
    return Message(place, head, method, target, status, headers)


def _body(data: bytes, message: Message, place: int, method: str) -> int:
    """Take the body at `place`; returns where it ends."""
    coding = message.headers.get("transfer-encoding", "").lower()
    length = message.headers.get("content-length", "")
    if method == "HEAD" or message.status.startswith("1") or message.status in _NO_BODY:
        return place
    if "chunked" in coding:
        raw, stop, message.whole = _chunks(data, place)
        message.undone = ("chunked",)
    elif length.isascii() and length.isdecimal() and len(length) < 19:
        stop = min(place + int(length), len(data))
        raw = data[place:stop]
        message.whole = len(raw) == int(length)
    elif message.status:  # until the connection ends
        raw, stop = data[place:], len(data)
    else:
        raw, stop = b"", place
    _decompress(message, raw)
    return stop


def _chunks(data: bytes, place: int) -> tuple[bytes, int, bool]:
    body = bytearray()
    while True:
        line = data.find(b"\n", place, place + 1000)
        size = re.match(rb"\s*([0-9A-Fa-f]{1,8})", data[place:line]) if line >= 0 else None
        if size is None:
            return bytes(body), len(data) if line < 0 else place, False
        length = int(size[1], 16)
        if length == 0:
            stop = _EMPTY.search(data, line - 1)
            return bytes(body), stop.end() if stop else len(data), True
        body += data[line + 1 : line + 1 + length]
        if line + 1 + length > len(data):
            return bytes(body), len(data), False
        place = line + 1 + length + (2 if data[line + 1 + length :][:1] == b"\r" else 1)


def _decompress(message: Message, raw: bytes) -> None:
    message.body = raw
    for coding in reversed([each.strip().lower() for each in message.headers.get("content-encoding", "").split(",")]):
        try:
            body = _undo(coding, message.body)
        except (zlib.error, zstandard.ZstdError):
            message.whole = False
            return
        if body is None:
            return
        message.body, message.undone = body, (*message.undone, coding)
        message.whole = message.whole and len(body) < MOST_BODY


def _undo(coding: str, data: bytes) -> bytes | None:
    """The data without its coding, at most MOST_BODY; None for a coding that is not undone here."""
    if coding in ("gzip", "x-gzip"):
        return zlib.decompressobj(31).decompress(data, MOST_BODY)
    if coding == "deflate":
        wrapped = len(data) > 1 and data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0
        return zlib.decompressobj(15 if wrapped else -15).decompress(data, MOST_BODY)
    if coding == "zstd":
        reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(data)
        return bytes(reader.read(MOST_BODY))
    return None
