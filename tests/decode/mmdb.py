"""A MaxMind database of a few networks, written byte by byte."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_BITS = 128
_SHORT = ("record_size", "ip_version", "binary_format_major_version", "binary_format_minor_version")
_SEPARATOR = bytes(16)
_METADATA = b"\xab\xcd\xefMaxMind.com"


def write_mmdb(path: Path, networks: Mapping[str, Mapping[str, Any]]) -> Path:
    """The file, which tells of each network what is given."""
    data = b""
    tree: list[list[Any]] = [[None, None]]
    for text, told in networks.items():
        _put(tree, _prefix(text), len(data))
        data += _encoded(told)
    count = len(tree)
    records = b"".join(_record(side, count) for node in tree for side in node)
    about = {
        "node_count": count,
        "record_size": 24,
        "ip_version": 6,
        "database_type": "Test",
        "languages": [],
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": 1,
        "description": {},
    }
    path.write_bytes(records + _SEPARATOR + data + _METADATA + _encoded(about))
    return path


def _prefix(text: str) -> str:
    network = ipaddress.ip_network(text)
    bits = f"{int(network.network_address):0{network.max_prefixlen}b}"[: network.prefixlen]
    return "0" * (_BITS - network.max_prefixlen) + bits


def _put(tree: list[list[Any]], prefix: str, offset: int) -> None:
    node = tree[0]
    for bit in prefix[:-1]:
        if node[int(bit)] is None:
            tree.append([None, None])
            node[int(bit)] = ("node", len(tree) - 1)
        node = tree[node[int(bit)][1]]
    node[int(prefix[-1])] = ("data", offset)


def _record(side: tuple[str, int] | None, count: int) -> bytes:
    kind, number = side or ("none", 0)
    value = {"none": count, "node": number, "data": count + len(_SEPARATOR) + number}[kind]
    return value.to_bytes(3, "big")


def _encoded(value: Any) -> bytes:
    """Maps, texts, numbers and lists, none of them long."""
    if isinstance(value, Mapping):
        return bytes([7 << 5 | len(value)]) + b"".join(_encoded(key) + _member(key, value[key]) for key in value)
    if isinstance(value, str):
        head = [2 << 5 | len(value)] if len(value) < 29 else [2 << 5 | 29, len(value) - 29]
        return bytes(head) + value.encode()
    if isinstance(value, list):
        return bytes([len(value), 4]) + b"".join(map(_encoded, value))
    return bytes([6 << 5 | 4]) + value.to_bytes(4, "big")


def _member(key: str, value: Any) -> bytes:
    """Some of the metadata's numbers have to have a size of their own."""
    if key in _SHORT:
        return bytes([5 << 5 | 2]) + int(value).to_bytes(2, "big")
    if key == "build_epoch":
        return bytes([8, 2]) + int(value).to_bytes(8, "big")
    return _encoded(value)
