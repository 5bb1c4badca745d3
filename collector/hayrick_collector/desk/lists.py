"""Lists of values under a name, which `$name` stands for in an expression."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from hayrick_collector.desk.named import Named, NamedThings

STEPS = (
    """
CREATE TABLE lists (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, owner TEXT NOT NULL, shared INTEGER NOT NULL, kind TEXT NOT NULL,
    items TEXT NOT NULL, about TEXT NOT NULL, changed_ms INTEGER NOT NULL, UNIQUE (owner, name)
) STRICT;
CREATE INDEX lists_by_name ON lists (name);
""",
)
MOST_VALUES = 100_000


@dataclass(frozen=True, slots=True)
class ValueList(Named):
    """`kind` is a word for people (`ip`, `host`, `hash`, `text`); `values` stand as in an expression, unquoted."""

    kind: str = "text"
    values: tuple[str, ...] = ()
    about: str = ""


class Lists(NamedThings[ValueList]):
    """Lists by person: a name is one's own first, then that of a shared list."""

    table = "lists"

    def columns(self, thing: ValueList) -> dict[str, Any]:
        return {"kind": thing.kind, "items": json.dumps(thing.values), "about": thing.about}

    def thing(self, row: sqlite3.Row) -> ValueList:
        columns = dict(row)
        values = tuple(json.loads(columns.pop("items")))
        return ValueList(**{**columns, "shared": bool(row["shared"]), "values": values})
