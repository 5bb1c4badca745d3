"""All stored files checked, or brought into the form that the settings want: another key, sealed, compressed.

A file is written anew beside the old one, hidden, and its bytes hashed; only when they are those that landed it gets
its name, the catalog is told, and the old one goes. Killed anywhere it is done again by the next run.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hayrick_collector.archive import keylog
from hayrick_collector.archive.container import FRAME_BYTES, SUFFIXES, Form, truncated, with_suffix
from hayrick_collector.archive.reader import FrameFile, digest_of, open_file
from hayrick_collector.catalog import Catalog, ChunkRow
from hayrick_collector.config import CollectorConfig
from hayrick_common.errors import ArchiveError, HayrickError, KeyFileError
from hayrick_common.files import PART_SUFFIX, commit_rename, part_path, remove, sync_folder


@dataclass
class Walked:
    """What was found: files by form or key, and one line for each that could not be read."""

    files: dict[str, int] = field(default_factory=dict)
    stored: int = 0
    plain: int = 0
    changed: int = 0
    gone: int = 0
    troubles: list[str] = field(default_factory=list)


Each = Callable[[ChunkRow, Path], bool]


def survey(config: CollectorConfig, catalog: Catalog, *, thorough: bool = False) -> Walked:
    """Count the stored files by form and key; `thorough` also reads and hashes every byte."""

    def look(row: ChunkRow, path: Path) -> bool:
        if thorough:
            _check_hash(row, path, digest_of(path, config.archive.keys))
            keylog.read(path, config.archive.keys)
        return False

    return _walk(config, catalog, look)


def rewrap(config: CollectorConfig, catalog: Catalog) -> Walked:
    """Bring every stored file into the form of the settings, under the newest key. One at a time on a data folder."""
    form = config.archive.form
    newest = form.keys.newest()[0] if form.keys else None

    def bring(row: ChunkRow, path: Path) -> bool:
        final = with_suffix(path, form.suffix)
        fitting = final == path and _key_name(path, config) == newest
        if not fitting:
            _rewrite(row, path, final, config, form)
            _settle(row, path, final, config, catalog)
        for suffix in SUFFIXES:  # left by a run that was killed before it had removed them
            if suffix != form.suffix:
                remove(with_suffix(path, suffix))
        return keylog.rewrap(path, form) or not fitting

    with _alone(config):
        for left in config.folder.archive.rglob(f".*{PART_SUFFIX}"):
            remove(left)
        return _walk(config, catalog, bring)


def _walk(config: CollectorConfig, catalog: Catalog, each: Each) -> Walked:
    walked, key = Walked(), ""
    while rows := catalog.after(key):
        key = rows[-1].key
        for row in rows:
            _visit(walked, row, config, each, catalog)
    return walked


def _visit(walked: Walked, row: ChunkRow, config: CollectorConfig, each: Each, catalog: Catalog) -> None:
    path = config.folder.absolute(row.path)
    try:
        walked.changed += each(row, path)
        now = catalog.get(row.key)
        path = config.folder.absolute(now.path if now else row.path)
        kind = _kind(path, config)
        walked.stored += path.stat().st_size
    except FileNotFoundError:  # by retention, before or meanwhile
        walked.gone += 1
    except (ArchiveError, KeyFileError, OSError) as error:
        walked.troubles.append(str(error))
    else:
        walked.files[kind] = walked.files.get(kind, 0) + 1
        walked.plain += row.size


def _rewrite(row: ChunkRow, path: Path, final: Path, config: CollectorConfig, form: Form) -> None:
    hidden, digest = part_path(final), hashlib.sha256()
    try:
        with truncated(hidden) as file:
            writer = form.writer(file)
            writer.resume(digest.update, 0)
            for data, frame in _frames(path, config):
                digest.update(data)
                writer.append(data, frame)
            writer.finish()
        _check_hash(row, path, digest.hexdigest())
        commit_rename(hidden, final)
    except BaseException:
        remove(hidden)
        raise


def _settle(row: ChunkRow, path: Path, final: Path, config: CollectorConfig, catalog: Catalog) -> None:
    """Tell the catalog; a chunk that retention took meanwhile stays taken."""
    here = config.folder.relative(final)
    catalog.moved(row.key, row.path, here)
    now = catalog.get(row.key)
    if final != path:
        remove(path)
    if now is None or now.path != here:
        remove(final)
    sync_folder(final.parent)


def _frames(path: Path, config: CollectorConfig) -> Iterator[tuple[bytes, bytes | None]]:
    with open_file(path, config.archive.keys) as file:
        if isinstance(file, FrameFile):
            yield from file.frames()
            return
        while data := file.read(FRAME_BYTES):
            yield data, None


def _check_hash(row: ChunkRow, path: Path, digest: str) -> None:
    if digest != (row.meta.get("content_sha256") or row.sha256):  # what was transferred in its place, or itself
        raise ArchiveError(f"{path}: holds other bytes than landed")


def _key_name(path: Path, config: CollectorConfig) -> str | None:
    with open_file(path, config.archive.keys) as file:
        return file.key_name if isinstance(file, FrameFile) else None


def _kind(path: Path, config: CollectorConfig) -> str:
    with open_file(path, config.archive.keys) as file:
        if not isinstance(file, FrameFile):
            return "uncompressed"
        return f"sealed with {file.key_name}" if file.key_name else "zstd"


@contextmanager
def _alone(config: CollectorConfig) -> Iterator[None]:
    descriptor = os.open(config.folder.archive, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise HayrickError(f"another `hayrick archive rewrap` works on {config.data} already") from None
    finally:
        os.close(descriptor)
