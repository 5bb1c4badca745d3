"""How fields are indexed: explicit mappings made from the catalogue, so that no packet decides what a field is.

What the catalogue does not know stays in the document and is not indexed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hayrick_collector.expression import Catalogue, Field
from hayrick_collector.expression.fields import DATE_KINDS, TEXT_KINDS
from hayrick_collector.store.elasticsearch.connection import Cluster

WORDS = "words"  # sub-field of texts that are searched by word
WORDS_GAP = 10_000  # words between two values of a field: more than a value has
STAMP = "hayrick.stamp"
FIELDS_LIMIT = "mapping.total_fields.limit"
POSITIONS = ("packetPos", "packetLen")
_MOST_TEXT = 10_000  # UTF-16 units; Lucene's own bound is 32,766 bytes
_TYPES = {"integer": "long", "ip": "ip", "boolean": "boolean"}
Properties = dict[str, Any]


def path(field: Field) -> str:
    """The member of documents that holds the field (or, for a count, the number)."""
    return field.document if field.counts else (field.column or "")


def kind(field: Field) -> str:
    """The field's type in Elasticsearch."""
    return "date" if field.kind in DATE_KINDS else _TYPES.get(field.kind, "keyword")


def properties(catalogue: Catalogue) -> Properties:
    """The mapping of every stored field, nested as documents are."""
    made: Properties = {}
    stored = [field for field in catalogue.fields if field.column is not None]
    for field in sorted(stored, key=lambda each: each.kind in TEXT_KINDS):
        leaf = _leaf(made, path(field))
        if field.kind in TEXT_KINDS:
            leaf["fields"] = {WORDS: _words()}
        leaf.setdefault("type", kind(field))
        leaf.update(_options(leaf["type"]))
    for name in POSITIONS:
        made[name] = {"type": "long", "index": False, "doc_values": False}
    made["hayrick"] = {"properties": {"stamp": {"type": "long"}}}
    return made


def _leaf(made: Properties, dotted: str) -> Properties:
    *outer, last = dotted.split(".")
    at = made
    for name in outer:
        found = at.setdefault(name, {})
        if "type" in found:
            raise ValueError(f"{dotted}: {name} is a value already and cannot hold others")
        at = found.setdefault("properties", {})
    leaf: Properties = at.setdefault(last, {})
    if "properties" in leaf:
        raise ValueError(f"{dotted} holds other fields and cannot be a value")
    return leaf


def _options(type_of: str) -> Properties:
    if type_of == "keyword":
        return {"ignore_above": _MOST_TEXT}
    if type_of == "date":
        return {"format": "epoch_millis", "ignore_malformed": True}
    return {} if type_of == "boolean" else {"ignore_malformed": True}  # OpenSearch does not know it there


def _words() -> Properties:
    return {"type": "text", "analyzer": WORDS, "position_increment_gap": WORDS_GAP, "norms": False}


def template(cluster: Cluster, made: Properties) -> dict[str, Any]:
    """The index template for the days' indices."""
    return {
        "index_patterns": [cluster.sessions],
        "priority": 200,
        "template": {"settings": settings(cluster, made), "mappings": {"dynamic": False, "properties": made}},
    }


def settings(cluster: Cluster, made: Properties) -> dict[str, Any]:
    """Of one day's index."""
    return {
        "number_of_shards": cluster.shards,
        "number_of_replicas": cluster.replicas,
        "codec": "best_compression",  # a quarter less on disk, no slower
        "refresh_interval": "60s",  # a commit refreshes by itself
        FIELDS_LIMIT: 2 * _entries(made) + 500,
        "max_regex_length": 20_000,  # the dialect's own bound is less, before hex digits stand for letters
        "analysis": {
            "analyzer": {WORDS: {"type": "custom", "tokenizer": WORDS, "filter": ["lowercase", "bounded"]}},
            "tokenizer": {WORDS: {"type": "pattern", "pattern": r"[^\p{L}\p{N}]+"}},
            "filter": {"bounded": {"type": "truncate", "length": 8_000}},
        },
    }


def _entries(made: Mapping[str, Any]) -> int:
    return sum(1 + _entries(each.get("properties", {})) + len(each.get("fields", ())) for each in made.values())


def united(there: Mapping[str, Any], ours: Mapping[str, Any]) -> Properties:
    """Both mappings in one, ours where they differ: an older collector takes no field away from a newer one."""
    made = dict(there)
    for name, mine in ours.items():
        theirs = made.get(name)
        if isinstance(theirs, Mapping) and "properties" in theirs and "properties" in mine:
            made[name] = {**theirs, "properties": united(theirs["properties"], mine["properties"])}
        else:
            made[name] = mine
    return made


CHUNKS = {
    "dynamic": False,
    "properties": {
        "committed": {"type": "date", "format": "epoch_millis"},
        "sessions": {"type": "long"},
        "firstPacket": {"type": "date", "format": "epoch_millis"},
        "lastPacket": {"type": "date", "format": "epoch_millis"},
        "chunks": {"type": "keyword"},
    },
}
