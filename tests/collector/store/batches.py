"""Batches of sessions made from plain documents, in the shape that the decoder gives: Arrow tables and JSON."""

from __future__ import annotations

import io
import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from hayrick_collector.expression import Catalogue, Field
from hayrick_collector.store.documents import values

_TYPES: dict[str, type[pl.DataType]] = {
    "integer": pl.Int64,
    "date": pl.Int64,
    "seconds": pl.Int64,
    "boolean": pl.Boolean,
}


_DUCKDB_TYPES = {
    "String": "VARCHAR",
    "Int64": "BIGINT",
    "UInt64": "UBIGINT",
    "Boolean": "BOOLEAN",
    "Binary": "BLOB",
}


class FrameTable:
    """A polars frame as a store takes a table."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    @property
    def num_rows(self) -> int:
        return self._frame.height

    @property
    def columns(self) -> Sequence[str]:
        return self._frame.columns

    @property
    def types(self) -> Sequence[str]:
        return [
            f"{_DUCKDB_TYPES[str(each.inner)]}[]" if isinstance(each, pl.List) else _DUCKDB_TYPES[str(each)]
            for each in self._frame.dtypes
        ]

    def span(self, column: str) -> tuple[Any, Any] | None:
        values = self._frame[column]
        return (values.min(), values.max()) if values.count() else None

    def parquet(self, more: list[FrameTable], rows_a_group: int) -> bytes:
        out = io.BytesIO()
        frames = [self._frame, *(each._frame for each in more)]
        pl.concat(frames).write_parquet(out, row_group_size=rows_a_group)
        return out.getvalue()


class DocumentBatch:
    """Sessions given as documents, each with `id`, `chunk`, `firstPacket` and `lastPacket` at least."""

    def __init__(self, documents: Iterable[Mapping[str, Any]], catalogue: Catalogue) -> None:
        self._documents = [dict(each) for each in documents]
        self._catalogue = catalogue

    def __len__(self) -> int:
        return len(self._documents)

    def tables(self) -> dict[str, FrameTable]:
        made = {table: self._table(table) for table in {field.table for field in self._stored()}}
        without = [{k: v for k, v in each.items() if not k.startswith("packet")} for each in self._documents]
        ids = pl.Series("id", [each["id"] for each in self._documents], pl.String)
        made["documents"] = pl.DataFrame([ids, pl.Series("document", [json.dumps(each) for each in without])])
        places = {name: [each.get(name, []) for each in self._documents] for name in ("packetPos", "packetLen")}
        lists = [pl.Series(name, values, pl.List(pl.Int64)) for name, values in places.items()]
        made["packets"] = pl.DataFrame([ids, *lists])
        return {name: FrameTable(frame) for name, frame in made.items()}

    def ndjson(self) -> bytes:
        return b"".join(json.dumps(each).encode() + b"\n" for each in self._documents)

    def bulk(self, chunk: str, stamp: int, most_items: int, most_bytes: int) -> None:
        """Documents of tests may say anything: the store looks at each."""

    def _stored(self) -> list[Field]:
        return [field for field in self._catalogue.fields if field.column is not None and not field.counts]

    def _table(self, table: str) -> pl.DataFrame:
        fields = {
            field.column: field for field in self._stored() if field.table == table and "okens" not in field.document
        }
        series: dict[str, pl.Series] = {"id": pl.Series("id", [each["id"] for each in self._documents], pl.String)}
        for field in fields.values():
            for made in _series(field, self._documents):
                series[made.name] = made
        frame = pl.DataFrame(list(series.values()))
        if table == "sessions":
            return frame
        return frame.filter(pl.any_horizontal(pl.col(frame.columns[1:]).is_not_null()))


def _series(field: Field, documents: list[dict[str, Any]]) -> list[pl.Series]:
    rows = [values(each, field.document) for each in documents]
    name = field.column or ""
    if field.kind == "ip" and not field.multi:
        numbers = [address_number(row[0]) if row else None for row in rows]
        high = [None if number is None else number >> 64 for number in numbers]
        low = [None if number is None else number & ((1 << 64) - 1) for number in numbers]
        return [pl.Series(f"{name}.hi", high, pl.UInt64), pl.Series(f"{name}.lo", low, pl.UInt64)]
    kind: Any = pl.Binary if field.kind == "ip" else _TYPES.get(field.kind, pl.String)
    stored = [[_stored_value(field, value) for value in row] for row in rows]
    if field.multi:
        return [pl.Series(name, [row or None for row in stored], pl.List(kind))]
    return [pl.Series(name, [row[0] if row else None for row in stored], kind)]


def _stored_value(field: Field, value: Any) -> Any:
    if field.kind == "ip":
        return address_number(value).to_bytes(16, "big")
    if field.kind in ("integer", "date", "seconds"):
        return int(value)
    return value if field.kind == "boolean" else str(value)


def address_number(text: str) -> int:
    """128 bits, IPv4 as ::ffff:a.b.c.d."""
    address = ipaddress.ip_address(text)
    return int(address) + (0xFFFF << 32 if address.version == 4 else 0)
