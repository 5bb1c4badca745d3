"""Sends documents in bulk: every item's answer is read, what a busy cluster refuses is sent again, what it will never
take is an error. One request is under way at a time, so a slow cluster slows the ingest worker and nothing piles up.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch

from hayrick_collector.store.elasticsearch.failures import BUSY, explain, passing, root_cause, translated
from hayrick_collector.store.interface import Waiting
from hayrick_common.errors import StoreAwayError, StoreError

MOST_BYTES = 5 << 20
MOST_ITEMS, _LEAST_ITEMS = 2_000, 50
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 15.0
_LONGEST_REQUEST_S = 60.0
_ONLY = "errors,items.*.status,items.*.error"


class Item(NamedTuple):
    """One operation: the action's line, the line that belongs to it, and the session's id for messages."""

    action: bytes
    body: bytes
    id: str


class Bulk:
    """Gathers items up to a bound and sends them; `flush` sends the rest.

    Fewer at once while the cluster takes none: so many may be what it cannot do in time. A process remembers that from
    chunk to chunk.
    """

    _most: ClassVar[int] = MOST_ITEMS

    def __init__(self, client: Elasticsearch, *, patience_s: float, waiting: Waiting = lambda reason: None) -> None:
        self._client = client.options(request_timeout=min(_LONGEST_REQUEST_S, patience_s / 3))
        self._patience_s, self._waiting = patience_s, waiting
        self._items: list[Item] = []
        self._bytes = 0
        self.gave_up = False  # the cluster took nothing for too long

    def add(self, item: Item) -> None:
        """Blocks while the cluster takes what was gathered. StoreAwayError when it takes nothing any more; StoreError,
        ValueError when it refuses."""
        self._items.append(item)
        self._bytes += len(item.action) + len(item.body)
        if self._bytes >= MOST_BYTES or len(self._items) >= MOST_ITEMS:
            self.flush()

    def take(self, index: str, body: bytes) -> None:
        """Send a body that was made in one piece, of new documents for one index. What of it the cluster does not take
        at once is added item by item. Raises as `add` does."""
        left, reason = (_apart(index, body), "") if self._most < MOST_ITEMS else self._whole(index, body)
        if reason:
            self._waiting(reason)
        for item in left:
            self.add(item)

    def flush(self) -> None:
        """All that was added is taken by the cluster when this returns."""
        items, self._items, self._bytes = self._items, [], 0
        deadline, pause = time.monotonic() + self._patience_s, _FIRST_PAUSE_S
        while items:
            part, rest = items[: self._most], items[self._most :]
            left, reason = self._send(part)
            taken = len(left) < len(part)
            Bulk._most = min(2 * self._most, MOST_ITEMS) if taken else max(self._most // 2, _LEAST_ITEMS)
            if taken:
                deadline, pause = time.monotonic() + self._patience_s, _FIRST_PAUSE_S
            if left and time.monotonic() > deadline:
                self.gave_up = True
                raise StoreAwayError(reason)
            if left:
                self._waiting(reason)
                time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads writers, hides nothing
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            items = left + rest

    def drop(self) -> None:
        """Forget what was gathered."""
        self._items, self._bytes = [], 0

    def _whole(self, index: str, body: bytes) -> tuple[list[Item], str]:
        answer = self._post(body, index)
        if isinstance(answer, str):
            return _apart(index, body), answer
        return refused(_apart(index, body), answer["items"]) if answer["errors"] else ([], "")

    def _send(self, items: Sequence[Item]) -> tuple[list[Item], str]:
        """What is to be sent again, and why."""
        answer = self._post(b"\n".join([line for item in items for line in (item.action, item.body)]) + b"\n")
        if isinstance(answer, str):
            return list(items), answer
        return refused(items, answer["items"]) if answer["errors"] else ([], "")

    def _post(self, lines: Any, index: str | None = None) -> Any:
        """The cluster's answer, or why it takes nothing now."""
        try:
            return self._client.bulk(operations=lines, index=index, filter_path=_ONLY)
        except TransportError as error:
            return f"Elasticsearch cannot be reached: {error.message}"
        except ApiError as error:
            if error.status_code in BUSY:
                return explain(root_cause(error.body))
            with translated():
                raise


def _apart(index: str, body: bytes) -> list[Item]:
    """The items of a body, each with the index that it was sent to."""
    lines = body.splitlines()
    names = [json.loads(line)["index"]["_id"] for line in lines[::2]]
    return [
        Item(json.dumps({"index": {"_index": index, "_id": name}}).encode(), document, name)
        for name, document in zip(names, lines[1::2], strict=True)
    ]


def refused(items: Sequence[Item], answers: Sequence[Mapping[str, Any]]) -> tuple[list[Item], str]:
    """The items that a busy cluster did not take; ValueError for one that it never will, StoreAwayError
    for an index that takes none."""
    left, reason = [], ""
    for item, answer in zip(items, answers, strict=True):
        ((_, result),) = answer.items()
        status = int(result.get("status", 500))
        if status < 300:
            continue
        cause = root_cause(result)
        if status in BUSY or status >= 500:
            left.append(item)
            reason = explain(cause)
        elif passing(status, cause):
            raise StoreAwayError(f"{explain(cause)} (HTTP {status})")
        elif status == 400:
            raise ValueError(f"Elasticsearch refuses the session {item.id}: {explain(cause)}")
        else:
            raise StoreError(f"{explain(cause)} (HTTP {status})")
    return left, reason
