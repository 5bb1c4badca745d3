"""Which columns a table of sessions has, and how a document becomes a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from hayrick_collector.expression import Catalogue, Field
from hayrick_collector.expression.fields import DATE_KINDS
from hayrick_collector.expression.parser import unknown_field
from hayrick_collector.timespan import format_time
from hayrick_common.errors import UsageError

USUAL = (
    "id", "firstPacket", "lastPacket", "ipProtocol", "protocol", "source.ip", "source.port", "destination.ip",
    "destination.port", "network.packets", "network.bytes", "client.bytes", "server.bytes", "tags", "node",
    "network.community_id", "dns.host", "http.host", "http.uri", "tls.version", "tls.ja4", "chunk",
)  # fmt: skip


def chosen(catalogue: Catalogue, names: Iterable[str]) -> list[Field]:
    """The fields of these names in expressions or documents. Raises UsageError for what is no single field."""
    found = []
    for name in names:
        field = catalogue.find(name)
        if field is None:
            raise UsageError(str(unknown_field(catalogue, name, 1)))
        if field.column is None:
            members = ", ".join(each.expression for each in catalogue.members(field)[:5])
            raise UsageError(f"{name} stands for several fields; name those you want, such as {members}")
        found.append(field)
    return found


def usual(catalogue: Catalogue) -> list[Field]:
    """What a table shows when nobody said what it should."""
    return [field for field in map(catalogue.find, USUAL) if field is not None]


def row(document: Any, wanted: dict[str, Field]) -> dict[str, Any]:
    """The document's values by the name of their field in documents; of a field with one value that, else all."""
    found: dict[str, list[Any]] = {}
    for name, value in _leaves(document, ""):
        if name in wanted:
            found.setdefault(name, []).append(value)
    return {name: each if wanted[name].multi else each[0] for name, each in found.items()}


def _leaves(at: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(at, dict):
        for key, below in at.items():
            yield from _leaves(below, f"{path}.{key}" if path else key)
    elif isinstance(at, list):
        for each in at:
            yield from _leaves(each, path)
    elif at is not None:
        yield path, at


def cell(field: Field, value: Any) -> str:
    """A value in a table of text: several by commas, times in UTC, and nothing that a spreadsheet would run."""
    if isinstance(value, list):
        return guarded(", ".join(_text(field, each) for each in value))
    return guarded(_text(field, value))


def _text(field: Field, value: Any) -> str:
    if value is None:
        return ""
    if field.kind in DATE_KINDS:
        return format_time(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def guarded(value: str) -> str:
    """A spreadsheet runs a cell that starts so; an apostrophe keeps it text."""
    runs = value[:1] in ("=", "+", "@", "\t", "\r") or (value[:1] == "-" and not _number(value))
    return f"'{value}" if runs else value


def _number(value: str) -> bool:
    return value[1:].replace(".", "", 1).isdecimal()
