"""The hunting process: users' patterns over strangers' packets, with bounds on memory and time, outside the collector.

It does jobs as `ingest/serving.py` has them. `{"check": spec}` compiles a pattern; otherwise a job has `spec` and
`chunks`: each `path` (and whether it is a file of pieces), `seekable`, and `sessions` (id, positions, client). Run as
`python -m hayrick_collector.hunts.worker CONFIG-AS-JSON`.
"""

from __future__ import annotations

import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from hayrick_collector.archive.keyring import KeyRing
from hayrick_collector.archive.reader import open_file
from hayrick_collector.config import CollectorConfig
from hayrick_collector.hunts import bpf
from hayrick_collector.hunts.match import FOUND, Matcher, matcher
from hayrick_collector.hunts.reading import Chunk, Packet, Session, search
from hayrick_collector.hunts.spec import Spec
from hayrick_collector.ingest.serving import Attempt, Say, serve
from hayrick_collector.ondemand.pieces import Pieces
from hayrick_common.errors import HayrickError

TOLD_SECONDS = 0.2
FILTER_BYTES = 32 << 20  # captured bytes that are given to a filter at once


class Hunting:
    """One job: what was found, and what could not be read."""

    def __init__(self, spec: Spec, keys: KeyRing | None, told: Callable[[int], None]) -> None:
        self.spec = spec
        self.found: dict[str, tuple[str, ...]] = {}
        self.unread: Counter[str] = Counter()
        self.packets = 0
        self.bytes = 0
        self._keys = keys
        self._told = told
        self._match: Matcher | None = None if spec.kind == "bpf" else matcher(spec)
        self._sessions = 0
        self._told_at = time.monotonic()
        self._filtered: list[tuple[str, Packet]] = []
        self._filtered_bytes = 0

    def chunk(self, job: dict[str, Any]) -> None:
        """Search one chunk's sessions. What is damaged costs the sessions it damages."""
        sessions = [Session(each["id"], each["positions"], _client(each["client"])) for each in job["sessions"]]
        try:
            file = self._open(job)
        except (HayrickError, OSError, ValueError) as error:
            self.unread[str(error)] += sum(len(each.positions) for each in sessions)
            return
        with file:
            chunk = Chunk(file, seekable=job["seekable"])
            if self._match is None:
                self._gather(chunk, sessions)
            else:
                search(chunk, sessions, self._match, raw=self.spec.raw, side=self.spec.side, told=self._tell)
        self.found.update((each.id, tuple(each.found)) for each in sessions if each.found)
        self.unread.update(chunk.unread)
        self.packets += chunk.packets
        self.bytes += chunk.bytes

    def finish(self) -> dict[str, Any]:
        """The answer."""
        self._filter()
        return {"found": self.found, "unread": self.unread, "packets": self.packets, "bytes": self.bytes}

    def _tell(self) -> None:
        self._sessions += 1
        if time.monotonic() - self._told_at >= TOLD_SECONDS:
            self._told_at = time.monotonic()
            self._told(self._sessions)

    def _gather(self, chunk: Chunk, sessions: list[Session]) -> None:
        """Filters see many sessions' packets at once: a process for each would take longer than the filter."""
        for batch in chunk.batches(sessions):
            for session, packets in batch:
                wanted = session.sent_by(packets, self.spec.side)
                self._filtered.extend((session.id, packet) for packet in wanted)
                self._filtered_bytes += sum(len(packet[3]) for packet in wanted)
                self._tell()
            if self._filtered_bytes >= FILTER_BYTES:
                self._filter()

    def _filter(self) -> None:
        gathered, self._filtered, self._filtered_bytes = self._filtered, [], 0
        try:
            passing = bpf.passing(self.spec.pattern, [packet for _, packet in gathered]) if gathered else set()
        except (HayrickError, TimeoutError) as error:
            self.unread[str(error)] += len(gathered)
            return
        self.found.update((gathered[number][0], FOUND) for number in passing if number < len(gathered))

    def _open(self, job: dict[str, Any]) -> BinaryIO:
        path = Path(job["path"])
        return cast(BinaryIO, Pieces(path, self._keys)) if job["pieces"] else open_file(path, self._keys)


def check(spec: Spec) -> None:
    """Compile a pattern. Raises UsageError, TimeoutError."""
    if spec.kind == "bpf":
        bpf.check(spec.pattern)
    else:
        matcher(spec)


def main() -> int:
    """Serve jobs until standard input ends."""
    return serve(_bounded)


def _bounded(config: CollectorConfig) -> Attempt:
    most = config.hunt.memory_mb << 20
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    return partial(_attempt, config)


def _attempt(config: CollectorConfig, job: dict[str, Any], say: Say) -> dict[str, Any]:
    try:
        if "check" in job:
            check(Spec(**job["check"]))
            return {"done": {}}
        hunting = Hunting(Spec(**job["spec"]), config.archive.keys, lambda sessions: say({"progress": sessions}))
        for chunk in job["chunks"]:
            hunting.chunk(chunk)
        return {"done": hunting.finish()}
    except Exception as error:  # noqa: BLE001 - the reason travels to whoever waits for the hunt
        return {"failed": str(error) or type(error).__name__, "final": True}


def _client(told: list[Any] | None) -> tuple[str, int] | None:
    return (str(told[0]), int(told[1])) if told else None


if __name__ == "__main__":
    sys.exit(main())
