"""From PCAP to searchable: ten copies of a capture into each store, beside decoding them alone."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import cluster as shared
from measuring import CACHE, HAYRICK, Cost, decoded, measure
from mixture import copies

PREFIX = "hayrick_index_"


def index(capture: Path, cluster: str) -> None:
    """Into an empty embedded store, or the cluster at this address if there is one."""
    files = copies(capture, CACHE)
    size = sum(path.stat().st_size for path in files) / 1e6
    decoding = decoded("sessions", *files)
    told = json.loads(decoding.output)
    print(f"{len(files)} files, {size:.0f} MB, {told['packets']} packets, {told['sessions']} sessions")
    print(f"decoding alone: {decoding.wall:.1f} s wall, {decoding.cpu:.1f} CPU s, one process")
    with tempfile.TemporaryDirectory(prefix="hayrick-bench-", dir=CACHE) as data:
        if cluster:
            _into_cluster(cluster, Path(data), files, decoding)
        else:
            cost = _ingested(["--data", data], files)
            stored = sum(path.stat().st_size for path in (Path(data) / "store").rglob("*") if path.is_file())
            print(f"{_told('embedded', cost, decoding)}, {stored / 1e6:.1f} MB on disk")


def _into_cluster(cluster: str, data: Path, files: list[Path], decoding: Cost) -> None:
    """Nothing may be there before, and what comes there goes."""
    shared.empty(cluster, PREFIX)
    config = shared.settings(data, cluster, PREFIX)
    before = shared.cpu_seconds(cluster)
    cost = _ingested(["--config", str(config)], files)
    taken = shared.cpu_seconds(cluster) - before
    documents, stored = shared.stored(cluster, PREFIX)
    print(
        f"{_told('Elasticsearch', cost, decoding)}; the server's {taken:.1f} CPU s, {documents} documents of"
        f" {stored / documents:.0f} bytes on disk"
    )
    shared.empty(cluster, PREFIX)


def _ingested(where: list[str], files: list[Path]) -> Cost:
    """`hayrick ingest` of all files into an empty store."""
    cost = measure([str(HAYRICK), "ingest", "--quiet", *where, *map(str, files)])
    print(cost.output.strip())
    return cost


def _told(store: str, cost: Cost, decoding: Cost) -> str:
    return (
        f"into {store}: {cost.wall:.1f} s wall ({cost.wall / decoding.wall:.2f} x), {cost.cpu:.1f} CPU s"
        f" ({cost.cpu / decoding.cpu:.2f} x), peak {cost.group:.0f} MB"
    )
