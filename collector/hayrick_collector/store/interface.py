"""What a store of sessions can do, whatever is behind it; nothing above may know more than this.

A store belongs to a catalogue of fields. Writers are synchronous and work inside ingest workers, which may be other
processes; everything else is asyncio and may be cancelled at any time. Errors: StoreError when the store cannot answer
now (StoreAwayError: nobody, it is slow, full or not reached), TimeoutError when a query's deadline passes, ValueError
when the question itself is wrong.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TypeAlias

from hayrick_collector.expression import EVERYTHING, Node
from hayrick_common.errors import StoreError

Direction = Literal["asc", "desc"]
Weight = Literal["sessions", "packets", "bytes"]
Side = Literal["source", "destination", "both"]
Document: TypeAlias = dict[str, Any]
Value: TypeAlias = str | int | bool
Waiting: TypeAlias = Callable[[str], None]  # told the reason, again and again, while a writer waits for its store


@dataclass(frozen=True, slots=True)
class Query:
    """Which sessions, in which order.

    `start_ms`/`stop_ms`: only sessions with packets between them (both included). `sort`: names of fields; a field
    with many values sorts by its least value upwards and by its greatest downwards; sessions without the field come
    last; the id settles ties. `limit`: sessions a page. `cursor`: from the page before. `fields`: names of documents'
    members to return, None: all. `total`: whether the page needs the number of all found.
    """

    expression: Node | None = None
    start_ms: int | None = None
    stop_ms: int | None = None
    sort: Sequence[tuple[str, Direction]] = (("firstPacket", "desc"),)
    limit: int = 50
    cursor: str | None = None
    fields: Sequence[str] | None = None
    total: bool = True
    deadline_s: float = 60.0

    @property
    def node(self) -> Node:
        """The expression, every session where there is none."""
        return EVERYTHING if self.expression is None else self.expression

    @property
    def everything(self) -> bool:
        """Whether every session is meant."""
        return self.node == EVERYTHING and self.start_ms is None and self.stop_ms is None


@dataclass(frozen=True, slots=True)
class Page:
    """Documents in the order asked for; `cursor` is None after the last page, `total` is None if it was not asked."""

    items: list[Document]
    total: int | None
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Facet:
    """One value and what the sessions with it hold."""

    value: Value
    sessions: int
    packets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """`value` of the metric over the sessions that began in the interval from `start_ms`; where it was split by a
    field, over those of them that have the value `split`."""

    start_ms: int
    value: int
    split: Value | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A pair of values that sessions have, and what these sessions hold."""

    source: Value
    destination: Value
    sessions: int
    packets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A value at the end of links, on which side, and what these links hold together."""

    value: Value
    side: Side
    links: int
    sessions: int
    packets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Graph:
    """The heaviest links, heaviest first, and their ends, likewise; `more`: there are links beyond the limit."""

    nodes: list[GraphNode]
    links: list[Link]
    more: bool


@dataclass(frozen=True, slots=True)
class Positions:
    """Where a session's packets are in the chunk, in the order the decoder gave, and the bytes of each as a record of a
    classic pcap (16 more than were captured)."""

    chunk: str
    id: str
    packet_pos: list[int]
    packet_len: list[int]


class Table(Protocol):
    """A part of a batch as the decoder gives it. `types` are the columns', by DuckDB's names."""

    @property
    def num_rows(self) -> int: ...

    @property
    def columns(self) -> Sequence[str]: ...

    @property
    def types(self) -> Sequence[str]: ...

    def span(self, column: str) -> tuple[Any, Any] | None:
        """The least and the greatest value of a column of whole numbers or texts; None if it has none."""

    def parquet(self, more: list[Any], rows_a_group: int) -> bytes:
        """One Parquet file of this table's rows and those of others of its kind with the same columns."""


class Batch(Protocol):
    """Some decoded sessions, as tables and as whole documents."""

    def __len__(self) -> int: ...

    def tables(self) -> Mapping[str, Table]: ...

    def ndjson(self) -> bytes: ...

    def bulk(self, chunk: str, stamp: int, most_items: int, most_bytes: int) -> Sequence[tuple[str, int, bytes]] | None:
        """As bodies of `_bulk`, each with its sessions' day (`yymmdd`) and number; None where each document is to be
        looked at. ValueError when a session is not of the chunk."""


class SegmentWriter(ABC):
    """Takes one chunk's sessions; nothing of them is seen before `commit`, all is after it.

    Committing a chunk again replaces what it had before. Leaving the `with` block without a commit aborts.
    """

    @abstractmethod
    def add(self, batch: Batch) -> None:
        """Take the sessions of a batch; memory held does not grow with the number of batches."""

    @abstractmethod
    def commit(self) -> int:
        """Make the chunk's sessions durable and seen; returns their number."""

    @abstractmethod
    def abort(self) -> None:
        """Leave nothing behind."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()


class Store(ABC):
    """Sessions, found by expression."""

    @abstractmethod
    async def open(self, *, patient: bool = False) -> None:
        """Make ready; creates what is missing. `patient`: a store that is away is no error, it will be asked again."""

    @abstractmethod
    async def close(self) -> None:
        """Stop running queries and let go of everything."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def announce(self, name: str, document: Document) -> None:
        """Tell all collectors that share this store of one, which replaces what was told under the name."""
        raise StoreError("this store is not shared")

    async def announced(self) -> list[Document]:
        """What collectors that share this store told of themselves."""
        return []

    async def unannounce(self, name: str) -> None:
        """Forget one, if it is known."""
        raise StoreError("this store is not shared")

    @abstractmethod
    def writer(self, chunk_key: str, waiting: Waiting = lambda reason: None) -> SegmentWriter:
        """A writer for this chunk. The store need not be open, so a worker process makes its own from the settings."""

    @abstractmethod
    async def find(self, query: Query) -> Page:
        """A page of documents."""

    @abstractmethod
    async def count(self, query: Query) -> int:
        """How many sessions the query finds."""

    @abstractmethod
    async def get(self, session_id: str) -> Document | None:
        """One document by id."""

    @abstractmethod
    def positions(self, query: Query) -> AsyncIterator[Positions]:
        """The packets of all sessions the query finds (its limit and cursor are ignored), chunk by chunk."""

    @abstractmethod
    def positions_of(self, ids: Sequence[str]) -> AsyncIterator[Positions]:
        """The packets of these sessions, chunk by chunk; unknown ids are left out."""

    @abstractmethod
    async def facets(self, query: Query, field: str, limit: int = 20, order: Weight = "sessions") -> list[Facet]:
        """The commonest values of a field over the sessions found; a session counts once for each of its values."""

    @abstractmethod
    def unique(self, query: Query, field: str, limit: int | None = None) -> AsyncIterator[tuple[Value, int]]:
        """Every value of a field in order, each once, with the number of sessions that have it; a portion at a time,
        so memory does not grow with their number. `query.deadline_s` is each portion's."""

    @abstractmethod
    async def histogram(
        self, query: Query, interval_ms: int, metric: str = "sessions", split: str | None = None, limit: int = 10
    ) -> list[Bucket]:
        """`metric` by the time sessions began: "sessions", or the sum of all values of a field of whole numbers
        ("packets", "bytes", "databytes", or its name). `split`: apart for each of a field's `limit` commonest values
        (by sessions); a session counts for each of its values. By time, then in the order of `facets`."""

    @abstractmethod
    async def graph(
        self,
        query: Query,
        source: str = "ip.src",
        destination: str = "ip.dst",
        limit: int = 100,
        order: Weight = "sessions",
    ) -> Graph:
        """Which values of two fields come together in a session: the `limit` heaviest links and their ends. A session
        counts once for each pair of its values; equal weights are in order of the values."""

    @abstractmethod
    async def tag(self, query: Query, add: Iterable[str] = (), remove: Iterable[str] = ()) -> int:
        """Change the tags of all sessions found (limit and cursor are ignored); returns their number."""

    @abstractmethod
    async def has_chunk(self, chunk_key: str) -> bool:
        """Whether the chunk was committed and not deleted since."""

    @abstractmethod
    async def delete_chunk(self, chunk_key: str) -> bool:
        """Forget the chunk's sessions; False if there were none."""

    @abstractmethod
    async def delete_before(self, before_ms: int) -> int:
        """Forget sessions whose last packet is older, as far as storage allows it cheaply; returns how many went."""

    @abstractmethod
    async def maintain(self) -> dict[str, int]:
        """Tidy up: merge what is small, remove what was replaced. Safe at any time; says what it did."""

    async def advice(self) -> list[str]:
        """What the operator should do about the store, a sentence each; nothing when all is well."""
        return []

    @abstractmethod
    async def health(self) -> dict[str, Any]:
        """State in plain figures: at least `ok`, `kind`, `sessions`, `chunks`, `bytes`, `first_ms`, `last_ms`."""
