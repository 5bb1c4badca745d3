"""What landing needs of the collector's core: a place to record, durably, what has landed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hayrick_common.chunk import ChunkId


@dataclass(frozen=True)
class Known:
    """A chunk that the collector holds already, or has held."""

    sha256: str
    indexed: bool = False


class LandedSink(Protocol):
    """Called on the event loop's thread, one call at a time, and each must return soon; but for `landed`, which waits
    for the disk and may be called from any thread."""

    def known(self, chunk: ChunkId) -> Known | None:
        """What has landed under this sensor, stream and sequence number, whatever its bytes."""

    def landed(self, chunk: ChunkId, path: Path, size: int, meta: dict[str, Any]) -> None:
        """Record the chunk, whose file at `path` is durable. The receipt follows the return, so this must be too.

        May be called again for the same chunk after a crash. `meta` is the sensor's manifest without the identity:
        packets, first_ms, last_ms, closed_ms, gap_ms, truncated.
        """

    def next_numbers(self, sensor: str) -> dict[str, int]:
        """For each of the sensor's streams the lowest number above all that were ever held."""

    def seen(self, sensor: str, report: dict[str, Any]) -> None:
        """A heartbeat: the sensor's own words, plus `clock_skew_ms` (its clock minus ours, the way there included)."""
