"""Whatever a person does with sessions ends the same on the embedded store and on a shared cluster."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from tests.collector.captures import START, dns_query, http_exchange, write_pcap
from tests.collector.elasticsearch import START_S

import hayrick_decode
from hayrick_collector.backend import Capture, Search, TableFormat
from hayrick_collector.casefile import bundle
from hayrick_collector.config import CollectorConfig, RetentionConfig, StoreConfig
from hayrick_collector.desk.cases import Cases
from hayrick_collector.desk.people import LOCAL
from hayrick_collector.direct import DirectBackend
from hayrick_collector.hunts.spec import Spec
from hayrick_collector.retention import DAY_MS, Retention
from hayrick_collector.schedules.action import Action
from hayrick_collector.store.elasticsearch import Cluster
from hayrick_common.chunk import RECORDS, ChunkId

pytestmark = pytest.mark.timeout(START_S + 120)
LATER = START + 3 * 86_400
TABLES: tuple[TableFormat, ...] = ("ndjson", "csv", "parquet")


@pytest.fixture
def captures(tmp_path: Path) -> list[Path]:
    """Three pages and a DNS question; a page three days later; a flow sensor's records of another, without packets."""
    pages = [frame for port in range(3) for frame in http_exchange(f"/page/{port}", port=50_000 + port)]
    first = write_pcap(tmp_path / "first.pcap", [*pages, dns_query("needle.example.top")], step=0.001)
    second = write_pcap(tmp_path / "second.pcap", http_exchange("/page/late", port=50_009), start=LATER)
    third = write_pcap(tmp_path / "third.pcap", [dns_query("flow.example.top")], start=LATER + 60)
    return [first, second, third]


async def _landed(backend: DirectBackend, captures: list[Path]) -> None:
    for path in captures[:2]:
        await backend.ingest(Capture(path.name, lambda path=path: path.open("rb")))  # type: ignore[misc]
    stored = backend.config.folder.archive / "flow.records"
    hayrick_decode.write_records(captures[2], stored)
    chunk = ChunkId("flow", "eth0", 1, "f" * 64)
    size = captures[2].stat().st_size
    backend.catalog.landed(chunk, size=size, path=backend.config.folder.relative(stored), meta={"content": RECORDS})
    assert (await backend.pool.index_one(chunk.key)).state == "indexed"


async def _ids(backend: DirectBackend, expression: str) -> list[str]:
    found = await backend.search(Search(expression, limit=100))
    assert found.total == len(found.items)
    return sorted(each["id"] for each in found.items)


async def _all(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


async def _data_out(backend: DirectBackend) -> dict[str, Any]:
    """Packets in both formats, those that are nowhere; sessions as tables, without the times of indexing."""
    told: dict[str, Any] = {}
    for form in ("pcap", "pcapng"):
        export = await backend.export(Search("protocols == http || protocols == dns"), form)
        told[form] = await _all(export.pieces), export.packets, [each.reason for each in export.missing]
    for table in TABLES:
        made = await backend.table(Search("", fields=("ip.src", "dns.host", "http.uri", "tags")), table)
        told[table] = made.sessions, await _all(made.pieces)
    sessions, rows = told["ndjson"]
    told["ndjson"] = sessions, [json.loads(row) for row in rows.splitlines()]  # members come in any order
    return told


async def _work(backend: DirectBackend, captures: list[Path]) -> dict[str, Any]:
    """A case from intake to retention; what was seen on the way."""
    seen: dict[str, Any] = {}
    await _landed(backend, captures)
    seen["all"] = await _ids(backend, "")
    await backend.add_hunt("pages", Search(""), Spec("text", "/page/"))
    await backend.work_on_hunt("pages")
    hunt = await backend.hunt("pages")
    seen["hunt"] = hunt["state"], hunt["found"], hunt["unread"], await _ids(backend, "tags == hunt:pages")
    await backend.add_schedule("dns", Search("host.dns == *.top"), 60, Action(("asked",), export="ndjson"), stored=True)
    seen["schedule"] = (await backend.run_schedule("dns"))["found"], await _ids(backend, "tags == asked")
    seen["again"] = (await backend.run_schedule("dns"))["found"]
    files = (backend.config.data / "exports" / "dns").iterdir()
    seen["exported"] = sorted(json.loads(line)["id"] for path in files for line in path.read_text().splitlines())
    seen["tagged"] = (
        await backend.tag(Search("http.uri == *1*"), ("theft", "x"), ()),
        await _ids(backend, "tags == theft"),
    )
    seen["untagged"] = await backend.tag(Search("tags == x"), ("theft",), ("x",)), await _ids(backend, "tags == x")
    Cases(backend.desk).add("theft", LOCAL)
    zipped = zipfile.ZipFile(io.BytesIO(await _all(bundle(backend, Cases(backend.desk).get("theft"), LOCAL))))
    manifest = json.loads(zipped.read("manifest.json"))
    seen["case"] = manifest["sessions"], manifest["sources"][0]["sha256"], zipped.read("packets.pcap")
    seen |= await _data_out(backend)
    await Retention(backend.config, backend.catalog, backend.store).run(now_ms=LATER * 1000 + DAY_MS)
    seen["kept"] = await _ids(backend, ""), len(await backend.chunks()), await _ids(backend, "tags == asked")
    return seen


async def _worked(store: StoreConfig, data: Path, captures: list[Path]) -> dict[str, Any]:
    backend = await DirectBackend.open(CollectorConfig(data=data, store=store, retention=RetentionConfig(days=2)))
    try:
        return await _work(backend, captures)
    finally:
        await backend.close()


def test_a_case_from_intake_to_retention_ends_the_same_on_both_stores(
    cluster: Cluster, captures: list[Path], tmp_path: Path
) -> None:
    shared = StoreConfig(kind=cast(Any, cluster.kind), urls=cluster.urls, prefix=cluster.prefix, replicas=0)
    embedded = asyncio.run(_worked(StoreConfig(), tmp_path / "embedded", captures))
    elsewhere = asyncio.run(_worked(shared, tmp_path / "shared", captures))
    assert embedded == elsewhere
    assert len(embedded["all"]) == 6
    assert embedded["hunt"][:2] == ("done", 4)
    assert embedded["schedule"][0] == embedded["again"] == len(embedded["exported"]) == 2
    assert (embedded["tagged"][0], embedded["untagged"], embedded["case"][0]) == (1, (1, []), 1)
    assert [embedded[table][0] for table in TABLES] == [6, 6, 6]
    assert len(embedded["kept"][0]) == 2
