"""A cluster to measure: its settings, the CPU seconds it says it took, and many sessions made of a capture's."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from synthetic import DAYS

import hayrick_decode
from hayrick_collector.config import CollectorConfig
from hayrick_collector.retention import DAY_MS
from hayrick_collector.store import Query, Store, open_store
from hayrick_collector.store.elasticsearch import Cluster
from hayrick_collector.store.elasticsearch.connection import connected
from hayrick_collector.store.migrate import Documents
from hayrick_common.clock import epoch_ms

_SETTINGS = 'data = "{data}"\n[store]\nkind = "elasticsearch"\nurls = ["{url}"]\nprefix = "{prefix}"\nreplicas = 0\n'


def settings(folder: Path, url: str, prefix: str) -> Path:
    """A collector's settings file in the folder, with this cluster as its store."""
    path = folder / "bench.toml"
    path.write_text(_SETTINGS.format(data=folder, url=url, prefix=prefix))
    return path


def cpu_seconds(url: str) -> float:
    """Of all nodes since they started, by their own account (it is what /proc says of them)."""
    nodes: Mapping[str, Any] = connected(Cluster((url,))).nodes.stats(metric="process")["nodes"]
    return float(sum(each["process"]["cpu"]["total_in_millis"] for each in nodes.values())) / 1000


def stored(url: str, prefix: str) -> tuple[int, int]:
    """Sessions under the prefix, and their bytes without copies."""
    cluster = Cluster((url,), prefix)
    found: Any = connected(cluster).indices.stats(index=cluster.sessions, metric=["docs", "store"])
    return found["_all"]["primaries"]["docs"]["count"], found["_all"]["primaries"]["store"]["size_in_bytes"]


def empty(url: str, prefix: str) -> None:
    """Take away what an earlier run left under the prefix."""
    client = connected(Cluster((url,)))
    names = list(client.indices.get(index=f"{prefix}*", features="aliases"))
    if names:
        client.indices.delete(index=names)


async def fill(config: CollectorConfig, capture: Path, sessions: int) -> None:
    """At least so many sessions over the last 20 days; those that are there are kept."""
    async with open_store(config) as store:
        started, there = time.monotonic(), await store.count(Query())
        _copies(store, capture, there, sessions)
        if there < sessions:
            print(f"made {await store.count(Query())} sessions in {time.monotonic() - started:.0f} s")


def _copies(store: Store, capture: Path, there: int, sessions: int) -> None:
    seed = [json.loads(line) for batch in hayrick_decode.decode(capture) for line in batch.ndjson().splitlines()]
    copies = -(-sessions // len(seed))
    for number in range(there // len(seed), copies):
        chunk = f"synthetic{number:05d}"
        with store.writer(chunk) as writer:
            writer.add(Documents(_varied(seed, number, copies, chunk)))
            writer.commit()


def _varied(seed: list[dict[str, Any]], number: int, copies: int, chunk: str) -> Iterator[dict[str, Any]]:
    """A copy at other times, among other hosts, asking for other names: as the embedded store's copies are."""
    span = DAYS * DAY_MS // copies
    start = epoch_ms() - (copies - number) * span
    for at, each in enumerate(seed):
        first = start + at * span // len(seed)
        made = {**each, "chunk": chunk, "firstPacket": first}
        made["lastPacket"] = first + each["lastPacket"] - each["firstPacket"]
        made["id"] = f"{time.strftime('%y%m%d', time.gmtime(first / 1000))}-{each['id'][7:]}-{number}"
        for side, apart in (("source", 4096), ("destination", 256)):
            if "ip" in made.get(side, {}):
                address = ip_address(int(ip_address(made[side]["ip"])) ^ number % apart)
                made[side] = {**made[side], "ip": str(address)}
        for name in ("dns", "http"):
            if name in made:
                made[name] = _renamed(made[name], number % 500)
        yield made


def _renamed(value: Any, number: int) -> Any:
    """With the number before each host's name."""
    if isinstance(value, list):
        return [_renamed(each, number) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: [f"{number}.{host}" for host in below] if name == "host" else _renamed(below, number)
        for name, below in value.items()
    }
