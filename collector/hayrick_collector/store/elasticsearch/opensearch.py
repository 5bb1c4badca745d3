"""OpenSearch behind the same store: its own client, called as Elasticsearch's is, with the errors of Elasticsearch's.

The two servers differ for us in how views are opened and in how a client says which part of a question is the body;
both is settled here, so that nothing else of the store knows which of them it asks.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

import opensearchpy
from elastic_transport import ApiResponseMeta, ConnectionError, ConnectionTimeout, HttpHeaders, NodeConfig, TlsError
from elasticsearch import ApiError
from elasticsearch.exceptions import HTTP_EXCEPTIONS
from opensearchpy.exceptions import ConnectionError as UnreachableError
from opensearchpy.exceptions import ConnectionTimeout as TooSlowError
from opensearchpy.exceptions import SSLError
from opensearchpy.exceptions import TransportError as RefusedError

_WHOLE = {"index": "document", "bulk": "operations", "put_settings": "settings"}  # what is the body by itself
_BODY = {
    "aggs", "dest", "index_patterns", "mappings", "pit", "pit_id", "priority", "properties", "query", "script",
    "scripted_upsert", "search_after", "settings", "size", "sort", "source", "template", "track_total_hits", "actions",
    "upsert",
}  # fmt: skip
_IN_BODY = {("search", "source"): "_source", ("search", "runtime_mappings"): "derived"}
_RENAMED = {"open_point_in_time": "create_pit", "close_point_in_time": "delete_pit"}
_DROPPED = {"features"}  # what Elasticsearch can leave out of an answer
_NAMESPACES = ("indices", "cluster", "cat")


class OpenSearch:
    """Stands for elasticsearch.Elasticsearch, or for AsyncElasticsearch where `client` is an asynchronous one."""

    def __init__(self, client: Any, options: Mapping[str, Any] | None = None, at: Any = None) -> None:
        self._client, self._given = client, dict(options or {})
        self._at = client if at is None else at

    def options(self, *, request_timeout: float | None = None, ignore_status: int | None = None) -> OpenSearch:
        """The same with a deadline in seconds, or with a status that is an answer and no error."""
        given = {"request_timeout": request_timeout, "ignore": ignore_status}
        return OpenSearch(self._client, self._given | {name: value for name, value in given.items() if value})

    def perform_request(self, method: str, path: str, *, headers: Mapping[str, str]) -> Any:
        """Something that has no method of its own; the answer's `body`."""
        asked = functools.partial(self._client.transport.perform_request, method, path, headers=dict(headers))
        return _Answer(_answered(asked))

    def __getattr__(self, name: str) -> Any:
        if name in _NAMESPACES:
            return OpenSearch(self._client, self._given, getattr(self._client, name))
        function = getattr(self._at, _RENAMED.get(name, name))
        if name == "close":
            return function
        return functools.partial(self._call, name, function)

    def _call(self, called: str, function: Callable[..., Any], /, **arguments: Any) -> Any:
        asked = functools.partial(function, **self._given, **turned(called, arguments))
        if isinstance(self._client, opensearchpy.OpenSearch):
            return _shaped(called, _answered(asked))
        return _later(called, asked)


class _Answer:
    def __init__(self, body: Any) -> None:
        self.body = body


def turned(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a method of Elasticsearch's client as OpenSearch's wants them: its body is one of them."""
    body: dict[str, Any] = {}
    made: dict[str, Any] = {}
    for key, value in arguments.items():
        if value is None or key in _DROPPED:
            continue
        if key == _WHOLE.get(name):
            made["body"] = value
        elif name == "close_point_in_time":
            body["pit_id"] = [value]
        elif (name, key) in _IN_BODY:
            body[_IN_BODY[name, key]] = value
        elif key in _BODY:
            body[key] = value
        else:
            made[key] = value
    return {**made, "body": body} if body else made


def _shaped(name: str, answer: Any) -> Any:
    return {"id": answer["pit_id"]} if name == "open_point_in_time" else answer


def _answered(asked: Callable[[], Any]) -> Any:
    try:
        return asked()
    except RefusedError as error:
        _raise(error)


async def _later(name: str, asked: Callable[[], Awaitable[Any]]) -> Any:
    try:
        return _shaped(name, await asked())
    except RefusedError as error:
        _raise(error)


def _raise(error: RefusedError) -> NoReturn:
    """The same as Elasticsearch's client would have raised it."""
    if isinstance(error, TooSlowError):
        raise ConnectionTimeout(error.error) from error
    if isinstance(error, SSLError):
        raise TlsError(error.error) from error
    if isinstance(error, UnreachableError) or not isinstance(error.status_code, int):
        raise ConnectionError(str(error.error)) from error
    status = error.status_code
    meta = ApiResponseMeta(status, "1.1", HttpHeaders(), 0.0, NodeConfig("http", "opensearch", 0))
    raise HTTP_EXCEPTIONS.get(status, ApiError)(str(error.error), meta, error.info) from error
