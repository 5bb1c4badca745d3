"""The expression's tree to Elasticsearch's query DSL; every query here is a filter, nothing is scored."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any, TypeAlias

from hayrick_collector.expression.addresses import LAST, format_address
from hayrick_collector.expression.fields import DATE_KINDS, Field
from hayrick_collector.expression.tree import (
    And,
    Exists,
    Interval,
    Match,
    Node,
    Not,
    Or,
    Regex,
    Term,
    Test,
    Wildcard,
    Words,
)
from hayrick_collector.store.elasticsearch import lucene
from hayrick_collector.store.elasticsearch.mapping import WORDS, WORDS_GAP, path

Dsl: TypeAlias = dict[str, Any]
NOTHING: Dsl = {"match_none": {}}
EVERYTHING: Dsl = {"match_all": {}}
_LEVELS = 20  # Elasticsearch parses at most 30 levels of queries at once
_FARTHEST_MS = 1 << 62  # beyond any time that is stored, within what a date may be compared with
_MOST_TERMS = 50_000  # of one query; a saved list may hold more
_MOST_STATES = 10_000  # of a regex's automaton: a fraction of a second for each index


def compiled(node: Node) -> Dsl:
    """The query of a tree."""
    return _node(node, 0)


def _node(node: Node, level: int) -> Dsl:
    if level and level % _LEVELS == 0 and isinstance(node, And | Or | Not):
        return _wrapped(_node(node, level + 1))
    match node:
        case And(items):
            return {"bool": {"filter": [_node(item, level + 1) for item in items]}} if items else EVERYTHING
        case Or(items):
            return any_of([_node(item, level + 1) for item in items])
        case Not(item):
            return {"bool": {"must_not": [_node(item, level + 1)]}}
        case Exists(field):
            return {"exists": {"field": path(field)}}
        case Match(field, tests):
            return _match(field, tests)


def _wrapped(query: Dsl) -> Dsl:
    """Parsed on its own, with levels counted afresh."""
    return {"wrapper": {"query": base64.b64encode(json.dumps(query).encode()).decode()}}


def any_of(queries: list[Dsl]) -> Dsl:
    """Any of them holds."""
    if len(queries) < 2:
        return queries[0] if queries else NOTHING
    return {"bool": {"should": queries, "minimum_should_match": 1}}


def _match(field: Field, tests: Iterable[Test]) -> Dsl:
    exact: list[str | int | bool] = []
    others: list[Dsl] = []
    for test in tests:
        value = _exact(field, test)
        if value is not None:
            exact.append(value)
        else:
            others.append(_test(field, path(field), test))
    portions = [exact[at : at + _MOST_TERMS] for at in range(0, len(exact), _MOST_TERMS)]
    return any_of([{"terms": {path(field): each}} for each in portions] + others)


def _exact(field: Field, test: Test) -> str | int | bool | None:
    """The one value that passes the test, if there is only one."""
    if isinstance(test, Term):
        return test.value
    if isinstance(test, Interval) and test.low is not None and test.low == test.high:
        return _edge(field, test.low)
    return None


def _test(field: Field, name: str, test: Test) -> Dsl:
    match test:
        case Term(value):
            return {"term": {name: value}}
        case Interval(low, high):
            return _between(field, name, low, high)
        case Wildcard("*"):
            return {"exists": {"field": name}}
        case Wildcard(pattern):
            return {"wildcard": {name: {"value": pattern}}}
        case Regex(pattern):
            value = lucene.pattern(pattern)
            return {"regexp": {name: {"value": value, "flags": "NONE", "max_determinized_states": _MOST_STATES}}}
        case Words(words):
            return _words(f"{name}.{WORDS}", words)


def _between(field: Field, name: str, low: int | None, high: int | None) -> Dsl:
    if low is not None and high is not None and low > high:
        return NOTHING
    edges = {"gte": low, "lte": high}
    limits = {edge: _edge(field, value) for edge, value in edges.items() if value is not None}
    return {"range": {name: limits}} if limits else {"exists": {"field": name}}


def _edge(field: Field, number: int) -> str | int:
    if field.counts:
        return number
    if field.kind == "ip":
        return format_address(max(0, min(number, LAST)))
    if field.kind in DATE_KINDS:
        return max(-_FARTHEST_MS, min(number, _FARTHEST_MS))
    return number


def _words(name: str, words: tuple[str, ...]) -> Dsl:
    """All within one value: values stand further apart than a value is long."""
    if len(words) == 1:
        return {"match": {name: {"query": words[0]}}}
    intervals = [{"match": {"query": word}} for word in dict.fromkeys(words)]
    return {"intervals": {name: {"all_of": {"intervals": intervals, "max_gaps": WORDS_GAP - 1}}}}
