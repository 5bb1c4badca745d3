"""From PCAP to searchable: ten copies of a capture into each store, beside decoding them alone.

`hayrick ingest` also keeps the packets, which decoding alone does not: what each of the two takes is told apart.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import cluster as shared
from measuring import CACHE, HAYRICK, Cost, decoded, measure
from mixture import copies

PREFIX = "hayrick_index_"
_CONFIG = """
import sys
from pathlib import Path
from hayrick_collector.config import load_config
option, where, *files = sys.argv[1:]
config = load_config(Path(where)) if option == "--config" else load_config(data=Path(where))
"""
# Puts files into the archive, as `hayrick ingest` does first.
_KEEP = (
    _CONFIG
    + """
from hayrick_collector.catalog import Catalog
from hayrick_collector.ingest.imports import intake
config.folder.create()
catalog = Catalog(config.folder.catalog)
for name in files:
    with intake(config) as taking, open(name, "rb") as file:
        while piece := file.read(1 << 20):
            taking.feed(piece)
        taking.finish(catalog, name=name, tags=())
"""
)
# Puts the sessions of files into the store, as its worker does then.
_INDEX = (
    _CONFIG
    + """
from hayrick_collector.ingest.worker import index
from hayrick_collector.store import open_store
store = open_store(config)
for name in files:
    job = {"key": Path(name).stem, "node": "bench", "file": name, "tags": []}
    with open(name, "rb") as file:
        index(store, file, job, None, lambda message: None)
"""
)


def index(capture: Path, cluster: str) -> None:
    """Into an empty embedded store, or the cluster at this address if there is one."""
    files = copies(capture, CACHE)
    size = sum(path.stat().st_size for path in files) / 1e6
    decoding = decoded("sessions", *files)
    told = json.loads(decoding.output)
    print(f"{len(files)} files, {size:.0f} MB, {told['packets']} packets, {told['sessions']} sessions")
    print(f"decoding alone: {decoding.wall:.1f} s wall, {decoding.cpu:.1f} CPU s, one process")
    with tempfile.TemporaryDirectory(prefix="hayrick-bench-", dir=CACHE) as data:
        keeping = _run(_KEEP, ["--data", f"{data}/kept"], files)
        print(f"keeping the packets alone: {_told(keeping, decoding)}")
        if cluster:
            _into_cluster(cluster, Path(data), files, decoding)
        else:
            _into_folder(Path(data), files, decoding)


def _into_folder(data: Path, files: list[Path], decoding: Cost) -> None:
    indexing = _run(_INDEX, ["--data", str(data / "indexed")], files)
    print(f"decoding and indexing: {_told(indexing, decoding)}")
    stored = sum(path.stat().st_size for path in (data / "indexed" / "store").rglob("*") if path.is_file())
    whole = _ingested(["--data", str(data / "whole")], files)
    print(f"into embedded, packets kept: {_told(whole, decoding)}, {stored / 1e6:.1f} MB of sessions on disk")


def _into_cluster(cluster: str, data: Path, files: list[Path], decoding: Cost) -> None:
    """Nothing may be there before, and what comes there goes."""
    where = ["--config", str(shared.settings(data, cluster, PREFIX))]
    shared.empty(cluster, PREFIX)
    before = shared.cpu_seconds(cluster)
    indexing = _run(_INDEX, where, files)
    print(f"decoding and indexing: {_told(indexing, decoding)}; {_server(cluster, before)}")
    shared.empty(cluster, PREFIX)
    before = shared.cpu_seconds(cluster)
    whole = _ingested(where, files)
    print(f"into Elasticsearch, packets kept: {_told(whole, decoding)}; {_server(cluster, before)}")
    shared.empty(cluster, PREFIX)


def _server(cluster: str, before: float) -> str:
    taken = shared.cpu_seconds(cluster) - before
    documents, stored = shared.stored(cluster, PREFIX)
    return f"the server's {taken:.1f} CPU s, {documents} documents of {stored / documents:.0f} bytes on disk"


def _run(program: str, where: list[str], files: list[Path]) -> Cost:
    return measure([sys.executable, "-c", program, *where, *map(str, files)])


def _ingested(where: list[str], files: list[Path]) -> Cost:
    """`hayrick ingest` of all files into an empty store."""
    cost = measure([str(HAYRICK), "ingest", "--quiet", *where, *map(str, files)])
    print(cost.output.strip())
    return cost


def _told(cost: Cost, decoding: Cost) -> str:
    return (
        f"{cost.wall:.1f} s wall ({cost.wall / decoding.wall:.2f} x), {cost.cpu:.1f} CPU s"
        f" ({cost.cpu / decoding.cpu:.2f} x), peak {cost.group:.0f} MB"
    )
