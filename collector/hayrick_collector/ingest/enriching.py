"""The tables that enrich sessions, read again once a file was replaced: an update of them needs no restart."""

from __future__ import annotations

from pathlib import Path

import hayrick_decode
from hayrick_collector.config import EnrichmentConfig


class Enriching:
    """The tables of the settings, as they are on the disk now."""

    def __init__(self, config: EnrichmentConfig) -> None:
        self._paths = config.paths()
        self._state: tuple[tuple[int, int, int], ...] = ()
        self._tables: hayrick_decode.Enrichment | None = None

    def tables(self) -> hayrick_decode.Enrichment | None:
        """None when no table is set. Raises OSError or ValueError, which name the file that cannot be read."""
        if not self._paths:
            return None
        state = tuple(_version(path) for path in self._paths.values())
        if state != self._state:
            self._tables = hayrick_decode.Enrichment(**self._paths)
            self._state = state
        return self._tables


def _version(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
