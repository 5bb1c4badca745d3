"""Where the cluster is and how to log on to it; clients for queries (asyncio) and for writers (synchronous)."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from elastic_transport import HttpxAsyncHttpNode
from elasticsearch import AsyncElasticsearch, Elasticsearch

from hayrick_common.errors import ConfigError

REQUEST_TIMEOUT_S = 60.0
OPENSEARCH = "opensearch"
SESSIONS = "sessions3-"
SESSION_ID = re.compile(r"\d{6}-[\w-]{1,400}")
_HIDDEN = "hidden!"  # no chunk's key holds an exclamation mark


@dataclass(frozen=True, slots=True)
class Cluster:
    """Addresses, credentials (as names of files, so that no secret travels on a command line) and names of indices."""

    urls: tuple[str, ...]
    prefix: str = "hayrick_"
    shards: int = 1
    replicas: int = 1
    rollover_gigabytes: float = 0
    api_key_file: str = ""
    user: str = ""
    password_file: str = ""
    ca_file: str = ""
    patience_seconds: float = 90.0
    kind: str = "elasticsearch"

    @property
    def sessions(self) -> str:
        """Pattern of the indices with sessions, one or more a day."""
        return f"{self.prefix}{SESSIONS}*"

    @property
    def template(self) -> str:
        """Name of the template of those indices."""
        return f"{self.prefix}sessions3"

    @property
    def chunks(self) -> str:
        """The index that knows the committed chunks, and which are not to be seen."""
        return f"{self.prefix}chunks"

    @property
    def collectors(self) -> str:
        """The index in which collectors tell each other where they are."""
        return f"{self.prefix}collectors"

    @property
    def hidden(self) -> str:
        """Id of the document in `chunks` that lists the chunks not to be seen."""
        return _HIDDEN

    def day(self, session_id: str) -> str:
        """The first index of a session's day: its id begins with the day. Further ones end in `-001`..."""
        return f"{self.prefix}{SESSIONS}{session_id[:6]}"

    def first_part(self, index: str) -> str:
        """The first index of the day that this one is of."""
        return self.called(index)[: len(self.prefix) + len(SESSIONS) + 6]

    def called(self, index: str) -> str:
        """What writers and readers call this index: one that was made anew has its old name as an alias."""
        return self.prefix + index[index.index(SESSIONS) :]

    def anew(self, index: str) -> str:
        """The name of the index to be made in the place of this one; no pattern of readers finds it."""
        before = re.match(r"anew(\d+)-", index[len(self.prefix) :])
        number = int(before[1]) + 1 if before else 1
        return f"{self.prefix}anew{number}-{self.called(index)[len(self.prefix) :]}"


def connect(cluster: Cluster) -> AsyncElasticsearch:
    """A client for queries; `close` it. httpx speaks for it, which the collector has anyway."""
    if cluster.kind == OPENSEARCH:
        return cast(AsyncElasticsearch, _opensearch(cluster, "AsyncOpenSearch", REQUEST_TIMEOUT_S))
    return AsyncElasticsearch(node_class=HttpxAsyncHttpNode, **_options(cluster))


@cache
def connected(cluster: Cluster) -> Elasticsearch:
    """The one client a process has for writing to this cluster."""
    timeout_s = min(REQUEST_TIMEOUT_S, cluster.patience_seconds)
    if cluster.kind == OPENSEARCH:
        return cast(Elasticsearch, _opensearch(cluster, "OpenSearch", timeout_s))
    return Elasticsearch(**{**_options(cluster), "request_timeout": timeout_s})


def _opensearch(cluster: Cluster, client: str, timeout_s: float) -> object:
    """OpenSearch's client, called as Elasticsearch's."""
    try:
        import opensearchpy

        from hayrick_collector.store.elasticsearch.opensearch import OpenSearch
    except ImportError as error:
        raise ConfigError("store.kind = 'opensearch' needs its client: install hayrick[opensearch]") from error
    options = {**_options(cluster), "timeout": timeout_s}
    headers = {}
    if "api_key" in options:
        headers["authorization"] = f"ApiKey {options.pop('api_key')}"
    if "basic_auth" in options:
        headers["authorization"] = f"Basic {options.pop('basic_auth')}"
    del options["request_timeout"]
    return OpenSearch(getattr(opensearchpy, client)(headers=headers, **options))


def _options(cluster: Cluster) -> dict[str, Any]:
    options: dict[str, Any] = {
        "hosts": list(cluster.urls),
        "request_timeout": REQUEST_TIMEOUT_S,
        "max_retries": len(cluster.urls),  # another node when one does not answer; busy ones are our own affair
        "retry_on_status": (),
    }
    if cluster.ca_file:
        if not all(url.startswith("https://") for url in cluster.urls):
            raise ConfigError("store.ca_file: goes with addresses that begin with https:// (store.urls)")
        options["ca_certs"] = str(_existing("store.ca_file", cluster.ca_file))
    if cluster.api_key_file:
        options["api_key"] = _secret("store.api_key_file", cluster.api_key_file)
    elif cluster.user:
        login = f"{cluster.user}:{_secret('store.password_file', cluster.password_file)}"
        options["basic_auth"] = base64.b64encode(login.encode()).decode()  # the client itself takes ASCII only
    return options


def _existing(key: str, name: str) -> Path:
    path = Path(name).expanduser()
    if not path.is_file():
        raise ConfigError(f"{key}: {path} is not a file")
    return path


def _secret(key: str, name: str) -> str:
    path = _existing(key, name)
    mode = path.stat().st_mode
    if mode & 0o077:
        raise ConfigError(f"{key}: {path} can be read by others (mode {mode & 0o777:04o}): chmod 600 {path}")
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{key}: {path} cannot be read: {error}") from error
    if not text:
        raise ConfigError(f"{key}: {path} is empty")
    return text
