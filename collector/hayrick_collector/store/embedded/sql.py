"""Pieces of SQL with their parameters, so that no value ever becomes part of the text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sql:
    """Text with `?` in it, and what stands for each."""

    text: str
    parameters: tuple[Any, ...] = ()

    def __add__(self, other: Sql | str) -> Sql:
        other = other if isinstance(other, Sql) else Sql(other)
        return Sql(self.text + other.text, self.parameters + other.parameters)

    def __radd__(self, other: str) -> Sql:
        return Sql(other + self.text, self.parameters)


TRUE, FALSE = Sql("true"), Sql("false")


def join(separator: str, pieces: Iterable[Sql]) -> Sql:
    """The pieces with the separator between them."""
    listed = list(pieces)
    return Sql(separator.join(piece.text for piece in listed), tuple(p for piece in listed for p in piece.parameters))


def all_of(pieces: Iterable[Sql]) -> Sql:
    """AND; no pieces: true."""
    listed = list(pieces)
    return "(" + join(" AND ", listed) + ")" if listed else TRUE


def any_of(pieces: Iterable[Sql]) -> Sql:
    """OR; no pieces: false."""
    listed = list(pieces)
    return "(" + join(" OR ", listed) + ")" if listed else FALSE


def name(column: str) -> str:
    """A quoted identifier."""
    return '"' + column.replace('"', '""') + '"'


def text(value: str) -> str:
    """A quoted string, for where DuckDB takes no parameter."""
    return "'" + value.replace("'", "''") + "'"
