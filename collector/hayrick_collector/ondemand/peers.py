"""Other collectors on the same cluster: each tells its address there, and gives its packets to the others.

Every collector finds all sessions; the packets lie in the archive (or with the sensors) of the one that took the chunk.
Which that is nobody has to remember: those are asked that know the chunk's sensor, then the rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import httpx

from hayrick_collector.catalog import Catalog, ChunkRow
from hayrick_collector.config import PeersConfig
from hayrick_collector.ondemand.elsewhere import Elsewhere, Owned, Pull
from hayrick_collector.ondemand.ranges import Range
from hayrick_collector.store import Document, Store
from hayrick_common.clock import epoch_ms
from hayrick_common.errors import HayrickError, PacketsAwayError, StoreError

LOG = logging.getLogger(__name__)
ANNOUNCE_SECONDS = 60
KEYS_A_REQUEST = 1000
_FIND_SECONDS = 10.0
_TIMEOUT = httpx.Timeout(120.0, connect=5.0)
_AWAY_MS = 3 * ANNOUNCE_SECONDS * 1000
_FORGET_MS = 30 * 86_400_000


class Peers:
    """`announce` now and then; `find` chunks that are not here. Without `[peers]` there is nobody else."""

    def __init__(self, settings: PeersConfig, node: str, catalog: Catalog, store: Store) -> None:
        self._settings, self._node = settings, node
        self._catalog, self._store = catalog, store
        self._http: httpx.AsyncClient | None = None

    async def announce(self) -> None:
        """Tell the others where this collector is, and forget those that are no more. A cluster that is away is told
        the next time."""
        if not self._settings.url:
            return
        streams = await asyncio.to_thread(self._catalog.history.streams)
        sensors = sorted({sensor for sensor, _ in streams})
        told = {"node": self._node, "url": self._settings.url, "seen_ms": epoch_ms(), "sensors": sensors}
        try:
            await self._store.announce(self._settings.url, told)
            for other in await self._store.announced():
                if other["seen_ms"] < epoch_ms() - _FORGET_MS:
                    await self._store.unannounce(other["url"])
        except (StoreError, TimeoutError) as error:
            LOG.warning("the other collectors cannot be told of this one: %s", error)

    async def known(self) -> list[Document]:
        """All collectors that ever announced themselves: node, url, seen_ms, away."""
        found = await self._store.announced() if self._settings.url else []
        return [
            {"node": each["node"], "url": each["url"], "seen_ms": each["seen_ms"],
             "away": each["seen_ms"] < epoch_ms() - _AWAY_MS}
            for each in found
        ]  # fmt: skip

    async def find(self, keys: Sequence[str]) -> Elsewhere:
        """Ask the others at once; those that do not answer in time are named. Raises StoreError."""
        found = Elsewhere()
        if not self._settings.url or not keys:
            return found
        others = [each for each in await self._store.announced() if each["url"] != self._settings.url]
        await asyncio.gather(*(self._ask(each, keys, found) for each in others))
        return found

    async def close(self) -> None:
        if self._http is not None:
            await self._http.aclose()

    async def _ask(self, other: Document, keys: Sequence[str], found: Elsewhere) -> None:
        owner = f"collector {other['node']} ({other['url']})"
        try:
            async with asyncio.timeout(_FIND_SECONDS):
                for start in range(0, len(keys), KEYS_A_REQUEST):
                    body = {"keys": keys[start : start + KEYS_A_REQUEST]}
                    answer = await self._post(owner, f"{other['url']}/api/peers/chunks", body)
                    for item in answer.json()["items"]:
                        row = _row(item)
                        found.chunks[row.key] = Owned(row, owner, self._pull(owner, other["url"]))
        except TimeoutError:
            found.silent.append(_silence(other, f"{owner} did not answer within {_FIND_SECONDS:g} seconds"))
        except (HayrickError, ValueError, KeyError, TypeError) as error:
            found.silent.append(_silence(other, str(error)))

    def _pull(self, owner: str, url: str) -> Pull:
        async def pull(sensor: str, key: str, ranges: list[Range]) -> bytes:
            answer = await self._post(owner, f"{url}/api/peers/bytes", {"key": key, "ranges": ranges})
            return answer.content

        return pull

    async def _post(self, owner: str, url: str, body: dict[str, Any]) -> httpx.Response:
        """Raises PacketsAwayError, which names the collector."""
        if self._http is None:
            verify = self._settings.context()
            headers = {"Authorization": f"Bearer {self._settings.token()}"}
            self._http = httpx.AsyncClient(headers=headers, timeout=_TIMEOUT, verify=verify, trust_env=False)
        try:
            answer = await self._http.post(url, json=body)
        except httpx.HTTPError as error:
            raise PacketsAwayError(f"{owner} does not answer: {str(error) or type(error).__name__}") from error
        if answer.status_code == 401:
            raise PacketsAwayError(f"{owner} does not know this collector's peers.token_file: all need the same token")
        if answer.status_code != 200:
            raise PacketsAwayError(f"{owner}: {_message(answer)}")
        return answer


def _silence(other: Document, text: str) -> tuple[frozenset[str], str]:
    return frozenset(other.get("sensors", ())), text


def _row(item: dict[str, Any]) -> ChunkRow:
    """The row of another collector's catalog; its path is none of ours. Raises TypeError, KeyError."""
    values = {name: item[name] for name in ChunkRow.__slots__ if name != "path"}
    return ChunkRow(**{**values, "tags": tuple(values["tags"]), "path": ""})


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}"
