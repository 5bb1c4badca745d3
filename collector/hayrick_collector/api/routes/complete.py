"""What may be typed next in an expression."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from hayrick_collector.api.models import CompletionAnswer
from hayrick_collector.api.routes import BackendDep, SearchDep
from hayrick_collector.api.security import needs

router = APIRouter(prefix="/api", tags=["sessions"], dependencies=[Depends(needs("shared"))])


@router.get("/complete")
async def complete(
    backend: BackendDep,
    search: SearchDep,
    cursor: Annotated[int | None, Query(ge=0, description="characters before the cursor; default: at the end")] = None,
    values: Annotated[bool, Query(description="offer values that sessions in the time range have, too")] = False,
) -> CompletionAnswer:
    """What may stand at the cursor: fields, operators, values, saved names, joins; the likeliest first."""
    place = len(search.expression) if cursor is None else cursor
    return CompletionAnswer.model_validate(await backend.complete(search, place, values=values))
