"""What a sensor's folder on an SFTP server holds: names, manifest and receipt as both ends write and check them."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from typing import Any

from hayrick_common.chunk import PCAP, ChunkId, Manifest, check_name

FORMAT = 2
RECEIPT_FORMAT = 1
RAW, ZSTD = "raw", "zstd"
RECEIPTS = "receipts"
REFUSED = "refused"
STATUS = "status.json"
TEXT_MAX_BYTES = 64 << 10
STATES = ("landed", "indexed", REFUSED)
_NUMBERS = ("size", "packets", "first_ms", "last_ms", "closed_ms", "gap_ms")
_NUMBER_MAX = 2**63 - 1
_CHUNK_NAME = re.compile(r"((?:[^.]+\.){3}[0-9a-f]{16})\.(?:pcap|records)(?:\.zst)?")


@dataclass(frozen=True)
class Delivery:
    """A chunk's manifest, and how its file is encoded: raw, or (format 2) as zstd frames of `stored` bytes in all."""

    manifest: Manifest
    encoding: str = RAW
    stored: int = 0


def chunk_name(manifest: Manifest, encoding: str = RAW) -> str:
    """Name of the chunk's file; beside it lies the manifest."""
    return f"{manifest.key}.{manifest.content}{'.zst' if encoding == ZSTD else ''}"


def key_of(name: str) -> str:
    """The key in a chunk's name; empty when it is none."""
    found = _CHUNK_NAME.fullmatch(name)
    return found[1] if found else ""


def note_name(key: str) -> str:
    """Name of the chunk's manifest, and of its receipt in `receipts/`."""
    return f"{key}.json"


def encode_delivery(delivery: Delivery) -> bytes:
    """The manifest as JSON."""
    values = asdict(delivery.manifest)
    how = {"encoding": delivery.encoding, "stored": delivery.stored}
    return _json({"format": FORMAT, **values.pop("chunk"), **values, **how})


def decode_delivery(data: bytes, sensor: str) -> Delivery:
    """What `data` says of a chunk of `sensor` and no other; ValueError says what is wrong. Format 1 is raw."""
    table = _table(data, FORMAT)
    manifest = _manifest(table, sensor)
    if table["format"] == 1:
        return Delivery(manifest, RAW, manifest.payload_size)
    encoding, stored = _typed(table, "encoding", str), _number(table, "stored")
    if encoding not in (RAW, ZSTD):
        raise ValueError(f"encoding {encoding[:40]!r} is neither {RAW} nor {ZSTD}")
    return Delivery(manifest, encoding, stored)


def _manifest(table: dict[str, Any], sensor: str) -> Manifest:
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
    return _json({"format": RECEIPT_FORMAT, **asdict(receipt)})


def decode_receipt(data: bytes, key: str) -> Receipt:
    """The receipt in `data`, which must be for `key`; ValueError says what is wrong."""
    table = _table(data, RECEIPT_FORMAT)
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


def _table(data: bytes, newest: int) -> dict[str, Any]:
    if len(data) > TEXT_MAX_BYTES:
        raise ValueError(f"is over {TEXT_MAX_BYTES} bytes")
    try:
        table = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON: {error}") from error
    if not isinstance(table, dict) or type(table.get("format")) is not int or not 1 <= table["format"] <= newest:
        raise ValueError(f"is not of format 1 to {newest}; update the older of sensor and collector")
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
