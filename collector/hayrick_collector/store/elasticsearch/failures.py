"""What Elasticsearch says when it cannot or will not, in words for the person who runs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from elastic_transport import ConnectionTimeout, TlsError
from elasticsearch import ApiError, TransportError

from hayrick_common.errors import StoreAwayError, StoreError

BUSY = frozenset({408, 409, 429, 502, 503, 504})  # trying again later may help
AWAY = BUSY - {409}  # and no session is at fault
# What a node that goes, a disk without room or an operator's closing of an index is told as, whatever the status.
_PASSING = frozenset(
    {
        "already_closed_exception",
        "file_system_exception",
        "i_o_exception",
        "index_closed_exception",
        "index_shard_closed_exception",
        "node_closed_exception",
        "node_disconnected_exception",
        "node_not_connected_exception",
        "receive_timeout_transport_exception",
        "send_request_transport_exception",
    }
)
_PLAIN = {
    "cluster_block_exception": "Elasticsearch takes no writes",
    "unavailable_shards_exception": "a primary shard is missing, the cluster is red",
    "no_shard_available_action_exception": "a shard is missing, the cluster is red",
    "es_rejected_execution_exception": "Elasticsearch is overloaded",
    "circuit_breaking_exception": "Elasticsearch is short of memory",
    "too_complex_to_determinize_exception": "the pattern is too complex for Elasticsearch",
    "security_exception": "Elasticsearch refuses these credentials",
}


@contextmanager
def translated() -> Iterator[None]:
    """The client's errors as ours: StoreError (StoreAwayError where the cluster serves nobody), TimeoutError, or
    ValueError where the question is at fault."""
    try:
        yield
    except ConnectionTimeout as error:
        raise TimeoutError("Elasticsearch did not answer in time") from error
    except TlsError as error:
        raise StoreAwayError(f"Elasticsearch's certificate is not trusted (store.ca_file): {error.message}") from error
    except TransportError as error:
        raise StoreAwayError(f"Elasticsearch cannot be reached: {error.message}") from error
    except ApiError as error:
        raise _of_answer(error) from error


def _of_answer(error: ApiError) -> Exception:
    cause = root_cause(error.body)
    text = explain(cause)
    if passing(error.status_code, cause):
        return StoreAwayError(f"{text} (HTTP {error.status_code})")
    if error.status_code == 400:
        return ValueError(f"Elasticsearch cannot search for this: {text}")
    if error.status_code == 401:
        return StoreAwayError(
            "Elasticsearch refuses these credentials (store.api_key_file, or store.user with store.password_file):"
            f" {text} (HTTP 401)"
        )
    if error.status_code == 403:
        return StoreError(f"Elasticsearch does not allow this user to do it: {text}")
    return StoreError(f"{text} (HTTP {error.status_code})")


def passing(status: int, cause: Mapping[str, Any]) -> bool:
    """Whether the cluster takes nothing now, and no session is at fault."""
    return status in AWAY or blocked(cause) or cause.get("type") in _PASSING


def blocked(cause: Mapping[str, Any]) -> bool:
    """Whether the cluster, or an index, takes no writes."""
    return "cluster_block" in str(cause.get("type"))


def root_cause(body: Any) -> Mapping[str, Any]:
    """The innermost error of an answer."""
    error = body.get("error", {}) if isinstance(body, Mapping) else {}
    if not isinstance(error, Mapping):
        return {"reason": str(error)}
    causes = [each["reason"] for each in error.get("failed_shards", ()) if isinstance(each.get("reason"), Mapping)]
    found = causes[0] if causes else (error.get("root_cause") or [error])[0]
    while isinstance(found.get("caused_by"), Mapping):
        found = found["caused_by"]
    return found if found.get("reason") or found.get("type") else error


def explain(cause: Mapping[str, Any]) -> str:
    """One line about an error of the server's."""
    kind, reason = str(cause.get("type", "")), str(cause.get("reason", ""))[:300]
    if "read-only-allow-delete" in reason:
        return f"Elasticsearch's disk is too full and takes no more sessions: {reason}"
    plain = _PLAIN.get(kind)
    return f"{plain}: {reason}" if plain else (reason or kind or "Elasticsearch refuses without a reason")
