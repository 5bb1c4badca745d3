"""The API's routes, a file a subject."""

from __future__ import annotations

from typing import Annotated, Protocol, TypeVar, cast

from fastapi import Depends, Query, Request

from hayrick_collector.api.errors import ApiError
from hayrick_collector.api.models import Document
from hayrick_collector.api.security import PersonDep
from hayrick_collector.backend import Search
from hayrick_collector.desk.people import Person
from hayrick_collector.direct import DirectBackend
from hayrick_collector.timespan import parse_time
from hayrick_common.errors import UsageError

MAX_LIMIT = 10_000


def backend_of(request: Request) -> DirectBackend:
    """The collector behind this API."""
    return cast(DirectBackend, request.app.state.backend)


def search_of(
    person: PersonDep,
    expression: Annotated[str, Query(max_length=100_000, description="empty: every session")] = "",
    start: Annotated[str, Query(alias="from", description="ISO 8601, 24h (ago), or Unix seconds or ms")] = "",
    stop: Annotated[str, Query(alias="to")] = "",
    zone: Annotated[
        str, Query(max_length=64, description="of times in the expression: UTC, Europe/Berlin, +02:00")
    ] = "",
) -> Search:
    """The sessions that a request means."""
    return Search(
        expression=expression,
        start_ms=_time(start, "from"),
        stop_ms=_time(stop, "to"),
        zone=zone,
        person=person,
    )


async def session_of(backend: DirectBackend, person: Person, session_id: str) -> Document:
    """The session's document. Raises ApiError when there is no such session that the person may see."""
    document = await backend.session(session_id, person)
    if document is None:
        raise ApiError(404, "not_found", f"no session {session_id[:100]}")
    return document


BackendDep = Annotated[DirectBackend, Depends(backend_of)]
SearchDep = Annotated[Search, Depends(search_of)]
Limit = Annotated[int, Query(ge=0, le=MAX_LIMIT)]
Cursor = Annotated[str | None, Query(pattern=r"^\d{1,18}$", description="from the page before")]


class _Numbered(Protocol):
    @property
    def id(self) -> int: ...


Item = TypeVar("Item", bound=_Numbered)


def page(found: list[Item], limit: int) -> tuple[list[Item], str | None]:
    """A page of what has falling ids, and the cursor of the next one. `found` is asked for one more than the limit."""
    return found[:limit], str(found[limit - 1].id) if len(found) > limit else None


def names(value: str) -> tuple[str, ...]:
    """Comma-separated names."""
    return tuple(name.strip() for name in value.split(",") if name.strip())


def sort_of(value: str) -> tuple[tuple[str, str], ...]:
    """`field`, `field:asc` or `field:desc`, several by commas. Raises UsageError."""
    sort = []
    for each in names(value):
        name, _, direction = each.partition(":")
        if direction not in ("", "asc", "desc"):
            raise UsageError(f"sort {each!r}: write FIELD, FIELD:asc or FIELD:desc")
        sort.append((name, direction or "asc"))
    return tuple(sort)


def _time(value: str, name: str) -> int | None:
    try:
        return parse_time(value) if value else None
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from error
