"""What the API takes and gives, as OpenAPI shows it. Session documents are open: their fields are the catalogue's."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

Document = dict[str, Any]


class Mistake(BaseModel):
    """Of an expression: at `column` (from 1) stands `found` (empty: it ends there) where one of `expected` could stand;
    `did_you_mean` are names of fields like the one found."""

    message: str
    column: int | None = None
    found: str | None = None
    expected: list[str] | None = None
    did_you_mean: list[str] | None = None


class ErrorBody(Mistake):
    """What went wrong; an expression's mistakes (code `expression`) come with their place."""

    code: str
    hint: str | None = None


class ErrorAnswer(BaseModel):
    """The shape of every error."""

    error: ErrorBody


class SessionsPage(BaseModel):
    """A page of sessions; `cursor` fetches the next one and is null on the last."""

    total: int = Field(description="sessions that match in all")
    items: list[Document]
    cursor: str | None


class CandidateItem(BaseModel):
    """`text` may be put in; `detail` is the kind of a field's values."""

    text: str
    kind: str = Field(description="field, operator, value, list, view, sign or join")
    help: str
    detail: str


class CompletionAnswer(BaseModel):
    """An item replaces the characters from `start` to `stop` (from 0, `stop` not included). `field`: a value of it is
    being typed. `in_time`: false when the store took too long to tell its values. `error`: a mistake before the cursor,
    which leaves nothing to offer."""

    start: int
    stop: int
    expects: str = Field(description="what belongs there, for people")
    field: str | None
    items: list[CandidateItem]
    in_time: bool
    error: Mistake | None


class FacetValue(BaseModel):
    """One value and what the sessions that have it hold."""

    value: str | int | bool
    sessions: int
    packets: int
    bytes: int


class Facets(BaseModel):
    """A field's commonest values, by the weight asked for."""

    field: str
    items: list[FacetValue]


class UniqueValue(BaseModel):
    """One value and how many sessions have it."""

    value: str | int | bool
    sessions: int


class Unique(BaseModel):
    """A field's values in order; `more`: there are others behind the last."""

    field: str
    items: list[UniqueValue]
    more: bool


class HistogramBucket(BaseModel):
    """One interval's amount, by the time (epoch ms) it starts; `split` is the value it is of, if it was asked for."""

    start: int
    value: int
    split: str | int | bool | None = None


class GraphNode(BaseModel):
    """A value at the end of links: on which side, and what these links hold together."""

    value: str | int | bool
    side: Literal["source", "destination", "both"]
    links: int
    sessions: int
    packets: int
    bytes: int


class GraphLink(BaseModel):
    """Two values that sessions have together."""

    source: str | int | bool
    destination: str | int | bool
    sessions: int
    packets: int
    bytes: int


class Graph(BaseModel):
    """The heaviest links and their ends, the heaviest first; `more`: there are links beyond the limit."""

    nodes: list[GraphNode]
    links: list[GraphLink]
    more: bool


class Histogram(BaseModel):
    """Amounts over time; empty intervals are left out."""

    interval_ms: int
    metric: str
    split: str | None = None
    items: list[HistogramBucket]


class TagsRequest(BaseModel):
    """Tags to add to and remove from all sessions that match."""

    expression: str
    start: int | None = Field(None, description="epoch ms")
    stop: int | None = Field(None, description="epoch ms")
    zone: str = Field("", max_length=64)
    add: list[str] = []
    remove: list[str] = []


class TagsAnswer(BaseModel):
    """How many sessions matched."""

    sessions: int


class SensorsAnswer(BaseModel):
    """Sensors, with their last heartbeat and their chunks by state."""

    items: list[Document]


class ChunksAnswer(BaseModel):
    """Chunks, the last landed first."""

    items: list[Document]


class CoverageAnswer(BaseModel):
    """The time lines of streams. Each has sensor, stream, start_ms, stop_ms (now, if that comes first), complete, known
    and covered (ms), states (ms by state), dropped (packets), spans ([start, stop, state]), gaps (start_ms, stop_ms,
    state, waiting, reason, chunks, packets, estimated) and gaps_left_out; `meanings` explains the states, the worst
    first."""

    start_ms: int
    stop_ms: int
    streams: list[Document]
    meanings: dict[str, str]


class FieldsAnswer(BaseModel):
    """The catalogue of fields: their names in expressions and documents, kinds, help."""

    items: list[Document]


class UploadAnswer(BaseModel):
    """A capture that is durable now; it is searchable once its chunk is `indexed`. `new` is false when the same bytes
    were known already; `added` are the tags that are new to them."""

    key: str
    new: bool
    size: int
    state: str
    added: list[str]


class ChunkAnswer(BaseModel):
    """One chunk's row, and how many sessions were found so far while it is being indexed."""

    chunk: Document
    progress: int | None = None
