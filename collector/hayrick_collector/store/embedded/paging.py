"""Order and cursor of a page: sort keys as SQL, and the condition for what comes after the last session seen."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hayrick_collector.expression.fields import Field
from hayrick_collector.store.embedded import columns
from hayrick_collector.store.embedded.sql import FALSE, Sql, all_of, any_of, name
from hayrick_collector.store.interface import Direction

KEYS_AT = 3  # of a row: id, file, row, sort values


@dataclass(frozen=True, slots=True)
class Key:
    """One sort key: the SQL of its value over the columns of its table, and its direction."""

    field: Field
    direction: Direction

    def value(self, table: str) -> str:
        """One comparable value a row: the least of many upwards, the greatest downwards; an address as 16 bytes."""
        field = self.field
        if field.kind == "ip" and not columns.is_list(field):
            high, low = (f"{table}.{name(column)}" for column in columns.columns(field))
            return f"CASE WHEN {high} IS NOT NULL THEN unhex(printf('%016x%016x', {high}, {low})) END"
        column = f"{table}.{name(field.column or '')}"
        if field.counts:
            return f"nullif(len({column}), 0)"
        return f"list_{'min' if self.direction == 'asc' else 'max'}({column})" if field.multi else column


def encode(values: Sequence[Any], session_id: str) -> str:
    """A cursor that is behind this session."""
    plain = [{"b": value.hex()} if isinstance(value, bytes) else value for value in (*values, session_id)]
    return base64.urlsafe_b64encode(json.dumps(plain, separators=(",", ":")).encode()).decode().rstrip("=")


def decode(cursor: str, keys: int) -> list[Any]:
    """The sort values and the id in a cursor; ValueError if it is of another search."""
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        values = [bytes.fromhex(value["b"]) if isinstance(value, dict) else value for value in found]
    except (ValueError, binascii.Error, KeyError, TypeError):
        raise ValueError("this cursor is not one that a search gave") from None
    if len(values) != keys + 1 or not isinstance(values[-1], str):
        raise ValueError("this cursor belongs to a search with another order")
    return values


def order(keys: Sequence[Key]) -> str:
    """ORDER BY over the columns k0, k1, ... and id."""
    return ", ".join([*(f"k{number} {key.direction.upper()} NULLS LAST" for number, key in enumerate(keys)), "id"])


def after(keys: Sequence[Key], values: Sequence[Any]) -> Sql:
    """What comes after these values: equal up to some key and beyond it there, or equal in all with a greater id."""
    ways: list[Sql] = []
    equal: list[Sql] = []
    for number, (key, value) in enumerate(zip(keys, values, strict=False)):
        ways.append(all_of([*equal, _beyond(f"k{number}", key.direction, value)]))
        equal.append(Sql(f"k{number} IS NOT DISTINCT FROM ?", (value,)))
    ways.append(all_of([*equal, Sql("id > ?", (values[-1],))]))
    return any_of(ways)


def merged(keys: Sequence[Key], rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows of several answers in the order of one."""
    found = sorted(rows, key=lambda row: row[0])
    for number, key in reversed(list(enumerate(keys, KEYS_AT))):
        have = [row for row in found if row[number] is not None]
        have.sort(key=lambda row: row[number], reverse=key.direction == "desc")
        found = [*have, *(row for row in found if row[number] is None)]
    return found


def _beyond(column: str, direction: Direction, value: Any) -> Sql:
    if value is None:  # absent values are last: nothing is beyond them
        return FALSE
    sign = ">" if direction == "asc" else "<"
    return Sql(f"({column} {sign} ? OR {column} IS NULL)", (value,))
