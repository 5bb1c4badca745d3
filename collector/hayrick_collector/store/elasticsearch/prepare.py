"""What must be there before a session comes: the index template, the list of chunks. Done again, it changes nothing."""

from __future__ import annotations

from typing import Any

from elasticsearch import BadRequestError, Elasticsearch, NotFoundError, UnsupportedProductError

from hayrick_collector.expression import Catalogue
from hayrick_collector.store.elasticsearch import mapping
from hayrick_collector.store.elasticsearch.connection import OPENSEARCH, Cluster, connected
from hayrick_collector.store.elasticsearch.failures import explain, root_cause, translated
from hayrick_collector.store.elasticsearch.mapping import FIELDS_LIMIT
from hayrick_common.errors import StoreError

LEAST_VERSION = {"elasticsearch": 8, OPENSEARCH: 2}
_ready: set[tuple[Cluster, int]] = set()


def prepare_once(cluster: Cluster, catalogue: Catalogue) -> None:
    """For writers: once a process."""
    key = (cluster, id(catalogue))
    if key not in _ready:
        prepare(cluster, catalogue)
        _ready.add(key)


def forget(cluster: Cluster) -> None:
    """It was away: what comes back may be another cluster, without our templates. The next writer looks again."""
    for key in [key for key in _ready if key[0] == cluster]:
        _ready.discard(key)


def prepare(cluster: Cluster, catalogue: Catalogue) -> list[str]:
    """Create or bring up to date; returns the names of what was changed. StoreError when a day's index was made with
    another kind for a field: that one stays as it is, and reads as it did."""
    with translated():
        client = connected(cluster)
        _check_version(client, cluster.kind)
        changed = _chunks(client, cluster)
        there, mine = _both(client, cluster, catalogue)
        if _differ(there, mine):
            client.indices.put_index_template(name=cluster.template, **mine)
            changed += [cluster.template, *_renew(client, cluster, mine["template"])]
            if "number_of_replicas" in _changed(_settings(there), _plain(mine)):
                _copies(client, cluster)
        return changed


def outdated(cluster: Cluster, catalogue: Catalogue, client: Elasticsearch) -> bool:
    """Whether the template is missing or lacks what ours has."""
    return _differ(*_both(client, cluster, catalogue))


def _both(client: Elasticsearch, cluster: Cluster, catalogue: Catalogue) -> tuple[dict[str, Any], dict[str, Any]]:
    """The template as it is, and as it should be."""
    there = _template(client, cluster)
    return there, mapping.template(cluster, mapping.united(_properties(there), mapping.properties(catalogue)))


def _differ(there: dict[str, Any], mine: dict[str, Any]) -> bool:
    return _properties(there) != _properties(mine) or _settings(there) != _plain(mine)


def _changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {name for name in after if name in before and before[name] != after[name]}


def _copies(client: Elasticsearch, cluster: Cluster) -> None:
    """The number of copies into the indices there are."""
    client.indices.put_settings(
        index=[cluster.sessions, cluster.chunks], settings={"number_of_replicas": cluster.replicas}
    )


def _check_version(client: Elasticsearch, kind: str) -> None:
    """StoreError for another product than the settings say, or one that is too old."""
    try:
        version = client.info()["version"]
    except UnsupportedProductError as error:
        raise StoreError("this is not Elasticsearch; if it is OpenSearch, set store.kind = 'opensearch'") from error
    if version.get("distribution", kind) != kind or (kind == OPENSEARCH and "distribution" not in version):
        raise StoreError(f"this is not OpenSearch but {version['number']} of another: set store.kind = 'elasticsearch'")
    if int(version["number"].partition(".")[0]) < LEAST_VERSION[kind]:
        raise StoreError(f"{kind} {version['number']} is too old: {LEAST_VERSION[kind]} or later is needed")


def _chunks(client: Elasticsearch, cluster: Cluster) -> list[str]:
    if client.indices.exists(index=cluster.chunks):
        return []
    try:
        client.indices.create(
            index=cluster.chunks,
            mappings=mapping.CHUNKS,
            settings={"number_of_shards": 1, "number_of_replicas": cluster.replicas},
        )
    except BadRequestError as error:  # somebody else was quicker
        if root_cause(error.body).get("type") != "resource_already_exists_exception":
            raise
        return []
    return [cluster.chunks]


def _template(client: Elasticsearch, cluster: Cluster) -> dict[str, Any]:
    try:
        found = client.indices.get_index_template(name=cluster.template)["index_templates"]
    except NotFoundError:
        return {}
    return dict(found[0]["index_template"])


def _properties(template: dict[str, Any]) -> dict[str, Any]:
    return dict(template.get("template", {}).get("mappings", {}).get("properties", {}))


def _settings(template: dict[str, Any]) -> dict[str, Any]:
    """Flat, as text: Elasticsearch gives numbers back as texts, nested."""
    return _flat(template.get("template", {}).get("settings", {}).get("index", {}), "")


def _plain(template: dict[str, Any]) -> dict[str, Any]:
    return _flat(template["template"]["settings"], "")


def _flat(nested: Any, prefix: str) -> dict[str, Any]:
    if not isinstance(nested, dict):
        return {prefix[:-1]: nested if isinstance(nested, list) else str(nested)}
    return {key: value for name, below in nested.items() for key, value in _flat(below, f"{prefix}{name}.").items()}


def _renew(client: Elasticsearch, cluster: Cluster, made: dict[str, Any]) -> list[str]:
    """New fields, and room for them, into the indices there are: chunks of older days may still come."""
    renewed = []
    room = {FIELDS_LIMIT: made["settings"][FIELDS_LIMIT]}
    for index in client.indices.get(index=cluster.sessions, features="aliases"):
        try:
            client.indices.put_settings(index=index, settings=room)
            client.indices.put_mapping(index=index, properties=made["mappings"]["properties"])
        except BadRequestError as error:
            raise StoreError(
                f"{index} holds a field as another kind ({explain(root_cause(error.body))}); new days are as they"
                " should be, this one reads as it did until `hayrick store reindex` makes it anew"
            ) from error
        renewed.append(index)
    return renewed
