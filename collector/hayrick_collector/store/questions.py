"""What every store checks of a question before it answers (names of fields, metrics, tags), and makes of answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from hayrick_collector.expression import Catalogue, Field
from hayrick_collector.store.interface import Graph, GraphNode, Link, Side, Value, Weight

Each = TypeVar("Each")
Behind = TypeVar("Behind")
METRICS = {"packets": "network.packets", "bytes": "network.bytes", "databytes": "totDataBytes"}


def known(catalogue: Catalogue, name: str) -> Field:
    """The field of this name; ValueError if the catalogue has none."""
    found = catalogue.find(name)
    if found is None:
        raise ValueError(f"unknown field {name}")
    return found


def sortable(catalogue: Catalogue, name: str) -> Field:
    """A field that is kept itself; ValueError for one that stands for others."""
    field = known(catalogue, name)
    if field.any_of or field.column is None:
        raise ValueError(f"{field.expression} is a group of fields; sort by one of {', '.join(field.any_of)}")
    return field


def addable(catalogue: Catalogue, metric: str) -> Field:
    """The field whose values a metric adds up; ValueError if they are no whole numbers."""
    field = known(catalogue, METRICS.get(metric, metric))
    if field.kind != "integer" or field.any_of or field.column is None:
        raise ValueError(f"{metric} cannot be added up: its values are no whole numbers")
    return field


def graph(found: Sequence[Link], limit: int, order: Weight) -> Graph:
    """The graph of the heaviest links, of which one more than the limit may be given."""
    links = found[:limit]
    sums: dict[Value, list[int]] = {}
    sides: dict[Value, set[Side]] = {}
    for link in links:
        for side, end in _ends(link):
            sides.setdefault(end, set()).add(side)
        for end in dict.fromkeys((link.source, link.destination)):
            weights = (1, link.sessions, link.packets, link.bytes)
            sums[end] = [had + more for had, more in zip(sums.get(end, (0, 0, 0, 0)), weights, strict=True)]
    nodes = [
        GraphNode(end, "both" if len(sides[end]) > 1 else next(iter(sides[end])), *weights)
        for end, weights in sums.items()
    ]
    nodes.sort(key=lambda node: -getattr(node, order))
    return Graph(nodes, links=list(links), more=len(found) > limit)


def _ends(link: Link) -> tuple[tuple[Side, Value], ...]:
    return ("source", link.source), ("destination", link.destination)


async def portions(
    ask: Callable[[int | None, Behind | None], Awaitable[tuple[list[Each], Behind | None]]], limit: int | None
) -> AsyncIterator[Each]:
    """At most `limit` in all. `ask` is given how many are left and what they are behind (None: from the first), and
    answers with some and with what the next ones are behind (None: there are no more)."""
    left, after = limit, None
    while left is None or left > 0:
        found, after = await ask(left, after)
        for each in found:
            yield each
        if after is None:
            return
        left = None if left is None else left - len(found)


def tag_names(names: Iterable[str]) -> list[str]:
    """Distinct and not empty; ValueError otherwise."""
    listed = list(dict.fromkeys(names))
    if any(not name or "\0" in name for name in listed):
        raise ValueError("a tag cannot be empty")
    return listed
