"""Millions of sessions out of a capture's: each copy at other times, among other hosts, asking for other names."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import hayrick_decode
from hayrick_collector.store import open_store
from hayrick_collector.store.embedded.duck import Limits, connect
from hayrick_collector.store.embedded.layout import PARALLEL, SESSIONS, Layout
from hayrick_collector.store.embedded.maintenance import DAY_MS
from hayrick_collector.store.embedded.snapshot import Live, Snapshots
from hayrick_collector.store.embedded.sql import Sql, name
from hayrick_collector.store.embedded.writer import ParquetFolder
from hayrick_common.clock import epoch_ms

DAYS = 20
PER_SEGMENT = 500_000
CHUNK = "of-the-capture"
_VARIED = {
    "id": "id || '-' || k",
    "source.ip.lo": 'xor("source.ip.lo", (hash(k) % 4096)::UBIGINT)',
    "destination.ip.lo": 'xor("destination.ip.lo", (hash(k, 1) % 256)::UBIGINT)',
    "lastPacket": '"lastPacket" - "firstPacket" + {start} + (hash(id, k) % {span})::BIGINT',
    "firstPacket": "{start} + (hash(id, k) % {span})::BIGINT",
    "chunk": "'{label}'",
    **{
        host: f"list_transform({name(host)}, lambda each: (k % 500) || '.' || each)"
        for host in ("dns.host", "http.host")
    },
}


def build(capture: Path, folder: Path, sessions: int) -> Path:
    """A store of so many sessions over the last 20 days, in segments of the size that compaction leaves; kept."""
    per_segment = min(sessions, PER_SEGMENT)
    made = folder / f"synthetic-needles-{sessions}-{per_segment}"
    if not (made / "ready").exists():
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        started = time.monotonic()
        _write(_seed(capture, made / "seed"), made / "store", sessions, per_segment)
        shutil.rmtree(made / "seed")
        (made / "ready").touch()
        print(f"made {sessions} sessions in {time.monotonic() - started:.0f} s")
    return made / "store"


def _seed(capture: Path, folder: Path) -> Live:
    with open_store(folder).writer(CHUNK) as writer:
        for batch in hayrick_decode.decode(str(capture), chunk=CHUNK):
            writer.add(batch)
        writer.commit()
    return next(Snapshots(Layout(folder)).current().live())


def _write(seed: Live, folder: Path, sessions: int, per_segment: int) -> None:
    layout = Layout(folder)
    layout.create()
    connection = connect(folder.parent, layout.spill, Limits(memory="3GB", threads=2))
    segments = -(-sessions // per_segment)
    copies = -(-per_segment // seed.manifest.rows)
    span = DAYS * DAY_MS // segments
    for number in range(segments):
        label = f"synthetic{number:05d}"
        start = epoch_ms() - (segments - number) * span
        segment = ParquetFolder(layout, lambda: connection, label)
        for table in seed.manifest.tables:
            first, last = number * copies, (number + 1) * copies
            values = {"start": start, "span": span, "label": label}
            source = _varied(seed, table, first, last, values)
            segment.write(table, source, 0)
        segment.commit(label)


def _varied(seed: Live, table: str, first: int, last: int, values: dict[str, object]) -> Sql:
    kept = seed.manifest.tables[table].columns
    made = [f"{_VARIED[each].format(**values)} AS {name(each)}" for each in kept if each in _VARIED]
    rest = ", ".join([*made, *(name(each) for each in kept if each not in _VARIED)])
    time = _VARIED["firstPacket"].format(**values)
    order = f"ORDER BY {time}, {_VARIED['id']}" if table in (SESSIONS, *PARALLEL) else ""
    return Sql(f"SELECT {rest} FROM read_parquet(?), range({first}, {last}) copy(k) {order}", (seed.paths(table),))
