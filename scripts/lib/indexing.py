"""From PCAP to searchable: ten copies of a capture into each store, beside decoding them alone."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from measuring import CACHE, HAYRICK, Cost, measure
from mixture import copies

CLUSTER = '[store]\nkind = "elasticsearch"\nurls = ["{url}"]\nprefix = "hayrick_bench_"\nreplicas = 0\n'

# Decodes files and prints what was in them.
DECODE = """
import json, sys
import hayrick_decode
total = {"packets": 0, "sessions": 0}
for name in sys.argv[1:]:
    decoding = hayrick_decode.decode(name)
    for batch in decoding:
        pass
    for key in total:
        total[key] += decoding.summary[key]
print(json.dumps(total))
"""


def index(capture: Path, cluster: str) -> None:
    """Into an empty embedded store, or the cluster at this address if there is one."""
    files = copies(capture, CACHE)
    size = sum(path.stat().st_size for path in files) / 1e6
    decoding = measure([sys.executable, "-c", DECODE, *map(str, files)])
    told = json.loads(decoding.output)
    print(f"{len(files)} files, {size:.0f} MB, {told['packets']} packets, {told['sessions']} sessions")
    print(f"decoding alone: {decoding.wall:.1f} s wall, {decoding.cpu:.1f} CPU s, one process")
    _into("Elasticsearch" if cluster else "embedded", CLUSTER.format(url=cluster) if cluster else "", files, decoding)


def _into(store: str, settings: str, files: list[Path], decoding: Cost) -> None:
    """`hayrick ingest` of all files into an empty store."""
    with tempfile.TemporaryDirectory(prefix="hayrick-bench-", dir=CACHE) as data:
        config = Path(data) / "bench.toml"
        config.write_text(f'data = "{data}"\n{settings}')
        cost = measure([str(HAYRICK), "ingest", "--quiet", "--config", str(config), *map(str, files)])
        stored = sum(path.stat().st_size for path in (Path(data) / "store").rglob("*") if path.is_file())
    print(cost.output.strip())
    print(
        f"into {store}: {cost.wall:.1f} s wall ({cost.wall / decoding.wall:.2f} x), {cost.cpu:.1f} CPU s"
        f" ({cost.cpu / decoding.cpu:.2f} x), peak {cost.group:.0f} MB"
        + (f", {stored / 1e6:.1f} MB on disk" if stored else "")
    )
