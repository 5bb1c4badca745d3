"""Files inside a session: the bodies of its HTTP messages, told by their content rather than by what was claimed."""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import pyzipper

from hayrick_collector.packets.http import Message, messages

PASSWORD = b"infected"  # by custom: no scanner opens the zip by accident, and nobody runs what is in it by a click
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"), (b"PK\x03\x04", "application/zip"), (b"\x1f\x8b", "application/gzip"),
    (b"MZ", "application/x-dosexec"), (b"\x7fELF", "application/x-elf"), (b"7z\xbc\xaf\x27\x1c", "application/x-7z"),
    (b"Rar!\x1a\x07", "application/x-rar"), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"), (b"BZh", "application/x-bzip2"), (b"\xfd7zXZ\0", "application/x-xz"),
    (b"OggS", "audio/ogg"), (b"ID3", "audio/mpeg"), (b"wOFF", "font/woff"), (b"wOF2", "font/woff2"),
    (b"\xca\xfe\xba\xbe", "application/java-vm"), (b"SQLite format 3\0", "application/vnd.sqlite3"),
)  # fmt: skip
_MARKUP = (
    (b"<svg", "image/svg+xml"),
    (b"<!doctype html", "text/html"),
    (b"<html", "text/html"),
    (b"<?xml", "text/xml"),
)


@dataclass(frozen=True, slots=True)
class File:
    """`side` sent it; `kind` is what its bytes look like, `claimed` what was said; `name` is hostile text."""

    side: int
    name: str
    kind: str
    claimed: str
    whole: bool
    undone: tuple[str, ...]
    data: bytes

    @property
    def sha256(self) -> str:
        """In hex."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def md5(self) -> str:
        """In hex: what old lists of samples are kept by."""
        return hashlib.md5(self.data, usedforsecurity=False).hexdigest()


def exchanged(client: bytes, server: bytes) -> tuple[list[Message], list[Message]]:
    """Requests and their answers."""
    requests = messages(client)
    return requests, messages(server, [each.method for each in requests])


def files(client: bytes, server: bytes) -> list[File]:
    """What both sides' bytes hold, requests' bodies first."""
    requests, answers = exchanged(client, server)
    found = [_file(0, each, each.target) for each in requests]
    final = [each for each in answers if not each.status.startswith("1")]
    targets = [each.target for each in requests]
    found += [_file(1, each, targets[at] if at < len(targets) else "") for at, each in enumerate(final)]
    return [each for each in found if each.data]


def kind_of(data: bytes) -> str:
    """A media type by the first bytes; `text/plain` for what reads as UTF-8, else `application/octet-stream`."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    start = data[:1024].lstrip().lower()
    for sign, kind in _MARKUP:
        if sign in start[:200]:
            return "image/svg+xml" if b"<svg" in start else kind
    if b"\0" in data[:4096]:
        return "application/octet-stream"
    try:
        data[:4096].decode()
    except UnicodeDecodeError as error:
        if error.start < min(len(data), 4096) - 4:
            return "application/octet-stream"
    return "application/json" if start[:1] in (b"{", b"[") else "text/plain"


def zipped(file: File) -> bytes:
    """The file alone in a zip, encrypted by AES under the customary password."""
    out = io.BytesIO()
    with pyzipper.AESZipFile(out, "w", compression=pyzipper.ZIP_DEFLATED, encryption=pyzipper.WZ_AES) as archive:
        archive.setpassword(PASSWORD)
        archive.writestr(safe_name(file), file.data)
    return out.getvalue()


def safe_name(file: File) -> str:
    """A name without folders, controls or anything else that a system may stumble over."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", file.name).strip("._")[-80:]
    return name or file.sha256[:16]


def _file(side: int, message: Message, target: str) -> File:
    disposition = re.search(r'filename="?([^";]+)', message.headers.get("content-disposition", ""))
    try:
        path = urlsplit(target).path
    except ValueError:
        path = target
    name = disposition[1] if disposition else unquote(path.rpartition("/")[2])
    claimed = message.headers.get("content-type", "")
    return File(side, name[:500], kind_of(message.body), claimed[:200], message.whole, message.undone, message.body)
