"""Which segments count at one moment: the newest that covers a chunk owns it, all others' rows of it are not read.

That one rule makes indexing again, compaction and deletion atomic: each adds one segment by one rename.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hayrick_collector.store.embedded.layout import MANIFEST, Layout, Manifest, stamp_of

_SETTLED_S = 0.1  # a folder's time stamp is too coarse to tell two renames closer than this apart


@dataclass(frozen=True, slots=True)
class Segment:
    """A committed segment on disk."""

    name: str
    folder: Path
    manifest: Manifest

    def rank(self, chunk: str) -> tuple[int, int, int]:
        """Of two segments with a chunk the one with the higher rank owns it."""
        return self.manifest.chunks[chunk], self.manifest.level, stamp_of(self.name)


@dataclass(frozen=True, slots=True)
class Live:
    """A segment that owns chunks; rows of the chunks in `without` are others'."""

    segment: Segment
    without: frozenset[str] = frozenset()

    @property
    def manifest(self) -> Manifest:
        return self.segment.manifest

    def paths(self, table: str) -> list[str]:
        """The files of a table."""
        found = self.manifest.tables.get(table)
        return [str(self.segment.folder / name) for name in found.files] if found else []


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All segments at one moment and who owns which chunk."""

    segments: tuple[Segment, ...]
    owners: dict[str, Segment]

    @classmethod
    def of(cls, segments: Iterable[Segment]) -> Snapshot:
        """By the rule above."""
        listed = tuple(sorted(segments, key=lambda each: each.name))
        owners: dict[str, Segment] = {}
        for segment in listed:
            for chunk in segment.manifest.chunks:
                held = owners.get(chunk)
                if held is None or held.rank(chunk) < segment.rank(chunk):
                    owners[chunk] = segment
        return cls(listed, owners)

    def live(self) -> Iterator[Live]:
        """The segments whose rows count."""
        for segment in self.segments:
            if segment.manifest.deleted or not segment.manifest.rows:
                continue
            owned = [chunk for chunk in segment.manifest.chunks if self.owners[chunk] is segment]
            if owned:
                yield Live(segment, frozenset(segment.manifest.chunks) - frozenset(owned))

    def replaced(self) -> Iterator[Segment]:
        """The segments that own nothing any more."""
        for segment in self.segments:
            if all(self.owners[chunk] is not segment for chunk in segment.manifest.chunks):
                yield segment

    def holds(self, chunk: str) -> bool:
        """Whether the chunk is there and not deleted."""
        owner = self.owners.get(chunk)
        return owner is not None and not owner.manifest.deleted


class Snapshots:
    """The newest snapshot, read again only when the folder changed; manifests, being immutable, are read once."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._known: dict[str, Segment] = {}
        self._seen: int | None = None
        self._snapshot = Snapshot((), {})

    def current(self, *, afresh: bool = False) -> Snapshot:
        """What is committed now. Not for two threads at once."""
        stamp = self._layout.segments.stat().st_mtime_ns
        if afresh or stamp != self._seen:
            self._snapshot = Snapshot.of(self._load())
            settled = time.time_ns() - stamp > _SETTLED_S * 1e9
            self._seen = stamp if settled else None
        return self._snapshot

    def _load(self) -> list[Segment]:
        loaded = [self._known.get(name) or self._read(name) for name in self._layout.names()]
        segments = [segment for segment in loaded if segment is not None]
        self._known = {segment.name: segment for segment in segments}
        return segments

    def _read(self, name: str) -> Segment | None:
        """None if the segment went away since it was listed."""
        folder = self._layout.segments / name
        try:
            data = (folder / MANIFEST).read_bytes()
        except FileNotFoundError:
            return None
        return Segment(name, folder, Manifest.from_bytes(data, folder / MANIFEST))


def pruned(live: Iterable[Live], start_ms: int | None, stop_ms: int | None) -> list[Live]:
    """Those that may hold sessions with packets between the times."""
    return [
        each
        for each in live
        if (start_ms is None or each.manifest.last_packet[1] >= start_ms)
        and (stop_ms is None or each.manifest.first_packet[0] <= stop_ms)
    ]


def holding(live: Iterable[Live], ids: Iterable[str]) -> list[Live]:
    """Those that may hold some of these sessions."""
    wanted = sorted(ids)
    return [
        each for each in live if wanted and any(each.manifest.ids[0] <= one <= each.manifest.ids[1] for one in wanted)
    ]
