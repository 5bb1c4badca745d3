"""A plain evaluation of the tree over one document: the second opinion that stores are held against."""

from __future__ import annotations

import re
from typing import Any

from tests.collector.store.batches import address_number

from hayrick_collector.expression import (
    And,
    Exists,
    Field,
    Interval,
    Match,
    Node,
    Not,
    Or,
    Regex,
    Term,
    Wildcard,
    Words,
)
from hayrick_collector.expression.values import split_words
from hayrick_collector.expression.wildcard import Wild, split
from hayrick_collector.store.documents import values


def holds(node: Node, document: dict[str, Any]) -> bool:
    """Whether the document is one that the tree means."""
    match node:
        case And(items):
            return all(holds(item, document) for item in items)
        case Or(items):
            return any(holds(item, document) for item in items)
        case Not(item):
            return not holds(item, document)
        case Exists(field):
            return bool(stored(field, document))
        case Match(field, tests):
            return any(passes(test, value) for test in tests for value in stored(field, document))


def stored(field: Field, document: dict[str, Any]) -> list[Any]:
    """Values in the form the tree compares: addresses as numbers."""
    if field.counts:
        number = len(values(document, field.column or ""))
        return [number] if number else []
    found = values(document, field.column or "")
    return [address_number(value) for value in found] if field.kind == "ip" else found


def passes(test: Any, value: Any) -> bool:
    match test:
        case Term(wanted):
            return bool(value == wanted)
        case Interval(low, high):
            return (low is None or value >= low) and (high is None or value <= high)
        case Wildcard(pattern):
            parts = (re.escape(part) if isinstance(part, str) else _WILD[part] for part in split(pattern))
            return re.fullmatch("".join(parts), value, re.DOTALL) is not None
        case Regex(pattern):
            return re.fullmatch(pattern, value, re.DOTALL) is not None
        case Words(words):
            return set(words) <= set(split_words(value))
    raise TypeError(test)


_WILD = {Wild.RUN: ".*", Wild.ONE: "."}
