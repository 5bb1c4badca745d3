"""What other collectors on the same cluster ask: which chunks are here, and their bytes."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from hayrick_collector.api.errors import ApiError
from hayrick_collector.api.models import Document
from hayrick_collector.api.routes import BackendDep
from hayrick_collector.api.security import PersonDep, needs, unnoted
from hayrick_collector.desk.people import PEER
from hayrick_collector.ondemand import giving
from hayrick_collector.ondemand.peers import KEYS_A_REQUEST
from hayrick_common.errors import PacketsAwayError
from hayrick_common.wire import PULL_MAX_RANGES

Key = Annotated[str, Field(max_length=300)]


def peer(request: Request, person: PersonDep) -> None:
    """Other collectors only. Who wanted the packets is in the log of the collector that asks, so they are not in ours
    once more, a line a mebibyte."""
    if person is not PEER:
        raise ApiError(403, "forbidden", "this is for other collectors of the cluster (peers.token_file)")
    unnoted(request)


router = APIRouter(
    prefix="/api/peers", tags=["collectors"], dependencies=[Depends(needs("packets")), Depends(peer)],
    include_in_schema=False,
)  # fmt: skip


class Chunks(BaseModel):
    """Chunks asked for by key."""

    model_config = ConfigDict(extra="forbid")
    keys: Annotated[list[Key], Field(max_length=KEYS_A_REQUEST)]


class Ranges(BaseModel):
    """Parts of a chunk's capture: pairs of offset and length."""

    model_config = ConfigDict(extra="forbid")
    key: Key
    ranges: Annotated[list[tuple[int, int]], Field(min_length=1, max_length=PULL_MAX_RANGES)]


@router.post("/chunks")
async def peer_chunks(backend: BackendDep, body: Chunks) -> dict[str, list[Document]]:
    """Those of the chunks that this collector knows."""
    rows = await asyncio.to_thread(giving.rows, backend.catalog, body.keys)
    return {"items": [row.public() for row in rows]}


@router.post("/bytes")
async def peer_bytes(backend: BackendDep, body: Ranges) -> Response:
    """The ranges' bytes, one after the other."""
    pull = backend.fetcher.pull
    try:
        data = await giving.bytes_of(backend.config, backend.catalog, pull, body.key, body.ranges)
    except PacketsAwayError as error:
        raise ApiError(410, "gone", str(error)) from error
    except ValueError as error:
        raise ApiError(400, "bad_request", str(error)) from error
    return Response(data, media_type="application/octet-stream")
