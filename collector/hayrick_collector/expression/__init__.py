"""Search expressions: one grammar, one tree, fields by the catalogue. `parse_expression` is the way in."""

from hayrick_collector.expression.fields import Catalogue, Field
from hayrick_collector.expression.parser import parse_expression
from hayrick_collector.expression.tree import (
    EVERYTHING,
    And,
    Exists,
    Interval,
    Match,
    Node,
    Not,
    Or,
    Regex,
    Term,
    Wildcard,
    Words,
    conjunction,
)

__all__ = [
    "EVERYTHING",
    "And",
    "Catalogue",
    "Exists",
    "Field",
    "Interval",
    "Match",
    "Node",
    "Not",
    "Or",
    "Regex",
    "Term",
    "Wildcard",
    "Words",
    "conjunction",
    "parse_expression",
]
