"""Saved views: an expression under a name, with the columns, order and time range it is looked at with."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from hayrick_collector.desk.named import Named, NamedThings

STEPS = (
    """
CREATE TABLE views (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, owner TEXT NOT NULL, shared INTEGER NOT NULL, expression TEXT NOT NULL,
    columns TEXT NOT NULL, sort TEXT NOT NULL, span TEXT NOT NULL, changed_ms INTEGER NOT NULL, UNIQUE (owner, name)
) STRICT;
CREATE INDEX views_by_name ON views (name);
""",
)


@dataclass(frozen=True, slots=True)
class View(Named):
    """`columns`: names of fields in documents. `sort`: as the API's `sort`. `span`: the time range as the page writes
    it (`24h`, or two times with a slash between), empty for all times."""

    expression: str = ""
    columns: tuple[str, ...] = ()
    sort: str = ""
    span: str = ""


class Views(NamedThings[View]):
    """Views by person: a name is one's own first, then that of a shared view."""

    table = "views"

    def columns(self, thing: View) -> dict[str, Any]:
        return {
            "expression": thing.expression, "columns": json.dumps(thing.columns), "sort": thing.sort,
            "span": thing.span,
        }  # fmt: skip

    def thing(self, row: sqlite3.Row) -> View:
        return View(**{**dict(row), "shared": bool(row["shared"]), "columns": tuple(json.loads(row["columns"]))})
