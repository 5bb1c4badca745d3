"""Completion with what only a collector knows: the values that its sessions have, as far as the store tells in time."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from typing import Any

from hayrick_collector.expression import Field, wildcard
from hayrick_collector.expression.candidates import stored
from hayrick_collector.expression.completion import LIMIT, Completion
from hayrick_collector.expression.fields import DATE_KINDS, TERM_KINDS, TEXT_KINDS
from hayrick_collector.store import Query, Store
from hayrick_common.errors import StoreError

DEADLINE_S = 2.0
_LOOKED_AT = 200  # commonest values of the field, of which those that fit are offered


def offers_values(found: Completion) -> bool:
    """Whether values of sessions may stand where the cursor is."""
    field = found.field
    if field is None or field.kind in (*DATE_KINDS, *TEXT_KINDS) or found.typed[:1] in ("$", "/"):
        return False
    return not any(name.endswith(".utf8") for name in (field.expression, *field.any_of))  # typed as text, kept as hex


def narrowing(field: Field, typed: str) -> str:
    """The expression of the sessions whose values are looked at, which the store answers sooner than for all."""
    if field.kind not in TERM_KINDS or not typed.rstrip("*"):
        return ""
    plain = re.sub(r"\\(.)", r"\1", typed.rstrip("*"))
    return f'{field.expression} == "' + wildcard.escape(plain).replace('"', '\\"') + '*"'


async def with_values(found: Completion, store: Store, query: Query) -> tuple[Completion, bool]:
    """The completion with stored values, and whether the store told them in time."""
    if found.field is None:
        return found, True
    asked = replace(query, deadline_s=DEADLINE_S, total=False)
    try:
        facets = await store.facets(asked, found.field.expression, _LOOKED_AT)
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
