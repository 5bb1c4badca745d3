"""Handling files in a folder that somebody else may write to: no link is followed, nothing is read without a bound."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from hayrick_collector.archive.container import Form, decompressed
from hayrick_collector.archive.zstdframes import LARGEST_STORED, frame_length, plain_length
from hayrick_collector.landing.part import Part, already_named, discard
from hayrick_common.dropped import RAW, REFUSED, TEXT_MAX_BYTES, Delivery, key_of, note_name
from hayrick_common.files import make_folder, move, write_file

_READ_BYTES = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read_small(path: Path) -> bytes:
    """A manifest or report, one byte over the bound at most; OSError when it is a link."""
    with os.fdopen(os.open(path, _READ), "rb") as stream:
        return stream.read(TEXT_MAX_BYTES + 1)


@contextmanager
def pinned(folder: Path) -> Iterator[Path]:
    """A path that stays this very folder, made if missing, whatever its name is turned into meanwhile."""
    make_folder(folder, 0o755)
    descriptor = os.open(folder, _READ | os.O_DIRECTORY)
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def note_of(path: Path) -> Path:
    """Where the manifest of the chunk lies, or the like of any other file."""
    key = key_of(path.name)
    return path.with_name(note_name(key)) if key else path.with_suffix(".json")


def copy_in(data: Path, delivery: Delivery, path: Path, form: Form) -> Path | None:
    """The chunk durable in the archive; None when its bytes are not the promised ones. Call in a thread."""
    manifest = delivery.manifest
    final = already_named(data, manifest, form)
    if final:
        return final
    discard(data, manifest)
    with os.fdopen(os.open(path, _READ), "rb") as stream:
        if os.fstat(stream.fileno()).st_size != delivery.stored:
            return None
        part = Part(data, manifest, form)
        try:
            whole = _filled(part, _pieces(stream, delivery.encoding)) and part.finish()
        finally:
            part.close()
    if not whole:
        discard(data, manifest)
    return part.final if whole else None


def _filled(part: Part, pieces: Iterator[tuple[bytes, bytes | None]]) -> bool:
    """Write no more than was promised; False when there is more, or it cannot be read."""
    try:
        for block, frame in pieces:
            if part.offset + len(block) > part.manifest.payload_size:
                return False
            part.write(part.offset, block, frame)
    except ValueError:
        return False
    return True


def _pieces(stream: BinaryIO, encoding: str) -> Iterator[tuple[bytes, bytes | None]]:
    """Blocks, and the zstd frame that each came as; ValueError where there is no whole frame of a bounded size."""
    if encoding == RAW:
        while block := stream.read(_READ_BYTES):
            yield block, None
        return
    ahead = b""
    while ahead := ahead or stream.read(_READ_BYTES):
        while (length := frame_length(ahead)) is None:
            more = stream.read(_READ_BYTES)
            if not more or len(ahead) > LARGEST_STORED:
                raise ValueError("a zstd frame is cut, or too large")
            ahead += more
        frame, ahead = ahead[:length], ahead[length:]
        if not (size := plain_length(frame)):
            raise ValueError("an empty zstd frame")
        yield decompressed(frame, size), frame


def refuse(path: Path, reason: str) -> None:
    """Move the file and its manifest, if it has one, to `refused/` beside it, with the reason."""
    with pinned(path.parent / REFUSED) as refused:
        write_file(refused / f"{path.name}.reason.txt", f"{reason}\n".encode(errors="backslashreplace"))
        for each in (note_of(path), path):
            if each.is_file() or each.is_symlink():
                move(each, refused / each.name)
