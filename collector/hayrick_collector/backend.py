"""What the command line, the API and the page can ask of a collector, whichever way it is reached.

Two implementations: `direct.DirectBackend` on a data folder, `client.HttpBackend` through a running collector's API.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from hayrick_collector.desk.people import LOCAL, Person

if TYPE_CHECKING:
    from hayrick_collector.hunts.spec import Spec
    from hayrick_collector.schedules.action import Action

CaptureFormat = Literal["pcap", "pcapng"]
TableFormat = Literal["ndjson", "csv", "parquet"]
Weight = Literal["sessions", "packets", "bytes"]
HuntAction = Literal["pause", "resume", "remove"]
Document = dict[str, Any]
PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for. Times are epoch ms, None is unbounded; `sort` is (field, "asc" or "desc") pairs; `fields` names
    what each item carries (empty: everything). `zone`: of times in the expression that name none (empty: the
    collector's setting). `person`: who asks, which settles what saved names mean and what may be seen at all."""

    expression: str = ""
    start_ms: int | None = None
    stop_ms: int | None = None
    sort: tuple[tuple[str, str], ...] = (("firstPacket", "desc"),)
    limit: int = 100
    cursor: str | None = None
    fields: tuple[str, ...] = ()
    zone: str = ""
    person: Person = LOCAL


@dataclass(frozen=True, slots=True)
class Found:
    """A page of sessions: documents, how many match in all, and the cursor of the next page (None on the last)."""

    items: list[Document]
    total: int
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """Packets of one chunk that an export cannot have: removed by retention, or on a sensor that does not send them."""

    chunk: str
    packets: int
    reason: str


@dataclass(frozen=True, slots=True)
class Export:
    """A capture on its way out; close `pieces` if you don't take them all. `missing` tells what is not in it."""

    format: CaptureFormat
    sessions: int
    packets: int
    missing: tuple[Missing, ...]
    pieces: AsyncGenerator[bytes]


@dataclass(frozen=True, slots=True)
class Table:
    """Sessions on their way out as a table; close `pieces` if you don't take them all."""

    format: TableFormat
    sessions: int
    pieces: AsyncGenerator[bytes]


@dataclass(frozen=True, slots=True)
class Ingested:
    """What came of one capture: `outcome` is indexed, known (the same bytes were indexed before) or failed."""

    name: str
    outcome: Literal["indexed", "known", "failed"]
    key: str = ""
    seconds: float = 0.0
    size: int = 0
    summary: Mapping[str, Any] = field(default_factory=dict)
    tags_added: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Upload:
    """A capture that is durable in the archive. `new`: its bytes were unknown; `added`: tags it did not have yet."""

    key: str
    new: bool
    size: int
    state: str
    added: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Capture:
    """One capture to ingest: its shown name, and a way to open its bytes (possibly compressed)."""

    name: str
    open: Callable[[], BinaryIO]
    size: int | None = None
    path: Path | None = None


Progress = Callable[[str, int], None]
"""Called with a phase ("copy", "index") and how far it came: bytes read, sessions found."""


class Backend(ABC):
    """A collector, near or far. Errors: ExpressionError (with a column), HayrickError, OSError."""

    @abstractmethod
    async def search(self, search: Search) -> Found:
        """Sessions that match, a page of them."""

    @abstractmethod
    async def session(self, session_id: str) -> Document | None:
        """One session's whole document."""

    @abstractmethod
    async def export(
        self, search: Search, file_format: CaptureFormat | None = None, *, session_id: str | None = None
    ) -> Export:
        """The packets of the sessions that match (or of the one named), by time. Without a format: pcap, or pcapng when
        one file cannot hold the link types otherwise."""

    @abstractmethod
    async def table(self, search: Search, file_format: TableFormat) -> Table:
        """The sessions that match by time, all of them: the search's fields, or for ndjson whole documents, for csv the
        usual fields, for parquet those that some session has. Its sort, limit and cursor are not used."""

    @abstractmethod
    async def tag(self, search: Search, add: tuple[str, ...], remove: tuple[str, ...]) -> int:
        """Change the tags of all sessions that match. Returns how many matched."""

    @abstractmethod
    async def facets(self, search: Search, field: str, limit: int, order: Weight = "sessions") -> list[Document]:
        """A field's commonest values among the sessions that match: {value, sessions, packets, bytes}."""

    @abstractmethod
    def unique(self, search: Search, field: str, limit: int | None = None) -> AsyncGenerator[Document]:
        """Every value of a field among the sessions that match, in order: {value, sessions}."""

    @abstractmethod
    async def histogram(
        self, search: Search, interval_ms: int, metric: str = "sessions", split: str = "", limit: int = 10
    ) -> list[Document]:
        """Sessions, packets, bytes, databytes or a field's sum by interval of first packet: {start (ms), value}, empty
        intervals left out. `split`: apart for a field's commonest values, each item with its `split`."""

    @abstractmethod
    async def graph(
        self, search: Search, source: str, destination: str, limit: int, order: Weight = "sessions"
    ) -> Document:
        """Which values of two fields come together: {nodes, links, more}, the heaviest first."""

    @abstractmethod
    async def complete(self, search: Search, cursor: int, *, values: bool = False) -> Document:
        """What may be typed at a place of the expression (characters, from 0), as `api.models.CompletionAnswer` has it.
        `values`: of a field, those that sessions in the time range have, too."""

    @abstractmethod
    async def add_hunt(self, name: str, search: Search, spec: Spec) -> Document:
        """Have the packets of the sessions that match searched. Raises UsageError when the name is taken, or for a
        pattern that does not compile."""

    @abstractmethod
    async def hunts(self) -> list[Document]:
        """All hunts, the latest first: `desk.hunts.Hunt` says what each tells."""

    @abstractmethod
    async def hunt(self, name: str) -> Document:
        """One hunt. Raises LookupError."""

    @abstractmethod
    async def change_hunt(self, name: str, action: HuntAction) -> None:
        """Pause, resume or forget one. Raises LookupError."""

    @abstractmethod
    async def work_on_hunt(self, name: str) -> None:
        """Run it in this process if no other does; a running collector needs no help."""

    @abstractmethod
    async def add_schedule(
        self, name: str, search: Search, every_s: int, action: Action, *, stored: bool = False
    ) -> Document:
        """Ask the search (its times are left aside) again and again of what is new; `stored`: of all there is, too.
        Raises UsageError when the name is taken, or for what may not be done."""

    @abstractmethod
    async def schedules(self) -> list[Document]:
        """All schedules by name: `desk.schedules.Schedule` says what each tells."""

    @abstractmethod
    async def remove_schedule(self, name: str) -> None:
        """Raises LookupError."""

    @abstractmethod
    async def run_schedule(self, name: str) -> Document:
        """Run it now, to its end; as it is then. Raises LookupError."""

    @abstractmethod
    async def fields(self) -> list[Document]:
        """The catalogue of fields."""

    @abstractmethod
    async def sensors(self) -> list[Document]:
        """Sensors that were heard of, with their last heartbeat."""

    @abstractmethod
    async def chunks(self, *, state: str | None = None, limit: int = 100, offset: int = 0) -> list[Document]:
        """Chunks, the last landed first."""

    @abstractmethod
    async def status(self) -> Document:
        """Chunks by state, backlog, sensors, store totals, disk, anomalies."""

    @abstractmethod
    async def coverage(
        self, start_ms: int, stop_ms: int, *, sensor: str = "", stream: str = "", buckets: int = 200, gaps: int = 1000
    ) -> Document:
        """The time lines of streams (all, a sensor's, or one) between two times: start_ms, stop_ms, and `streams` as
        `coverage.answer.answer` describes them. Raises UsageError for a sensor or stream that was never heard of."""

    @abstractmethod
    async def ingest(
        self, capture: Capture, *, tags: tuple[str, ...] = (), force: bool = False, progress: Progress | None = None,
        key_log: bytes | None = None,
    ) -> Ingested:  # fmt: skip
        """Take in one capture, with the text of a key log that opens sessions in it, and wait until it is searchable.
        A bad capture is an outcome, not an exception; a key log that is none raises UsageError."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of files, processes, connections."""


def outcome(name: str, upload: Upload, row: Document, *, seconds: float) -> Ingested:
    """What came of an upload whose chunk is indexed or failed."""
    details: dict[str, Any] = {"key": upload.key, "seconds": seconds, "size": row["size"]}
    if row["state"] == "failed":
        return Ingested(name, "failed", error=row["error"] or "failed", **details)
    known = not upload.new and upload.state == "indexed"
    return Ingested(
        name, "known" if known else "indexed", summary=row["summary"] or {}, tags_added=upload.added, **details
    )


async def file_pieces(opener: Callable[[], BinaryIO], progress: Callable[[int], None]) -> AsyncIterator[bytes]:
    """A file's bytes, read off the event loop, with the count read so far told after each piece."""
    file = await asyncio.to_thread(opener)
    try:
        read = 0
        while piece := await asyncio.to_thread(file.read, PIECE):
            read += len(piece)
            yield piece
            progress(read)
    finally:
        file.close()
