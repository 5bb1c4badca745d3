"""Completion with what only a collector knows: the values that its sessions have, as far as the store tells in time."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from hayrick_collector.expression import Field
from hayrick_collector.expression.candidates import stored
from hayrick_collector.expression.completion import LIMIT, Completion
from hayrick_collector.expression.fields import DATE_KINDS, TERM_KINDS, TEXT_KINDS
from hayrick_collector.expression.literal import resolved, written
from hayrick_collector.store import Query, Store
from hayrick_common.errors import StoreError

DEADLINE_S = 2.0
_LOOKED_AT = 200  # commonest values of the field, of which those that fit are offered


def field_of_values(found: Completion) -> Field | None:
    """The field whose values in sessions may stand where the cursor is, if they may."""
    field = found.field
    if field is None or field.kind in (*DATE_KINDS, *TEXT_KINDS) or found.typed[:1] in ("$", "/"):
        return None
    if any(name.endswith(".utf8") for name in (field.expression, *field.any_of)):  # typed as text, kept as hex
        return None
    return field


def narrowing(field: Field, typed: str) -> str:
    """The expression of the sessions whose values are looked at, which the store answers sooner than for all."""
    begun = typed.rstrip("*")
    if field.kind not in TERM_KINDS or not begun:
        return ""
    return f"{field.expression} == {written(resolved(begun), ending='*')}"


async def with_values(found: Completion, field: Field, store: Store, query: Query) -> tuple[Completion, bool]:
    """The completion with stored values of the field, and whether the store told them in time."""
    asked = replace(query, deadline_s=DEADLINE_S, total=False)
    try:
        facets = await store.facets(asked, field.expression, _LOOKED_AT)
    except (StoreError, TimeoutError):
        return found, False
    known = {each.text for each in found.candidates}
    more = stored(((each.value, each.sessions) for each in facets), found.typed)
    new = [each for each in more if each.text not in known]
    return replace(found, candidates=(*new, *found.candidates)[:LIMIT]), True


def as_document(found: Completion, *, in_time: bool) -> dict[str, Any]:
    """As `api.models.CompletionAnswer` has it."""
    error = found.error and {"message": str(found.error), "column": found.error.column, "found": found.error.found,
                             "expected": found.error.expected, "did_you_mean": found.error.similar}  # fmt: skip
    return {
        "start": found.start,
        "stop": found.stop,
        "expects": found.expects,
        "field": found.field.expression if found.field else None,
        "items": [asdict(each) for each in found.candidates],
        "in_time": in_time,
        "error": error,
    }
