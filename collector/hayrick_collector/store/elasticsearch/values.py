"""Values of fields in answers, and the made-up field that holds those of several: each value of a session once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hayrick_collector.expression import Field
from hayrick_collector.store.elasticsearch.mapping import kind, path

UNITED = "hayrick.united"
_UNITE = """
def found = new HashSet();
for (name in params.fields) { if (doc.containsKey(name)) { for (value in doc[name]) found.add(value); } }
for (value in found) emit(value);
"""


def united(members: Sequence[Field], called: str = UNITED) -> dict[str, Any]:
    """A runtime field with the values of all members."""
    type_of = kind(members[0]) if members else "keyword"
    script = {"source": _UNITE, "params": {"fields": [path(member) for member in members]}}
    return {called: {"type": "long" if type_of == "date" else type_of, "script": script}}


def shown(field: Field, value: Any) -> Any:
    """A bucket's key as documents write it."""
    return bool(value) if field.kind == "boolean" and not field.counts else value
