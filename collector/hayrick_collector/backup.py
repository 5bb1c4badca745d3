"""A copy of everything but packets, taken while the collector works, and a collector made of it again.

The catalog is copied before the store, so that every chunk that it calls indexed is in the store's copy. The store's
files never change once they have their names: hard links hold them while they are copied.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from hayrick_collector import owner
from hayrick_collector.archive.paths import DataFolder
from hayrick_collector.config import CollectorConfig
from hayrick_common import __version__
from hayrick_common.clock import epoch_ms
from hayrick_common.errors import ArchiveError, HayrickError, UsageError
from hayrick_common.files import hidden_writer, is_part, make_folder, move, part_path, sync_folder

FORMAT = 1
MANIFEST = "MANIFEST.json"
SETTINGS = "settings.toml"
TOP = ("keys", "store", "desk.sqlite3", "catalog.sqlite")  # in the order they are put in place: the catalog is last
_ATTEMPTS = 20
_SCRATCH = ".backup-"
_PART = "part"  # in it: a link to the backup's hidden file
_FILES = ("api.certificate", "api.key")
_PIECE = 1 << 20


@dataclass(frozen=True)
class Restored:
    """What became of a backup. `again`: chunks that are indexed anew, since the store was not in it; `lost`: chunks
    whose sessions cannot be had again, since their packets are not here either."""

    manifest: dict[str, Any]
    again: int = 0
    lost: int = 0


@dataclass
class _Tar:
    """A tar that remembers the hash of each file in it."""

    tar: tarfile.TarFile
    hashes: dict[str, str] = field(default_factory=dict)

    def add(self, path: Path, name: str) -> None:
        with path.open("rb") as stream:
            entry = self.tar.gettarinfo(arcname=name, fileobj=stream)
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            reading = _Hashing(stream)
            self.tar.addfile(entry, reading)
        self.hashes[name] = reading.sha256.hexdigest()

    def write(self, name: str, data: bytes) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(data), 0o600
        self.tar.addfile(entry, io.BytesIO(data))


class _Hashing:
    """A file that is hashed as it is read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.sha256.update(data)
        return data


def write(config: CollectorConfig, target: Path, *, settings: Path | None, with_store: bool) -> dict[str, Any]:
    """Write the backup `target`, whole or not at all, for its owner's eyes only. Returns its manifest."""
    folder = config.folder
    if not folder.catalog.exists():
        raise UsageError(f"{config.data} has no catalog: no collector has worked there")
    with (
        _scratch(config.data, part_path(target)) as scratch,
        hidden_writer(target, 0o600) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as opened,
    ):
        tar = _Tar(opened)
        for path in (folder.catalog, folder.desk):
            tar.add(_database(path, scratch / path.name), path.name)
        for path in sorted(folder.keys.rglob("*")):
            if path.is_file():
                tar.add(path, f"keys/{path.relative_to(folder.keys)}")
        for path, name in _store(folder, scratch / "store", segments=with_store):
            tar.add(path, f"store/{name}")
        if settings is not None:
            tar.add(settings, SETTINGS)
        manifest = {
            "format": FORMAT, "hayrick": __version__, "made_ms": epoch_ms(), "node": config.node,
            "data": str(config.data), "store": config.store.kind, "with_store": with_store, "files": tar.hashes,
        }  # fmt: skip
        tar.write(MANIFEST, json.dumps(manifest, indent=1).encode())
    return manifest


def outside(config: CollectorConfig) -> list[str]:
    """Files that the settings name and that are not in a backup: they hold secrets of other kinds."""
    sections = {key: section for key, section in asdict(config).items() if isinstance(section, dict)}
    named = ((f"{key}.{name}", value) for key, section in sections.items() for name, value in section.items())
    return [f"{key} {value}" for key, value in named if value and (key in _FILES or key.endswith("_file"))]


@contextmanager
def _scratch(data: Path, part: Path | None = None) -> Iterator[Path]:
    """A hidden folder for as long as the block runs; it remembers the hidden file `part` that is written meanwhile.
    First those go whose process was killed over them, and their hidden files with them."""
    for left in data.glob(f"{_SCRATCH}*"):
        if not owner.alive(left.name.removeprefix(_SCRATCH).rpartition("-")[0]):
            if (left / _PART).is_symlink() and is_part((left / _PART).readlink()):
                (left / _PART).readlink().unlink(missing_ok=True)
            shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=f"{_SCRATCH}{owner.token()}-", dir=data) as made:
        if part:
            (Path(made) / _PART).symlink_to(part.absolute())
        yield Path(made)


def _database(path: Path, copy: Path) -> Path:
    """A copy as of one moment, whoever writes meanwhile."""
    with closing(sqlite3.connect(path, timeout=30)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")
    return copy


def _store(folder: DataFolder, scratch: Path, *, segments: bool) -> Iterator[tuple[Path, str]]:
    """The embedded store's files as of one moment, linked into `scratch`; of analysts' tags at least."""
    if not folder.store.is_dir():
        return
    for _ in range(_ATTEMPTS):
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            names = list(_linked(folder.store, scratch, segments=segments))
        except FileNotFoundError:  # merged away since they were listed: what has them now is listed again
            continue
        yield from ((scratch / name, name) for name in names)
        return
    raise HayrickError(f"{folder.store} changes faster than it can be listed: try again later")


def _linked(store: Path, scratch: Path, *, segments: bool) -> Iterator[str]:
    found = [*store.glob("store.json"), *store.glob("tags/*"), *(store.glob("segments/*/*") if segments else ())]
    for path in sorted(found):
        relative = path.relative_to(store)
        if path.name.startswith(".") or path.parent.name.startswith("."):
            continue
        (scratch / relative).parent.mkdir(parents=True, exist_ok=True)
        os.link(path, scratch / relative)
        yield str(relative)


def restore(backup: Path, data: Path) -> tuple[Restored, bytes]:
    """Make the data folder `data` of a backup, which is checked whole before anything is put in place; what became of
    it, and the settings in it (empty if none). UsageError where a collector has worked there already."""
    there = [name for name in TOP if _holds(data / name)]
    if there:
        raise UsageError(f"{data} holds {', '.join(there)} already: restore into a folder without them")
    make_folder(data)
    with _scratch(data) as place:
        make_folder(place / "keys", 0o700)
        manifest = _unpacked(backup, place)
        settings = (place / SETTINGS).read_bytes() if (place / SETTINGS).exists() else b""
        restored = _indexed_again(place / "catalog.sqlite", data, manifest)
        for name in TOP:
            if (place / name).exists():
                if (data / name).is_dir():
                    (data / name).rmdir()
                move(place / name, data / name)
    DataFolder(data).create()
    return restored, settings


def _holds(path: Path) -> bool:
    return any(path.iterdir()) if path.is_dir() else path.exists()


def _unpacked(backup: Path, place: Path) -> dict[str, Any]:
    """The backup's files under `place`, each as the manifest says; ArchiveError where one is not."""
    hashes: dict[str, str] = {}
    manifest: dict[str, Any] | None = None
    try:
        with tarfile.open(backup) as tar:
            for entry in tar:
                stream = tar.extractfile(entry)
                if stream is None or not _allowed(entry.name):
                    raise ArchiveError(f"{backup}: {entry.name!r} does not belong into a backup")
                if entry.name == MANIFEST:
                    manifest = json.load(stream)
                else:
                    hashes[entry.name] = _copied(stream, place / entry.name, entry.mode & 0o660)
    except (tarfile.TarError, ValueError) as error:
        raise ArchiveError(f"{backup}: is no backup, or is cut off: {error}") from error
    if manifest is None or manifest.get("files") != hashes:
        raise ArchiveError(f"{backup}: is damaged or cut off: its files are not those of its manifest")
    if manifest["format"] != FORMAT:
        raise UsageError(f"{backup}: has format {manifest['format']}, this Hayrick knows {FORMAT}")
    return manifest


def _allowed(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return ".." not in parts and parts[:1] in [(each,) for each in (*TOP, SETTINGS, MANIFEST)]


def _copied(stream: IO[bytes], target: Path, mode: int) -> str:
    """Write a file for good; its SHA-256."""
    reading = _Hashing(stream)
    make_folder(target.parent)
    with open(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as file:
        shutil.copyfileobj(reading, file, _PIECE)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(target.parent)
    return reading.sha256.hexdigest()


def _indexed_again(catalog: Path, data: Path, manifest: dict[str, Any]) -> Restored:
    """Where sessions were kept in the embedded store and that is not here, have its chunks indexed anew."""
    if manifest["store"] != "duckdb" or manifest["with_store"]:
        return Restored(manifest)
    with closing(sqlite3.connect(catalog)) as db, db:
        rows = db.execute("SELECT key, path, packets_removed_at FROM chunks WHERE state = 'indexed'").fetchall()
        here = [(key,) for key, path, removed in rows if removed is None and (data / path).is_file()]
        db.executemany("UPDATE chunks SET state = 'landed', attempts = 0 WHERE key = ?", here)
    return Restored(manifest, len(here), len(rows) - len(here))
