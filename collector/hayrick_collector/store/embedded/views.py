"""The embedded store as tables for people's own SQL: a view a protocol, addresses as text, times as timestamps.

Only one SELECT is taken, and it is asked of a DuckDB that reaches no file outside the store, its settings locked.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from hayrick_collector.expression import Catalogue, Field
from hayrick_collector.expression.fields import DATE_KINDS
from hayrick_collector.store.embedded import columns, sql, tags
from hayrick_collector.store.embedded.duck import Limits, connect, is_missing_file
from hayrick_collector.store.embedded.layout import SESSIONS, Layout
from hayrick_collector.store.embedded.relations import Relations
from hayrick_collector.store.embedded.snapshot import Snapshots
from hayrick_common.errors import StoreError, UsageError

_PAGE = 1000
_INTERRUPT_EVERY_S = 0.05
_OCTETS = "||'.'||".join(f"((lo >> {shift}) & 255)" for shift in (24, 16, 8, 0))
_GROUPS = "||':'||".join(
    f"format('{{:x}}', ({half} >> {shift}) & 65535)" for half in ("hi", "lo") for shift in (48, 32, 16, 0)
)
_SHORTEST = " ".join(
    f"WHEN contains(full_text, '{':0' * number}:') THEN regexp_replace(full_text, '{':0' * number}:', '::')"
    for number in range(8, 1, -1)
)
_FULL = f"':'||{_GROUPS}||':'"
_BYTES = "('0x'||left(hex(bytes), 16))::UBIGINT, ('0x'||right(hex(bytes), 16))::UBIGINT"
_MACROS = {
    "v6_short(full_text)": f"CASE {_SHORTEST} ELSE full_text END",
    "v6_trim(short)": "regexp_replace(regexp_replace(short, '^:([^:])', '\\1'), '([^:]):$', '\\1')",
    "address(hi, lo)": f"CASE WHEN hi = 0 AND (lo >> 32) = 65535 THEN {_OCTETS} ELSE v6_trim(v6_short({_FULL})) END",
    "address_of(bytes)": f"address({_BYTES})",
}


@dataclass(frozen=True, slots=True)
class Table:
    """A table that SQL sees: its columns' names, with the field that each holds."""

    name: str
    columns: Mapping[str, Field]


def views(catalogue: Catalogue) -> dict[str, Table]:
    """`sessions` and a table a protocol; a column is named as in documents, with `_` for dots, without the table's own
    name before it."""
    found: dict[str, dict[str, Field]] = {}
    for field in catalogue.fields:
        if field.column is not None and not field.counts and field.column == field.document:
            named = re.sub(r"\W", "_", field.document.removeprefix(f"{field.table}."))
            found.setdefault(field.table, {}).setdefault(named, field)
    return {
        name: Table(name, each) for name, each in sorted(found.items(), key=lambda item: (item[0] != SESSIONS, item))
    }


@dataclass(frozen=True, slots=True)
class Answer:
    """Names of columns, and the rows, a page at a time."""

    columns: tuple[str, ...]
    pages: Iterator[list[tuple[Any, ...]]]


def ask(root: Path, catalogue: Catalogue, statement: str, limits: Limits, *, deadline_s: float) -> Answer:
    """What the statement answers about the store in `root` as it is now. Blocking; take the pages before the deadline.

    Raises UsageError for what is no single SELECT or what DuckDB cannot make sense of, StoreError past the limits.
    """
    layout = Layout(root.absolute())
    layout.create()
    until = time.monotonic() + deadline_s
    with ExitStack() as failing:
        connection = failing.enter_context(connect(layout.root, layout.spill, limits))
        _refuse_all_but_one_select(connection, statement)
        _define(connection, layout, catalogue, statement)
        with _bounded(connection, until):
            result = connection.execute(statement)
        failing.pop_all()  # from here on the pages close it
    names = tuple(str(each[0]) for each in result.description or ())
    return Answer(names, _pages(connection, result, until))


def _refuse_all_but_one_select(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    try:
        found = connection.extract_statements(statement)
    except duckdb.Error as error:
        raise UsageError(_first_lines(error)) from None
    if len(found) != 1 or found[0].type.name != "SELECT":
        raise UsageError("only one SELECT is taken here: the store is read, never written")


def _define(connection: duckdb.DuckDBPyConnection, layout: Layout, catalogue: Catalogue, statement: str) -> None:
    """Make the views that the statement names."""
    relations = Relations(Snapshots(layout).current().live(), tags.listed(layout))
    for head, body in _MACROS.items():
        connection.execute(f"CREATE MACRO {head} AS {body}")
    for view in views(catalogue).values():
        if re.search(rf"\b{view.name}\b", statement, re.IGNORECASE):
            connection.execute(_definition(view, relations))


def _definition(view: Table, relations: Relations) -> str:
    stored = {name: kind for field in view.columns.values() for name, kind in columns.columns(field).items()}
    relation = relations.table(view.name, stored)
    picked = ", ".join(f"{_shown(field)} AS {sql.name(name)}" for name, field in view.columns.items())
    first = "" if "id" in view.columns else "id, "
    if relation is None:
        nothing = ", ".join(f"NULL::{kind} AS {sql.name(name)}" for name, kind in {"id": "VARCHAR", **stored}.items())
        source = f"(SELECT {nothing} WHERE false)"
    else:
        source = _literally(relation)
    return f"CREATE VIEW {sql.name(view.name)} AS SELECT {first}{picked} FROM {source}"


def _shown(field: Field) -> str:
    """SQL of a field's values for people."""
    column = sql.name(field.column or "")
    if field.kind == "ip" and not field.multi:
        high, low = (sql.name(each) for each in columns.columns(field))
        return f"address({high}, {low})"
    if field.kind == "ip":
        return f"list_transform({column}, lambda each: address_of(each))"
    if field.kind in DATE_KINDS:
        moment = "lambda each: make_timestamp(each * 1000)"
        return f"list_transform({column}, {moment})" if field.multi else f"make_timestamp({column} * 1000)"
    return column


def _literally(piece: sql.Sql) -> str:
    """The SQL with its parameters, which are texts and lists of them, written into it: a view takes none."""
    parts = piece.text.split("?")
    if len(parts) != len(piece.parameters) + 1:
        raise ValueError("a question mark that stands for no parameter")
    return parts[0] + "".join(_literal(value) + part for value, part in zip(piece.parameters, parts[1:], strict=True))


def _literal(value: object) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_literal(each) for each in value) + "]"
    return sql.text(str(value))


def _pages(
    connection: duckdb.DuckDBPyConnection, result: duckdb.DuckDBPyConnection, until: float
) -> Iterator[list[tuple[Any, ...]]]:
    with connection:
        while True:
            with _bounded(connection, until):
                page = result.fetchmany(_PAGE)
            if not page:
                return
            yield page


@contextmanager
def _bounded(connection: duckdb.DuckDBPyConnection, until: float) -> Iterator[None]:
    """Ends what the connection does when its time is over; DuckDB's errors become the store's and the user's."""
    done = threading.Event()
    watch = threading.Thread(target=_interrupt, args=(connection, until, done), daemon=True)
    watch.start()
    try:
        yield
    except duckdb.InterruptException:
        raise StoreError("the statement takes longer than allowed; narrow it, or raise --timeout") from None
    except (duckdb.OutOfMemoryException, MemoryError):
        raise StoreError("the statement needs more memory than allowed; narrow it, or raise --memory") from None
    except duckdb.Error as error:
        if is_missing_file(error):
            raise StoreError("the store's files changed meanwhile; ask again") from error
        raise UsageError(_first_lines(error)) from None
    finally:
        done.set()
        watch.join()


def _interrupt(connection: duckdb.DuckDBPyConnection, until: float, done: threading.Event) -> None:
    """Again and again once the time is over: an interrupt between two steps of a query is lost."""
    wait = max(until - time.monotonic(), 0.0)
    while not done.wait(wait):
        connection.interrupt()
        wait = _INTERRUPT_EVERY_S


def _first_lines(error: duckdb.Error) -> str:
    return "\n".join(str(error).splitlines()[:8])


def described(catalogue: Catalogue) -> list[tuple[str, Sequence[tuple[str, str, str]]]]:
    """Each table with its columns: name, kind, help."""
    return [
        (
            view.name,
            [(name, field.kind + ("[]" if field.multi else ""), field.help) for name, field in view.columns.items()],
        )
        for view in views(catalogue).values()
    ]
