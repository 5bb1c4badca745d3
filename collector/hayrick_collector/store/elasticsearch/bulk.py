"""Sends documents in bulk: every item's answer is read, what a busy cluster refuses is sent again, what it will never
take is an error. One request is under way at a time, so a slow cluster slows the ingest worker and nothing piles up.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch

from hayrick_collector.store.elasticsearch.failures import BUSY, explain, root_cause, translated
from hayrick_common.errors import StoreError

MOST_BYTES = 5 << 20
MOST_ITEMS = 2_000
PATIENCE_S = 180.0  # without a single item taken; a stalled worker is killed later than this
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 15.0
_ONLY = "errors,items.*.status,items.*.error"


class Item(NamedTuple):
    """One operation: the action's line, the line that belongs to it, and the session's id for messages."""

    action: bytes
    body: bytes
    id: str


class Bulk:
    """Gathers items up to a bound and sends them; `flush` sends the rest."""

    def __init__(self, client: Elasticsearch, *, patience_s: float = PATIENCE_S) -> None:
        self._client, self._patience_s = client, patience_s
        self._items: list[Item] = []
        self._bytes = 0

    def add(self, item: Item) -> None:
        """Blocks while the cluster takes what was gathered. Raises StoreError, ValueError."""
        self._items.append(item)
        self._bytes += len(item.action) + len(item.body)
        if self._bytes >= MOST_BYTES or len(self._items) >= MOST_ITEMS:
            self.flush()

    def flush(self) -> None:
        """All that was added is taken by the cluster when this returns."""
        items, self._items, self._bytes = self._items, [], 0
        deadline, pause = time.monotonic() + self._patience_s, _FIRST_PAUSE_S
        while items:
            left, reason = self._send(items)
            if len(left) < len(items):
                deadline, pause = time.monotonic() + self._patience_s, _FIRST_PAUSE_S
            if left and time.monotonic() > deadline:
                raise StoreError(reason)
            if left:
                time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads writers, hides nothing
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            items = left

    def drop(self) -> None:
        """Forget what was gathered."""
        self._items, self._bytes = [], 0

    def _send(self, items: Sequence[Item]) -> tuple[list[Item], str]:
        """What is to be sent again, and why."""
        lines: Any = [line for item in items for line in (item.action, item.body)]
        try:
            answer = self._client.bulk(operations=lines, filter_path=_ONLY)
        except TransportError as error:
            return list(items), f"Elasticsearch cannot be reached: {error.message}"
        except ApiError as error:
            if error.status_code in BUSY:
                return list(items), explain(root_cause(error.body))
            with translated():
                raise
        return refused(items, answer["items"]) if answer["errors"] else ([], "")


def refused(items: Sequence[Item], answers: Sequence[Mapping[str, Any]]) -> tuple[list[Item], str]:
    """The items that a busy cluster did not take; ValueError for one that it never will, StoreError for a block."""
    left, reason = [], ""
    for item, answer in zip(items, answers, strict=True):
        ((_, result),) = answer.items()
        status = int(result.get("status", 500))
        if status < 300:
            continue
        cause = root_cause(result)
        if status in BUSY:
            left.append(item)
            reason = explain(cause)
        elif status == 400:
            raise ValueError(f"Elasticsearch refuses the session {item.id}: {explain(cause)}")
        else:
            raise StoreError(f"{explain(cause)} (HTTP {status})")
    return left, reason
