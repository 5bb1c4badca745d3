"""A file's name states its state, and the rename is the commit: hidden, synced, renamed, the folder synced."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PART_SUFFIX = ".part"


def part_path(final: Path) -> Path:
    """Name, in the same folder, under which `final` is hidden until it is whole: `.NAME.part`."""
    return final.with_name(f".{final.name}{PART_SUFFIX}")


def is_part(path: Path) -> bool:
    """True for a file that is not committed yet and must never be read as whole."""
    return path.name.endswith(PART_SUFFIX)


def sync_file(path: Path) -> None:
    """Force the bytes of `path` to disk."""
    _sync(path, os.O_RDONLY)


def sync_folder(folder: Path) -> None:
    """Force the names in `folder` to disk."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, mode: int = 0o750) -> None:
    """Create `folder` and its parents, each durably named in its own parent."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(mode=mode, exist_ok=True)
        sync_folder(each.parent)


def commit_rename(source: Path, final: Path) -> None:
    """Give the whole file `source` its name `final`: sync, rename, sync the folder(s). Replaces `final`."""
    sync_file(source)
    move(source, final)


def move(source: Path, final: Path) -> None:
    """Rename a file whose bytes are durable already, and sync the folder(s)."""
    source.replace(final)
    sync_folder(final.parent)
    if source.parent != final.parent:
        sync_folder(source.parent)


@contextmanager
def hidden_writer(final: Path, mode: int = 0o640) -> Iterator[IO[bytes]]:
    """Write `final` so that it appears whole or not at all; an exception leaves nothing behind."""
    hidden = part_path(final)
    descriptor = os.open(hidden, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
        commit_rename(hidden, final)
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise


def write_file(final: Path, data: bytes, mode: int = 0o640) -> None:
    """Write all of `data` to `final`, whole or not at all."""
    with hidden_writer(final, mode) as stream:
        stream.write(data)


def remove(path: Path) -> None:
    """Delete `path` if it is there."""
    path.unlink(missing_ok=True)
