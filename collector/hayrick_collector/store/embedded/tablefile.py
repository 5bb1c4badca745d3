"""Rows of sessions to a Parquet file for people: addresses as text, times as timestamps."""

from __future__ import annotations

from pathlib import Path

import duckdb

from hayrick_collector.expression import Field
from hayrick_collector.expression.fields import DATE_KINDS
from hayrick_collector.store.embedded.sql import name, text

_MEMORY = "512MB"
_ROW_GROUP = 20_480
_TYPES = {"integer": "BIGINT", "boolean": "BOOLEAN", **dict.fromkeys(DATE_KINDS, "BIGINT")}


def write_parquet(rows: Path, out: Path, fields: list[Field]) -> None:
    """Rows are objects, one a line, of values by the fields' names in documents. Blocking; memory is bounded."""
    types = {field.document: _TYPES.get(field.kind, "VARCHAR") + ("[]" if field.multi else "") for field in fields}
    if not types:  # no session at all: a file with a column that is always there
        types = {"id": "VARCHAR"}
    picked = ", ".join(_picked(field) for field in fields) or "id"
    known = "{" + ", ".join(f"{name(each)}: {text(kind)}" for each, kind in types.items()) + "}"
    source = f"read_json(?, format = 'newline_delimited', columns = {known})"
    connection = duckdb.connect(config={"memory_limit": _MEMORY, "threads": 1, "temp_directory": str(rows.parent)})
    with connection:
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
