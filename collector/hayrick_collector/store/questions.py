"""What every store checks of a question before it answers: names of fields, metrics, tags."""

from __future__ import annotations

from collections.abc import Iterable

from hayrick_collector.expression import Catalogue, Field

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
    """The field that a metric adds up; ValueError if it is no single whole number of every session."""
    field = known(catalogue, METRICS.get(metric, metric))
    if field.table != "sessions" or field.kind != "integer" or field.multi or field.counts or field.any_of:
        raise ValueError(f"{metric} cannot be added up: it is no single whole number of every session")
    return field


def tag_names(names: Iterable[str]) -> list[str]:
    """Distinct and not empty; ValueError otherwise."""
    listed = list(dict.fromkeys(names))
    if any(not name or "\0" in name for name in listed):
        raise ValueError("a tag cannot be empty")
    return listed
