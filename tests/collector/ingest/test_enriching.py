"""Sessions are found by what the operator's tables say of their ends, and a table that was replaced counts at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.collector.captures import dns_query, write_pcap
from tests.decode.mmdb import write_mmdb

import hayrick_decode
from hayrick_collector.config import CollectorConfig, EnrichmentConfig
from hayrick_collector.expression import Catalogue, parse_expression
from hayrick_collector.ingest.enriching import Enriching
from hayrick_collector.ingest.worker import index
from hayrick_collector.store import Query
from hayrick_collector.store.embedded import EmbeddedStore

CATALOGUE = Catalogue.from_dicts(hayrick_decode.fields())


def indexed(store: EmbeddedStore, capture: Path, key: str, enriching: Enriching) -> None:
    job: dict[str, Any] = {"key": key, "node": "n", "file": "x.pcap", "tags": []}
    with capture.open("rb") as packets:
        index(store, packets, job, enriching.tables(), lambda message: None)


async def found(store: EmbeddedStore, text: str) -> int:
    page = await store.find(Query(parse_expression(text, CATALOGUE), fields=("id",)))
    return len(page.items)


async def counts(folder: Path, texts: list[str]) -> list[int]:
    async with EmbeddedStore(folder, CATALOGUE) as store:
        return [await found(store, text) for text in texts]


def test_replaced_table_is_read_for_the_next_chunk(tmp_path: Path) -> None:
    capture = write_pcap(tmp_path / "x.pcap", [dns_query("a.example")])
    country = tmp_path / "country.mmdb"
    enriching = Enriching(EnrichmentConfig(country=str(country)))
    store = EmbeddedStore(tmp_path / "store", CATALOGUE)
    for number, code in enumerate(["DE", "NZ"]):
        write_mmdb(tmp_path / "new", {"10.1.0.0/16": {"country_code": code}}).replace(country)
        indexed(store, capture, f"chunk{number}", enriching)
    questions = ["country.src == DE", "country == NZ", "country.dst == EXISTS!", "country.src == [DE, NZ]"]
    assert asyncio.run(counts(tmp_path / "store", questions)) == [1, 1, 0, 2]


def test_tables_are_kept_while_their_files_stay_as_they_are(tmp_path: Path) -> None:
    country = write_mmdb(tmp_path / "c.mmdb", {"10.1.0.0/16": {"country_code": "DE"}})
    enriching = Enriching(EnrichmentConfig(country=str(country)))
    assert enriching.tables() is enriching.tables()
    country.unlink()
    with pytest.raises(FileNotFoundError, match="mmdb"):
        enriching.tables()


def test_without_settings_there_are_none_and_workers_get_the_settings_whole() -> None:
    assert Enriching(EnrichmentConfig()).tables() is None
    config = CollectorConfig(enrichment=EnrichmentConfig(asn="/tables/asn.mmdb"))
    assert CollectorConfig.from_dict(config.as_dict()).enrichment == config.enrichment
