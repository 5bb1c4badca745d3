"""What a sensor's folder on an SFTP server holds: names, manifest and receipt as both ends write and check them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from hayrick_common.chunk import PCAP, ChunkId, Manifest, check_name

FORMAT = 1
RECEIPTS = "receipts"
REFUSED = "refused"
STATUS = "status.json"
TEXT_MAX_BYTES = 64 << 10
STATES = ("landed", "indexed", REFUSED)
_NUMBERS = ("size", "packets", "first_ms", "last_ms", "closed_ms", "gap_ms")
_NUMBER_MAX = 2**63 - 1


def chunk_name(key: str) -> str:
    """Name of the chunk's file; beside it lies the manifest."""
    return f"{key}.pcap"


def note_name(key: str) -> str:
    """Name of the chunk's manifest, and of its receipt in `receipts/`."""
    return f"{key}.json"


def encode_manifest(manifest: Manifest) -> bytes:
    """The manifest as JSON."""
    values = asdict(manifest)
    return _json({"format": FORMAT, **values.pop("chunk"), **values})


def decode_manifest(data: bytes, sensor: str) -> Manifest:
    """The manifest in `data`, of a chunk of `sensor` and no other; ValueError says what is wrong."""
    table = _table(data)
    names = [_typed(table, name, str) for name in ("sensor", "stream", "sha256")]
    chunk = ChunkId(names[0], names[1], _number(table, "sequence"), names[2])
    if chunk.sensor != sensor:
        raise ValueError(f"the manifest speaks for sensor {chunk.sensor!r} in the folder of {sensor!r}")
    if chunk.imported:
        raise ValueError(f"stream name {chunk.stream!r} is reserved")
    numbers: dict[str, Any] = {name: _number(table, name) for name in _NUMBERS}
    manifest = Manifest(chunk, **numbers, truncated=_typed(table, "truncated", bool))
    if table.get("content", PCAP) == PCAP:
        return manifest
    content, content_sha256 = (_typed(table, name, str) for name in ("content", "content_sha256"))
    content_size = _number(table, "content_size")
    return replace(manifest, content=content, content_sha256=content_sha256, content_size=content_size)


@dataclass(frozen=True)
class Receipt:
    """What the collector says of a chunk; `code` and `reason` only where it is refused."""

    key: str
    state: str
    sha256: str = ""
    code: str = ""
    reason: str = ""


def encode_receipt(receipt: Receipt) -> bytes:
    """The receipt as JSON."""
    return _json({"format": FORMAT, **asdict(receipt)})


def decode_receipt(data: bytes, key: str) -> Receipt:
    """The receipt in `data`, which must be for `key`; ValueError says what is wrong."""
    table = _table(data)
    receipt = Receipt(*(_typed(table, name, str)[:1024] for name in ("key", "state", "sha256", "code", "reason")))
    if receipt.key != key or receipt.state not in STATES:
        raise ValueError(f"no receipt for {key}")
    return receipt


def stream_and_sequence(key: str) -> tuple[str, int]:
    """What a sensor's chunk key names; ValueError when it is none."""
    parts = key.split(".")
    if len(parts) != 4 or not parts[2].isdecimal():
        raise ValueError(f"{key[:200]!r} is no chunk's key")
    return check_name(parts[1], "stream"), int(parts[2])


def _json(table: dict[str, Any]) -> bytes:
    return json.dumps(table, indent=1).encode() + b"\n"


def _table(data: bytes) -> dict[str, Any]:
    if len(data) > TEXT_MAX_BYTES:
        raise ValueError(f"is over {TEXT_MAX_BYTES} bytes")
    try:
        table = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON: {error}") from error
    if not isinstance(table, dict) or table.get("format") != FORMAT:
        raise ValueError(f"is not of format {FORMAT}; update the older of sensor and collector")
    return table


def _typed(table: dict[str, Any], name: str, kind: type) -> Any:
    value = table.get(name)
    if type(value) is not kind:
        raise ValueError(f"{name} is {type(value).__name__}, expected {kind.__name__}")
    return value


def _number(table: dict[str, Any], name: str) -> int:
    value: int = _typed(table, name, int)
    if not 0 <= value <= _NUMBER_MAX:
        raise ValueError(f"{name} is out of range")
    return value
