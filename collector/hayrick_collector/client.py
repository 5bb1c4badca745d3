"""The backend through a running collector's API; as a Python client, it is all that a script needs.

backend = HttpBackend("http://127.0.0.1:8005")
found = await backend.search(Search('host.dns == "*.example"'))
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import httpx

from hayrick_collector.backend import (
    Backend,
    Capture,
    CaptureFormat,
    Document,
    Export,
    Found,
    HuntAction,
    Ingested,
    Missing,
    Progress,
    Search,
    Table,
    TableFormat,
    Upload,
    Weight,
    file_pieces,
    outcome,
)
from hayrick_collector.hunts.spec import Spec
from hayrick_collector.schedules.action import Action
from hayrick_common.errors import CaptureError, ConfigError, ExpressionError, HayrickError, StoreError, UsageError

_TIMEOUT = httpx.Timeout(120.0, connect=10.0)
_POLL_SECONDS = 0.2
_STALL_SECONDS = 900.0
_ERRORS: dict[str, type[HayrickError]] = {
    "bad_request": UsageError,
    "not_a_capture": CaptureError,
    "store_unavailable": StoreError,
    "unauthorized": ConfigError,
    "forbidden": ConfigError,
    "conflict": UsageError,
    "too_large": UsageError,
    "misdirected": ConfigError,
}


class HttpBackend(Backend):
    """A collector at a URL, with the token its settings name, if they do."""

    def __init__(self, url: str, *, token: str = "", transport: httpx.AsyncBaseTransport | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"{url!r} is no collector's address: write http://HOST:PORT")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._url = url
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=_TIMEOUT, transport=transport)

    async def close(self) -> None:
        await self._http.aclose()

    async def search(self, search: Search) -> Found:
        asked = {
            **_range(search),
            "sort": ",".join(f"{name}:{direction}" for name, direction in search.sort),
            "limit": search.limit,
            "fields": ",".join(search.fields),
            **({"cursor": search.cursor} if search.cursor else {}),
        }
        answer = await self._get("/api/sessions", asked)
        return Found(answer["items"], answer["total"], answer["cursor"])

    async def session(self, session_id: str) -> Document | None:
        try:
            return await self._get(f"/api/sessions/{session_id}")
        except LookupError:
            return None

    async def export(
        self, search: Search, file_format: CaptureFormat | None = None, *, session_id: str | None = None
    ) -> Export:
        path = "/api/sessions.pcap" if session_id is None else f"/api/sessions/{session_id}.pcap"
        asked = {**_range(search), **({"format": file_format} if file_format else {})}
        request = self._http.build_request("GET", path, params=asked)
        answer = await self._send(request, stream=True)
        told = {
            name: answer.headers.get(f"X-Hayrick-{name}", "") for name in ("Format", "Sessions", "Packets", "Missing")
        }
        return Export(
            format="pcapng" if told["Format"] == "pcapng" else "pcap",
            sessions=int(told["Sessions"]),
            packets=int(told["Packets"]),
            missing=tuple(Missing(*each) for each in json.loads(told["Missing"] or "[]")),
            pieces=self._pieces(answer),
        )

    async def table(self, search: Search, file_format: TableFormat) -> Table:
        asked = {**_range(search), "fields": ",".join(search.fields)}
        request = self._http.build_request("GET", f"/api/sessions.{file_format}", params=asked)
        answer = await self._send(request, stream=True)
        return Table(file_format, int(answer.headers.get("X-Hayrick-Sessions", "0")), self._pieces(answer))

    async def tag(self, search: Search, add: tuple[str, ...], remove: tuple[str, ...]) -> int:
        body = {**body_of(search), "add": add, "remove": remove}
        return int((await self.call("POST", "/api/tags", body))["sessions"])

    async def facets(self, search: Search, field: str, limit: int, order: Weight = "sessions") -> list[Document]:
        asked = {**_range(search), "field": field, "limit": limit, "order": order}
        return list((await self._get("/api/facets", asked))["items"])

    async def unique(self, search: Search, field: str, limit: int | None = None) -> AsyncGenerator[Document]:
        asked = {**_range(search), "field": field, **({} if limit is None else {"limit": limit})}
        answer = await self._send(self._http.build_request("GET", "/api/unique.ndjson", params=asked), stream=True)
        try:
            async for line in answer.aiter_lines():
                yield json.loads(line)
        except httpx.HTTPError as error:
            raise StoreError(f"{self._url} broke off: {error}") from error
        finally:
            await answer.aclose()

    async def histogram(
        self, search: Search, interval_ms: int, metric: str = "sessions", split: str = "", limit: int = 10
    ) -> list[Document]:
        asked = {**_range(search), "interval": interval_ms, "metric": metric, "split": split, "limit": limit}
        return list((await self._get("/api/histogram", asked))["items"])

    async def graph(
        self, search: Search, source: str, destination: str, limit: int, order: Weight = "sessions"
    ) -> Document:
        ends = {"source": source, "destination": destination}
        return await self._get("/api/graph", {**_range(search), **ends, "limit": limit, "order": order})

    async def complete(self, search: Search, cursor: int, *, values: bool = False) -> Document:
        return await self._get("/api/complete", {**_range(search), "cursor": cursor, "values": values})

    async def add_hunt(self, name: str, search: Search, spec: Spec) -> Document:
        return await self.call("POST", "/api/hunts", {"name": name, **body_of(search), **asdict(spec)})

    async def hunts(self) -> list[Document]:
        return list((await self._get("/api/hunts"))["items"])

    async def hunt(self, name: str) -> Document:
        return await self._get(f"/api/hunts/{name}")

    async def change_hunt(self, name: str, action: HuntAction) -> None:
        if action == "remove":
            await self.call("DELETE", f"/api/hunts/{name}")
        else:
            await self.call("POST", f"/api/hunts/{name}/{action}")

    async def work_on_hunt(self, name: str) -> None:
        """The collector does."""

    async def add_schedule(
        self, name: str, search: Search, every_s: int, action: Action, *, stored: bool = False
    ) -> Document:
        asked = {"expression": search.expression, "zone": search.zone}
        body = {"name": name, **asked, "every_s": every_s, "stored": stored, **asdict(action)}
        return await self.call("POST", "/api/schedules", body)

    async def schedules(self) -> list[Document]:
        return list((await self._get("/api/schedules"))["items"])

    async def remove_schedule(self, name: str) -> None:
        await self.call("DELETE", f"/api/schedules/{name}")

    async def run_schedule(self, name: str) -> Document:
        return await self.call("POST", f"/api/schedules/{name}/run")

    async def fields(self) -> list[Document]:
        return list((await self._get("/api/fields"))["items"])

    async def sensors(self) -> list[Document]:
        return list((await self._get("/api/sensors"))["items"])

    async def chunks(self, *, state: str | None = None, limit: int = 100, offset: int = 0) -> list[Document]:
        asked = {"limit": limit, "offset": offset, **({"state": state} if state else {})}
        return list((await self._get("/api/chunks", asked))["items"])

    async def status(self) -> Document:
        return await self._get("/api/status")

    async def coverage(
        self, start_ms: int, stop_ms: int, *, sensor: str = "", stream: str = "", buckets: int = 200, gaps: int = 1000
    ) -> Document:
        asked = {"from": start_ms, "to": stop_ms, "sensor": sensor, "stream": stream, "buckets": buckets, "gaps": gaps}
        return await self._get("/api/coverage", asked)

    async def ingest(
        self, capture: Capture, *, tags: tuple[str, ...] = (), force: bool = False, progress: Progress | None = None,
        key_log: bytes | None = None,
    ) -> Ingested:  # fmt: skip
        started = time.monotonic()
        report = progress or (lambda phase, amount: None)
        try:
            upload = await self._upload(capture, tags, force, report)
            if key_log is not None:
                path = f"/api/chunks/{upload.key}/secrets"
                await self._send(self._http.build_request("POST", path, content=key_log))
                upload = replace(upload, state="landed")
            row = await self._followed(upload.key, report)
        except (CaptureError, OSError) as error:
            return Ingested(capture.name, "failed", error=str(error), seconds=time.monotonic() - started)
        return outcome(capture.name, upload, row, seconds=time.monotonic() - started)

    async def call(self, method: str, path: str, body: Any = None) -> Document:
        """Any route of the API, for what has no method of its own here: docs/API.md lists them. What answers nothing
        gives {}. Raises LookupError where there is no such thing."""
        answer = await self._send(self._http.build_request(method, path, json=body))
        return dict(answer.json()) if answer.content else {}

    async def download(self, path: str) -> AsyncGenerator[bytes]:
        """A file of the API, piece by piece; close it if you don't take it all. Raises LookupError."""
        return self._pieces(await self._send(self._http.build_request("GET", path), stream=True))

    # --- plumbing -------------------------------------------------------------------------------------------------

    async def _upload(self, capture: Capture, tags: tuple[str, ...], force: bool, report: Progress) -> Upload:
        pieces = file_pieces(capture.open, lambda read: report("copy", read))
        asked: dict[str, Any] = {"name": Path(capture.name).name, "tag": list(tags), "force": force}
        headers = {"Content-Type": "application/octet-stream"}
        request = self._http.build_request("POST", "/api/ingest", params=asked, content=pieces, headers=headers)
        answer = await self._json(request)
        return Upload(**{**answer, "added": tuple(answer["added"])})

    async def _followed(self, key: str, report: Progress) -> Document:
        """Wait until a chunk is indexed or failed; gives up when nothing about it changes for a quarter of an hour."""
        last: object = None
        changed = time.monotonic()
        while time.monotonic() - changed < _STALL_SECONDS:
            answer = await self._get(f"/api/chunks/{key}")
            row: Document = answer["chunk"]
            if row["state"] in ("indexed", "failed"):
                return row
            now = (row["state"], row["attempts"], answer["progress"])
            if now != last:
                last, changed = now, time.monotonic()
                report("index", answer["progress"] or 0)
            await asyncio.sleep(_POLL_SECONDS)
        raise HayrickError(f"chunk {key} has not been indexed for {_STALL_SECONDS:g} seconds: see `hayrick status`")

    async def _pieces(self, answer: httpx.Response) -> AsyncGenerator[bytes]:
        try:
            async for piece in answer.aiter_raw():
                yield piece
        except httpx.HTTPError as error:
            raise StoreError(f"{self._url} broke off: {error}") from error
        finally:
            await answer.aclose()

    async def _get(self, path: str, asked: dict[str, Any] | None = None) -> Document:
        return await self._json(self._http.build_request("GET", path, params=asked))

    async def _json(self, request: httpx.Request) -> Document:
        answer = await self._send(request)
        return dict(answer.json())

    async def _send(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        try:
            answer = await self._http.send(request, stream=stream)
            if answer.is_error:
                await answer.aread()
        except httpx.ConnectError as error:
            raise StoreError(
                f"no collector answers at {self._url}: is `hayrick collector run` up? ({error})"
            ) from error
        except httpx.HTTPError as error:
            raise StoreError(f"{self._url}: {str(error) or type(error).__name__}") from error
        if answer.is_error:
            raise _error(answer)
        return answer


def _range(search: Search) -> dict[str, Any]:
    asked: dict[str, Any] = {"expression": search.expression}
    if search.zone:
        asked["zone"] = search.zone
    if search.start_ms is not None:
        asked["from"] = search.start_ms
    if search.stop_ms is not None:
        asked["to"] = search.stop_ms
    return asked


def body_of(search: Search) -> dict[str, Any]:
    """The sessions meant, as routes that change something take them."""
    return {
        "expression": search.expression, "start": search.start_ms, "stop": search.stop_ms, "zone": search.zone,
    }  # fmt: skip


def _error(answer: httpx.Response) -> Exception:
    try:
        told = answer.json()["error"]
        code, message = str(told["code"]), str(told["message"])
    except (ValueError, KeyError, TypeError):
        return StoreError(f"{answer.url} answered {answer.status_code}, not as a collector does")
    if code == "expression":
        return ExpressionError(
            message,
            int(told.get("column") or 1),
            found=told.get("found") or "",
            expected=told.get("expected") or (),
            similar=told.get("did_you_mean") or (),
        )
    if answer.status_code == 404:
        return LookupError(message)
    if answer.status_code == 401:
        message = "the collector asks who you are: set $HAYRICK_TOKEN (`hayrick token add` on its machine makes one)"
    return _ERRORS.get(code, HayrickError)(message)
