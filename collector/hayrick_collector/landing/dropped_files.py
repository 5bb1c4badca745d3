"""Handling files in a folder that somebody else may write to: no link is followed, nothing is read without a bound."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hayrick_collector.archive.container import Form
from hayrick_collector.landing.part import READ_BYTES, Part, already_named, discard
from hayrick_common.chunk import Manifest
from hayrick_common.dropped import REFUSED, TEXT_MAX_BYTES
from hayrick_common.files import make_folder, move, write_file

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


def copy_in(data: Path, manifest: Manifest, path: Path, form: Form) -> Path | None:
    """The chunk durable in the archive; None when its bytes are not the promised ones. Call in a thread."""
    final = already_named(data, manifest, form)
    if final:
        return final
    discard(data, manifest)
    with os.fdopen(os.open(path, _READ), "rb") as stream:
        if os.fstat(stream.fileno()).st_size != manifest.payload_size:
            return None
        part = Part(data, manifest, form)
        try:
            while block := stream.read(READ_BYTES):
                part.write(part.offset, block)
            whole = part.finish()
        finally:
            part.close()
    if not whole:
        discard(data, manifest)
    return part.final if whole else None


def refuse(path: Path, reason: str) -> None:
    """Move the file and its manifest, if it has one, to `refused/` beside it, with the reason."""
    with pinned(path.parent / REFUSED) as refused:
        write_file(refused / f"{path.name}.reason.txt", f"{reason}\n".encode(errors="backslashreplace"))
        for each in (path.with_suffix(".json"), path):
            if each.is_file() or each.is_symlink():
                move(each, refused / each.name)
