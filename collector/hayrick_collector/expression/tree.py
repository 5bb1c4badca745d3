"""The one tree that every store compiles: conditions on fields of the catalogue, with values already in stored form.

Each condition on a multi-valued field holds when *any* of its values passes; `Not` negates the whole, so a session
without the field passes a negated condition. The tree knows nothing of any store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from hayrick_collector.expression.fields import Field


@dataclass(frozen=True, slots=True)
class Term:
    """Equal to this value, which has the case the field is stored in."""

    value: str | bool


@dataclass(frozen=True, slots=True)
class Wildcard:
    r"""The whole value fits: `*` any run of characters, `?` any one, `\` takes the next literally."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Regex:
    """The whole value fits; the dialect is what RE2, Lucene and Python read alike (see `regex.py`)."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Interval:
    """An integer from `low` to `high`, both included, None: open.

    Times are milliseconds since 1970. Addresses are 128-bit numbers, IPv4 as ::ffff:a.b.c.d.
    """

    low: int | None
    high: int | None


@dataclass(frozen=True, slots=True)
class Words:
    """One value holds all of these words, in any order; words are runs of letters and digits, in lower case."""

    words: tuple[str, ...]


Test: TypeAlias = Term | Wildcard | Regex | Interval | Words


@dataclass(frozen=True, slots=True)
class Match:
    """Some value of the field passes some of the tests; no tests: never."""

    field: Field
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """The field has a value."""

    field: Field


@dataclass(frozen=True, slots=True)
class Not:
    item: Node


@dataclass(frozen=True, slots=True)
class And:
    """All hold; empty: every session."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Some hold; empty: no session."""

    items: tuple[Node, ...]


Node: TypeAlias = Match | Exists | Not | And | Or
EVERYTHING = And(())


def conjunction(items: Iterable[Node]) -> Node:
    """`And` of the items, without nesting or a lone member."""
    flat = tuple(inner for item in items for inner in (item.items if isinstance(item, And) else (item,)))
    return flat[0] if len(flat) == 1 else And(flat)


def disjunction(items: Iterable[Node]) -> Node:
    """`Or` of the items, without nesting or a lone member."""
    flat = tuple(inner for item in items for inner in (item.items if isinstance(item, Or) else (item,)))
    return flat[0] if len(flat) == 1 else Or(flat)


def negation(item: Node) -> Node:
    """`Not` of the item; two cancel out."""
    return item.item if isinstance(item, Not) else Not(item)


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below."""
    match node:
        case And(items) | Or(items):
            return items
        case Not(item):
            return (item,)
        case _:
            return ()


def depth(node: Node) -> int:
    """Levels of the tree, counted without recursion: it is asked before anything recurses."""
    level, current = 0, [node]
    while current:
        level += 1
        current = [below for each in current for below in children(each)]
    return level


def leaves(node: Node) -> Iterator[Match | Exists]:
    """Every condition in the tree."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Match | Exists):
            yield each
        waiting.extend(children(each))
