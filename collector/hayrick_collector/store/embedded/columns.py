"""How a field is stored: its columns, their types, and how its values come back out of them."""

from __future__ import annotations

from typing import Any

from hayrick_collector.expression.addresses import format_address
from hayrick_collector.expression.fields import NUMBER_KINDS, Field
from hayrick_collector.store.embedded.sql import Sql, name

LIST = "[]"


def columns(field: Field) -> dict[str, str]:
    """Columns that hold the field, with their types."""
    column = field.column or ""
    if field.kind == "ip" and not field.multi and not field.counts:
        return {f"{column}.hi": "UBIGINT", f"{column}.lo": "UBIGINT"}
    return {column: _scalar(field) + (LIST if is_list(field) else "")}


def is_list(field: Field) -> bool:
    """Whether a row holds many values (a count is of a list)."""
    return field.multi or field.counts is not None


def _scalar(field: Field) -> str:
    kind = field.counts or field.kind
    if kind == "ip":
        return "BLOB"
    if kind in NUMBER_KINDS:
        return "BIGINT"
    return "BOOLEAN" if kind == "boolean" else "VARCHAR"


def adapted(column: str, actual: str | None, wanted: str) -> str:
    """SQL of a column as this version wants it, whatever the version that wrote it had."""
    quoted = name(column)
    if actual == wanted:
        return quoted
    if actual is None:
        return f"NULL::{wanted} AS {quoted}"
    value = quoted
    if wanted.endswith(LIST) and not actual.endswith(LIST):
        value = f"CASE WHEN {quoted} IS NOT NULL THEN [{quoted}] END"
    elif actual.endswith(LIST) and not wanted.endswith(LIST):
        value = f"{quoted}[1]"
    return f"TRY_CAST({value} AS {wanted}) AS {quoted}"


def address_value(field: Field) -> str:
    """SQL of each address of a row as one 128-bit number, which groups fastest."""
    if field.multi:
        return f"('0x' || hex(unnest(list_distinct({name(field.column or '')}))))::UHUGEINT"
    high, low = (name(column) for column in columns(field))
    return f"{high}::UHUGEINT * {1 << 64} + {low}"


def address_bytes(number: int) -> bytes:
    """16 bytes of a 128-bit address, as lists hold them."""
    return number.to_bytes(16, "big")


def beyond(field: Field, value: str, last: Any) -> Sql:
    """SQL that is true for values behind one that came out of a row; an address comes as a number."""
    if field.kind == "ip":
        return Sql(f"{value} > ?::UHUGEINT", (str(last),))
    return Sql(f"{value} > ?", (last,))


def shown(field: Field, value: Any) -> Any:
    """A value as documents write it; an address comes as a number."""
    return format_address(value) if field.kind == "ip" else value
