"""Order and cursor of a page. A cursor holds the sort values of the last session seen, so that it never expires and
holds nothing open on the cluster; the id settles ties, so pages meet.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from hayrick_collector.expression import Catalogue
from hayrick_collector.store.elasticsearch.mapping import kind, path
from hayrick_collector.store.interface import Direction
from hayrick_collector.store.questions import sortable

# Every session has these: sorted as what they are, the cluster skips what cannot be on the page.
_ALWAYS = ("firstPacket", "lastPacket")
_BY_ID = {"id": {"order": "asc", "unmapped_type": "keyword"}}


def order(catalogue: Catalogue, sort: Sequence[tuple[str, Direction]]) -> list[dict[str, Any]]:
    """The sort keys; ValueError for a field that cannot sort. Absent values come last, in both directions."""
    keys = []
    for name, direction in sort:
        field = sortable(catalogue, name)
        key = {"order": direction, "unmapped_type": kind(field)}
        if path(field) not in _ALWAYS:
            key["missing"] = "_last"
            if kind(field) == "date":  # as a number, absent ones can be told in a cursor
                key |= {"numeric_type": "long", "unmapped_type": "long"}
        keys.append({path(field): key})
    return [*keys, _BY_ID]


def encode(values: Sequence[Any]) -> str:
    """A cursor that is behind the session with these sort values."""
    return base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode().rstrip("=")


def decode(cursor: str, keys: int) -> list[Any]:
    """The sort values in a cursor; ValueError if it is of another search."""
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        raise ValueError("this cursor is not one that a search gave") from None
    if not isinstance(found, list) or len(found) != keys or not isinstance(found[-1], str):
        raise ValueError("this cursor belongs to a search with another order")
    return found
