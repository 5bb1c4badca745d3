"""The messages between sensor and collector: small dataclasses, packed with msgpack, checked before use.

A message is one frame (a header map) or two (header, body). Every header has `v` (wire version) and `t` (its kind).
Unknown keys are ignored, so a version may add some; greetings keep their shape, and version 1, for ever, so that any
two ends can find out what both speak. What version 2 brought is sent only where welcome said 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, TypeAlias, Union, get_args, get_origin, get_type_hints

import msgpack

from hayrick_common.chunk import MAX_CHUNK_BYTES, NAME, PCAP, ChunkId, Manifest
from hayrick_common.errors import WireError

WIRE_MIN = 1
WIRE_MAX = 2
HEADER_MAX_BYTES = 64 << 10
BODY_MAX_BYTES = 1 << 20
FRAME_MAX_BYTES = BODY_MAX_BYTES + 1024
TEXT_MAX = 1024
NUMBER_MAX = 2**63 - 1
REPORT_DEPTH = 6
PULL_MAX_BYTES = BODY_MAX_BYTES
PULL_MAX_RANGES = 2000
NEXT_MAX = 256
NEXT_NUMBER_MAX = 10**9

RAW = "raw"
ZSTD = "zstd"

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
    """Collector's answer to hello; `wire` is the version both will speak, `boot` changes when it restarts.

    `next` (version 2) has for each stream the lowest number above all that the collector ever held: a sensor that lost
    its journal counts on from there.
    """

    KIND: ClassVar[str] = "welcome"
    wire: int
    software: str
    boot: str
    sent_ms: int
    heartbeat_ms: int
    next: dict[str, int] = field(default_factory=dict)


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
    """Bytes of a chunk, answering one fetch; `offset` counts uncompressed bytes.

    `encoding` is "raw" or (version 2) "zstd": then `body` is one zstd frame, with content size, of the bytes fetched.
    """

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


@dataclass(frozen=True)
class Pull:
    """Version 2: collector wants these (offset, length) of a chunk that stays on the sensor."""

    KIND: ClassVar[str] = "pull"
    request: int
    key: str
    ranges: tuple[tuple[int, int], ...]

    @property
    def size(self) -> int:
        """Bytes asked for."""
        return sum(length for _, length in self.ranges)


@dataclass(frozen=True)
class Pulled:
    """Version 2, answers a pull: the ranges' bytes one after the other, encoded as a block's; or why not, and none."""

    KIND: ClassVar[str] = "pulled"
    request: int
    key: str
    encoding: str
    reason: str
    body: bytes = field(repr=False)


Message: TypeAlias = Union[  # noqa: UP007
    Hello, Welcome, Refused, Stranger, Offer, Fetch, Block, Gone, Receipt, Heartbeat, Pulse, Pull, Pulled
]
KINDS: dict[str, type[Message]] = {each.KIND: each for each in get_args(Message)}
GREETINGS = (Hello, Welcome, Refused, Stranger)
WITH_BODY = (Block, Pulled)
_TYPES = {kind: {f.name: get_type_hints(kind)[f.name] for f in fields(kind)} for kind in KINDS.values()}
_DEFAULTS: dict[type[Message], dict[str, Any]] = {
    kind: {f.name: f.default for f in fields(kind) if f.default is not MISSING} for kind in KINDS.values()
}
_DEFAULTS[Welcome]["next"] = {}


def needs(message: Message) -> int:
    """The lowest wire version in which `message` can be said."""
    if isinstance(message, (Pull, Pulled)):
        return 2
    if isinstance(message, Offer):
        return 1 if message.content == PCAP else 2
    return 2 if isinstance(message, Block) and message.encoding != RAW else 1


def encode(message: Message, wire: int = WIRE_MAX) -> list[bytes]:
    """Frames of `message` as said in version `wire`: its header, and the body if the kind has one."""
    if needs(message) > wire:
        raise WireError(f"{message.KIND}: cannot be said in wire version {wire}")
    header = {name: getattr(message, name) for name in _TYPES[type(message)] if name != "body"}
    if isinstance(message, Offer) and message.content == PCAP:  # as it was before there was anything else
        header = {name: value for name, value in header.items() if not name.startswith("content")}
    if isinstance(message, Welcome) and not message.next:
        del header["next"]
    version = WIRE_MIN if isinstance(message, GREETINGS) else wire
    packed: bytes = msgpack.packb({"v": version, "t": message.KIND, **header}, use_bin_type=True)
    if len(packed) > HEADER_MAX_BYTES:
        raise WireError(f"{message.KIND}: header of {len(packed)} bytes is over {HEADER_MAX_BYTES}")
    return [packed, message.body] if isinstance(message, WITH_BODY) else [packed]


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
    if kind in WITH_BODY:
        values["body"] = _body(kind, frames)
    elif len(frames) != 1:
        raise WireError(f"{kind.KIND}: {len(frames)} frames, expected 1")
    message = kind(**{name: _checked(kind, name, hint, values) for name, hint in _TYPES[kind].items()})
    if needs(message) > version:
        raise WireError(f"{kind.KIND}: cannot be said in wire version {version}")
    return message


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


def _body(kind: type[Message], frames: Sequence[bytes]) -> bytes:
    if len(frames) != 2 or len(frames[1]) > BODY_MAX_BYTES:
        raise WireError(f"{kind.KIND} without one body of at most {BODY_MAX_BYTES} bytes")
    return frames[1]


def _checked(kind: type[Message], name: str, hint: Any, values: dict[str, Any]) -> Any:
    value: Any
    value = values.get(name, _DEFAULTS[kind].get(name))
    wanted = list if name == "ranges" else get_origin(hint) or hint
    if type(value) is not wanted:
        raise WireError(f"{kind.KIND}: {name} is {type(value).__name__}, expected {wanted.__name__}")
    wrong = _wrong(name, value)
    if wrong:
        raise WireError(f"{kind.KIND}: {name} {wrong}")
    return tuple(map(tuple, value)) if name == "ranges" else value


def _wrong(name: str, value: Any) -> str:
    if name == "encoding" and value not in (RAW, ZSTD):
        return "is unknown"
    if name == "ranges":
        return _wrong_ranges(value)
    if name == "next":
        good = len(value) <= NEXT_MAX and all(_name(k) and _number(n, NEXT_NUMBER_MAX) for k, n in value.items())
        return "" if good else "is no map of streams to numbers"
    if isinstance(value, int) and not 0 <= value <= (MAX_CHUNK_BYTES if name in ("offset", "length") else NUMBER_MAX):
        return "is out of range"
    if isinstance(value, str) and (len(value) > TEXT_MAX or "\0" in value):
        return f"is over {TEXT_MAX} characters or holds NUL"
    if isinstance(value, dict) and not _plain(value, REPORT_DEPTH):
        return f"holds more than text, numbers, lists and maps {REPORT_DEPTH} deep"
    return ""


def _wrong_ranges(value: list[Any]) -> str:
    if not 1 <= len(value) <= PULL_MAX_RANGES:
        return f"are not 1 to {PULL_MAX_RANGES}"
    for each in value:
        if type(each) is not list or len(each) != 2 or not _number(each[0], MAX_CHUNK_BYTES):
            return "are not pairs of an offset and a length"
        if not _number(each[1], PULL_MAX_BYTES) or each[1] == 0:
            return f"have a length that is not 1 to {PULL_MAX_BYTES}"
    return f"are over {PULL_MAX_BYTES} bytes in all" if sum(each[1] for each in value) > PULL_MAX_BYTES else ""


def _name(value: Any) -> bool:
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def _number(value: Any, highest: int) -> bool:
    return type(value) is int and 0 <= value <= highest


def _plain(value: Any, depth: int) -> bool:
    if isinstance(value, dict):
        return depth > 0 and all(isinstance(k, str) and _plain(v, depth - 1) for k, v in value.items())
    if isinstance(value, list):
        return depth > 0 and all(_plain(each, depth - 1) for each in value)
    return value is None or type(value) in (bool, int, float, str)
