"""Names on disk of the embedded store, and the manifest of a segment (docs/FORMAT.md, "Embedded store")."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hayrick_collector import owner
from hayrick_common import files
from hayrick_common.errors import StoreError

FORMAT = 1
MANIFEST = "manifest.json"
SESSIONS, DOCUMENTS, PACKETS, NEEDLES = "sessions", "documents", "packets", "needles"
PARALLEL = (DOCUMENTS, PACKETS)  # a row each a session, in files with the same numbers and in the same order
_NAME = re.compile(r"(?P<stamp>\d{20})-[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one store."""

    root: Path

    @property
    def segments(self) -> Path:
        return self.root / "segments"

    @property
    def tags(self) -> Path:
        return self.root / "tags"

    @property
    def spill(self) -> Path:
        return self.root / "tmp"

    @property
    def mark(self) -> Path:
        return self.root / "store.json"

    def create(self) -> None:
        """Make the folders, and refuse a store of a format that is not known."""
        if any(char in str(self.root) for char in "*?[]{}"):
            raise StoreError(f"{self.root}: the store's path cannot hold any of *?[]{{}}: DuckDB reads patterns")
        for folder in (self.segments, self.tags, self.spill):
            files.make_folder(folder)
        if not self.mark.exists():
            self._write_mark()
        found = json.loads(self.mark.read_bytes()).get("format")
        if found != FORMAT:
            raise StoreError(f"{self.mark}: format {found} is another version's; this one knows {FORMAT}")

    def _write_mark(self) -> None:
        """Under a hidden name of its own: several processes may make the store at once."""
        hidden = files.part_path(self.root / f"{self.mark.name}~{os.urandom(4).hex()}")
        hidden.write_text(json.dumps({"format": FORMAT}))
        files.commit_rename(hidden, self.mark)

    def names(self) -> list[str]:
        """Names of all committed segments."""
        return [entry.name for entry in self.segments.iterdir() if _NAME.fullmatch(entry.name)]

    def hidden(self, label: str) -> Path:
        """A name for a segment that is being written, which tells who writes it."""
        return files.part_path(self.segments / f"{label}~{os.urandom(4).hex()}~{owner.token()}")

    def abandoned(self) -> list[Path]:
        """Segments that nobody writes any more."""
        parts = [path for path in self.segments.iterdir() if files.is_part(path)]
        return [path for path in parts if not owner.alive(path.name.removesuffix(files.PART_SUFFIX).rpartition("~")[2])]

    def next_stamp(self) -> int:
        """A number above that of every segment there is: the time, unless the clock went back."""
        return max([time.time_ns(), *(stamp_of(name) + 1 for name in self.names())])


def segment_name(stamp: int, label: str) -> str:
    """Later segments sort behind earlier ones."""
    return f"{stamp:020d}-{label}"


def stamp_of(name: str) -> int:
    """When the segment was made, in ns since 1970."""
    found = _NAME.fullmatch(name)
    return int(found["stamp"]) if found else 0


@dataclass(frozen=True, slots=True)
class TableFiles:
    """One table of a segment: its parts, their rows, and which columns they have."""

    files: tuple[str, ...]
    rows: int
    columns: dict[str, str]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a segment holds. `chunks` maps a chunk's key to the stamp of the segment it was first written in."""

    chunks: dict[str, int]
    level: int = 0
    deleted: bool = False
    replaces: tuple[str, ...] = ()
    rows: int = 0
    first_packet: tuple[int, int] = (0, 0)
    last_packet: tuple[int, int] = (0, 0)
    ids: tuple[str, str] = ("", "")
    size: int = 0
    tables: dict[str, TableFiles] = field(default_factory=dict)
    format: int = FORMAT

    def to_bytes(self) -> bytes:
        """As JSON."""
        return json.dumps(asdict(self), separators=(",", ":"), sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, data: bytes, where: Path) -> Manifest:
        """From JSON; StoreError if this version of Hayrick cannot read it."""
        found: dict[str, Any] = json.loads(data)
        if found.get("format") != FORMAT:
            raise StoreError(f"{where}: format {found.get('format')} is not known to this version of Hayrick")
        tables = {
            name: TableFiles(tuple(table["files"]), table["rows"], table["columns"])
            for name, table in found["tables"].items()
        }
        spans = {name: tuple(found[name]) for name in ("replaces", "first_packet", "last_packet", "ids")}
        return cls(**{**found, **spans, "tables": tables})
