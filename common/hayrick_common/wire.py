"""The messages between sensor and collector: small dataclasses, packed with msgpack, checked before use.

A message is one frame (a header map) or two (header, body). Every header has `v` (wire version) and `t` (its kind).
Unknown keys are ignored, so a version may add some; hello, welcome and refused keep their shape for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, TypeAlias, Union, get_type_hints

import msgpack

from hayrick_common.chunk import MAX_CHUNK_BYTES, PCAP, ChunkId, Manifest
from hayrick_common.errors import WireError

WIRE_MIN = 1
WIRE_MAX = 1
HEADER_MAX_BYTES = 64 << 10
BODY_MAX_BYTES = 1 << 20
FRAME_MAX_BYTES = BODY_MAX_BYTES + 1024
TEXT_MAX = 1024
NUMBER_MAX = 2**63 - 1
REPORT_DEPTH = 6

LANDED = "landed"
INDEXED = "indexed"


@dataclass(frozen=True)
class Hello:
    """Sensor's first message on a connection. `boot` is random for each process, so restarts are seen."""

    KIND: ClassVar[str] = "hello"
    sensor: str
    wire_min: int
    wire_max: int
    software: str
    boot: str
    sent_ms: int


@dataclass(frozen=True)
class Welcome:
    """Collector's answer to hello; `wire` is the version both will speak, `boot` changes when it restarts."""

    KIND: ClassVar[str] = "welcome"
    wire: int
    software: str
    boot: str
    sent_ms: int
    heartbeat_ms: int


@dataclass(frozen=True)
class Refused:
    """Collector will not have it: the connection where `key` is empty, else that chunk."""

    KIND: ClassVar[str] = "refused"
    code: str
    reason: str
    key: str = ""


@dataclass(frozen=True)
class Stranger:
    """Collector does not know this connection (it restarted): say hello again."""

    KIND: ClassVar[str] = "stranger"


@dataclass(frozen=True)
class Offer:
    """Sensor has this closed chunk. May be repeated at any time; its meaning never changes."""

    KIND: ClassVar[str] = "offer"
    stream: str
    sequence: int
    sha256: str
    size: int
    packets: int
    first_ms: int
    last_ms: int
    closed_ms: int
    gap_ms: int
    truncated: bool
    content: str = PCAP
    content_sha256: str = ""
    content_size: int = 0

    @classmethod
    def of(cls, manifest: Manifest) -> Offer:
        """The offer that says what `manifest` says."""
        chunk, m = manifest.chunk, manifest
        return cls(
            chunk.stream, chunk.sequence, chunk.sha256, m.size, m.packets,
            m.first_ms, m.last_ms, m.closed_ms, m.gap_ms, m.truncated,
            m.content, m.content_sha256, m.content_size,
        )  # fmt: skip

    def manifest(self, sensor: str) -> Manifest:
        """What is offered, under the name that the connection's key proves; WireError if it cannot be."""
        try:
            chunk = ChunkId(sensor, self.stream, self.sequence, self.sha256)
            if chunk.imported:
                raise ValueError(f"stream name {chunk.stream!r} is reserved")
            return Manifest(
                chunk, self.size, self.packets, self.first_ms, self.last_ms,
                self.closed_ms, self.gap_ms, self.truncated,
                self.content, self.content_sha256, self.content_size,
            )  # fmt: skip
        except ValueError as error:
            raise WireError(f"offer: {error}") from error


@dataclass(frozen=True)
class Fetch:
    """Collector's credit: send `length` bytes of the chunk from `offset`. Nothing is sent without it."""

    KIND: ClassVar[str] = "fetch"
    key: str
    offset: int
    length: int


@dataclass(frozen=True)
class Block:
    """Bytes of a chunk, answering one fetch; `encoding` is "raw" ("zstd" is reserved)."""

    KIND: ClassVar[str] = "block"
    key: str
    offset: int
    encoding: str
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Gone:
    """Sensor cannot send the chunk it was asked for, and never will."""

    KIND: ClassVar[str] = "gone"
    key: str
    reason: str


@dataclass(frozen=True)
class Receipt:
    """Collector holds the chunk: `landed` durably stored, `indexed` searchable as well."""

    KIND: ClassVar[str] = "receipt"
    key: str
    state: str


@dataclass(frozen=True)
class Heartbeat:
    """Sensor is alive; `report` holds backlog, drops, disk and versions (see docs/FORMAT.md)."""

    KIND: ClassVar[str] = "heartbeat"
    sent_ms: int
    report: dict[str, Any]


@dataclass(frozen=True)
class Pulse:
    """Collector's answer to a heartbeat; `echo_ms` is that heartbeat's `sent_ms`, so the clocks can be compared."""

    KIND: ClassVar[str] = "pulse"
    sent_ms: int
    echo_ms: int


Message: TypeAlias = Union[Hello, Welcome, Refused, Stranger, Offer, Fetch, Block, Gone, Receipt, Heartbeat, Pulse]  # noqa: UP007
KINDS: dict[str, type[Message]] = {
    each.KIND: each
    for each in (Hello, Welcome, Refused, Stranger, Offer, Fetch, Block, Gone, Receipt, Heartbeat, Pulse)
}
_DEFAULTS = {kind: {f.name: f.default for f in fields(kind) if f.default is not MISSING} for kind in KINDS.values()}
_TYPES = {kind: {f.name: get_type_hints(kind)[f.name] for f in fields(kind)} for kind in KINDS.values()}


def encode(message: Message, wire: int = WIRE_MAX) -> list[bytes]:
    """Frames of `message`: its header, and the body if the kind has one."""
    header = {name: getattr(message, name) for name in _TYPES[type(message)] if name != "body"}
    if isinstance(message, Offer) and message.content == PCAP:  # as it was before there was anything else
        header = {name: value for name, value in header.items() if not name.startswith("content")}
    packed: bytes = msgpack.packb({"v": wire, "t": message.KIND, **header}, use_bin_type=True)
    if len(packed) > HEADER_MAX_BYTES:
        raise WireError(f"{message.KIND}: header of {len(packed)} bytes is over {HEADER_MAX_BYTES}")
    return [packed, message.body] if isinstance(message, Block) else [packed]


def decode(frames: Sequence[bytes]) -> Message:
    """The message in `frames`; WireError says what is wrong with it."""
    header = _header(frames)
    kind = KINDS.get(header.get("t", ""))
    if kind is None:
        raise WireError(f"unknown kind of message {str(header.get('t'))[:40]!r}")
    version = header.get("v")
    if type(version) is not int or not WIRE_MIN <= version <= WIRE_MAX:
        raise WireError(f"{kind.KIND}: wire version {str(version)[:20]} is not in {WIRE_MIN} to {WIRE_MAX}")
    values = dict(header)
    if kind is Block:
        values["body"] = _body(frames)
    elif len(frames) != 1:
        raise WireError(f"{kind.KIND}: {len(frames)} frames, expected 1")
    return kind(**{name: _checked(kind, name, hint, values) for name, hint in _TYPES[kind].items()})


def _header(frames: Sequence[bytes]) -> dict[str, Any]:
    if not frames or len(frames[0]) > HEADER_MAX_BYTES:
        raise WireError("message without a header of sane size")
    try:
        header = msgpack.unpackb(frames[0], raw=False, strict_map_key=True)
    except (ValueError, RecursionError) as error:
        raise WireError(f"header is not msgpack: {error}") from error
    if not isinstance(header, dict) or not isinstance(header.get("t", ""), str):
        raise WireError("header is not a map with a kind")
    return header


def _body(frames: Sequence[bytes]) -> bytes:
    if len(frames) != 2 or len(frames[1]) > BODY_MAX_BYTES:
        raise WireError(f"block without one body of at most {BODY_MAX_BYTES} bytes")
    return frames[1]


def _checked(kind: type[Message], name: str, hint: Any, values: dict[str, Any]) -> Any:
    value: Any
    value = values.get(name, _DEFAULTS[kind].get(name))
    wanted = dict if hint == dict[str, Any] else hint
    if type(value) is not wanted:
        raise WireError(f"{kind.KIND}: {name} is {type(value).__name__}, expected {wanted.__name__}")
    wrong = _wrong(name, value)
    if wrong:
        raise WireError(f"{kind.KIND}: {name} {wrong}")
    return value


def _wrong(name: str, value: object) -> str:
    if isinstance(value, int) and not 0 <= value <= (MAX_CHUNK_BYTES if name in ("offset", "length") else NUMBER_MAX):
        return "is out of range"
    if isinstance(value, str) and (len(value) > TEXT_MAX or "\0" in value):
        return f"is over {TEXT_MAX} characters or holds NUL"
    if isinstance(value, dict) and not _plain(value, REPORT_DEPTH):
        return f"holds more than text, numbers, lists and maps {REPORT_DEPTH} deep"
    return ""


def _plain(value: Any, depth: int) -> bool:
    if isinstance(value, dict):
        return depth > 0 and all(isinstance(k, str) and _plain(v, depth - 1) for k, v in value.items())
    if isinstance(value, list):
        return depth > 0 and all(_plain(each, depth - 1) for each in value)
    return value is None or type(value) in (bool, int, float, str)
