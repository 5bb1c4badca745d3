"""Rows of sessions to a Parquet file for people: addresses as text, times as timestamps."""

from __future__ import annotations

from pathlib import Path

from hayrick_collector.expression import Field
from hayrick_collector.expression.fields import DATE_KINDS
from hayrick_collector.store.embedded.duck import Limits, connect
from hayrick_collector.store.embedded.sql import name, text

_LIMITS = Limits(memory="512MB", threads=1)
_ROW_GROUP = 20_480
_TYPES = {"integer": "BIGINT", "boolean": "BOOLEAN", **dict.fromkeys(DATE_KINDS, "BIGINT")}


def write_parquet(rows: Path, out: Path, fields: list[Field]) -> None:
    """Rows are objects, one a line, of values by the fields' names in documents. Blocking; memory is bounded, and both
    files are in one folder, which takes what memory does not."""
    types = {field.document: _TYPES.get(field.kind, "VARCHAR") + ("[]" if field.multi else "") for field in fields}
    if not types:  # no session at all: a file with a column that is always there
        types = {"id": "VARCHAR"}
    picked = ", ".join(_picked(field) for field in fields) or "id"
    known = "{" + ", ".join(f"{name(each)}: {text(kind)}" for each, kind in types.items()) + "}"
    source = f"read_json(?, format = 'newline_delimited', columns = {known})"
    with connect(rows.parent, rows.parent, _LIMITS, ordered=True) as connection:
        connection.execute(
            f"COPY (SELECT {picked} FROM {source}) TO {text(str(out))}"
            f" (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP})",
            [str(rows)],
        )


def _picked(field: Field) -> str:
    column = name(field.document)
    if field.kind not in DATE_KINDS:
        return column
    if field.multi:
        return f"list_transform({column}, lambda each: make_timestamp(each * 1000)) AS {column}"
    return f"make_timestamp({column} * 1000) AS {column}"
