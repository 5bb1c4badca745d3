"""Where packets are that are not here, and how they are asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from hayrick_collector.catalog import ChunkRow
from hayrick_collector.ondemand.ranges import Range

GONE = "no longer stored"

Pull = Callable[[str, str, list[Range]], Awaitable[bytes]]
"""`pull(sensor, key, ranges)`: the ranges' bytes of the sensor's chunk, concatenated; HayrickError says why not."""


@dataclass(frozen=True, slots=True)
class Owned:
    """A chunk that another collector has: its row there, who that is, and how to get its bytes."""

    row: ChunkRow
    owner: str
    pull: Pull


@dataclass(slots=True)
class Elsewhere:
    """Where chunks are that are not here; `silent` are the collectors that did not answer, and why."""

    chunks: dict[str, Owned] = field(default_factory=dict)
    silent: list[tuple[frozenset[str], str]] = field(default_factory=list)

    def reason(self, key: str) -> str:
        """Why a chunk was not found: who may have it and is silent, if there is one."""
        sensor = key.partition(".")[0]
        likely = [text for sensors, text in self.silent if sensor in sensors]
        return f"{GONE} here; {'; '.join(likely or [text for _, text in self.silent])}" if self.silent else GONE
