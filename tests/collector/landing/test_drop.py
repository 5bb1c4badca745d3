"""The drop takes what its manifest proves, once, from the folder's own sensor; the rest is set aside, with why."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import pytest
from tests.collector.landing.format1 import encode_manifest

from hayrick_collector.archive.reader import open_file
from hayrick_collector.landing import Drop, Known
from hayrick_collector.landing.drop import whole
from hayrick_common.chunk import ChunkId, Manifest
from hayrick_common.dropped import Delivery, chunk_name, decode_receipt, encode_delivery
from hayrick_sensor.packing import frame_of

BODY = b"packets" * 1000


class Sink:
    def __init__(self) -> None:
        self.rows: dict[str, Path] = {}
        self.indexed = False
        self.reports: list[dict] = []

    def known(self, chunk: ChunkId) -> Known | None:
        mine = [key for key in self.rows if key.startswith(f"{chunk.sensor}.{chunk.stream}.{chunk.sequence:010d}.")]
        return Known(hashlib.sha256(open_file(self.rows[mine[0]]).read()).hexdigest(), self.indexed) if mine else None

    def landed(self, chunk: ChunkId, path: Path, size: int, meta: dict) -> None:
        assert chunk.key not in self.rows
        self.rows[chunk.key] = path

    def next_numbers(self, sensor: str) -> dict[str, int]:
        return {}

    def seen(self, sensor: str, report: dict) -> None:
        self.reports.append(report)


def manifest_of(body: bytes, sensor: str = "s1") -> Manifest:
    return Manifest(ChunkId(sensor, "a", 1, hashlib.sha256(body).hexdigest()), len(body), 1, 1_700_000_000_000)


def deliver(folder: Path, body: bytes, manifest: Manifest, note: bytes | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{manifest.key}.json").write_bytes(encode_manifest(manifest) if note is None else note)
    (folder / f"{manifest.key}.pcap").write_bytes(body)


def serve(data: Path, sink: Sink, done) -> Drop:
    async def main() -> Drop:
        drop = Drop(data, sink)
        serving = asyncio.ensure_future(drop.run())
        for _ in range(500):
            if serving.done() or done():
                break
            await asyncio.sleep(0.02)
        assert not serving.done(), serving.result()
        assert done()
        serving.cancel()
        return drop

    return asyncio.run(main())


def receipt(data: Path, key: str):
    path = data / "drop" / "s1" / "receipts" / f"{key}.json"
    return decode_receipt(path.read_bytes(), key) if path.exists() else None


def state(data: Path, key: str) -> str:
    found = receipt(data, key)
    return found.state if found else ""


def test_chunk_that_a_dead_connection_still_has_open_is_taken_once_it_is_whole(tmp_path: Path) -> None:
    sink, manifest = Sink(), manifest_of(BODY)
    folder = tmp_path / "drop" / "s1"
    folder.mkdir(parents=True)
    path = folder / f"{manifest.key}.pcap"
    with path.open("wb", buffering=0) as stale:
        stale.write(BODY[:100])
        (folder / f"{manifest.key}.json").write_bytes(encode_manifest(manifest))
        assert not whole(path)
        stale.write(BODY[100:])
        serve(tmp_path, sink, lambda: state(tmp_path, manifest.key) == "landed")
    assert list(sink.rows) == [manifest.key]


def test_duplicate_is_answered_by_its_receipt_and_stored_once(tmp_path: Path) -> None:
    sink, manifest = Sink(), manifest_of(BODY)
    folder = tmp_path / "drop" / "s1"
    deliver(folder, BODY, manifest)
    serve(tmp_path, sink, lambda: not (folder / f"{manifest.key}.json").exists())
    assert state(tmp_path, manifest.key) == "landed"
    (folder / "receipts" / f"{manifest.key}.json").unlink()
    deliver(folder, BODY, manifest)
    drop = serve(tmp_path, sink, lambda: not (folder / f"{manifest.key}.json").exists())
    assert state(tmp_path, manifest.key) == "landed"
    assert drop.counters == {"known": 1}
    assert [open_file(path).read() for path in tmp_path.glob("archive/**/*.pcap*")] == [BODY]


def test_second_receipt_comes_though_the_collector_was_down_when_it_was_due(tmp_path: Path) -> None:
    sink, manifest = Sink(), manifest_of(BODY)
    deliver(tmp_path / "drop" / "s1", BODY, manifest)
    serve(tmp_path, sink, lambda: state(tmp_path, manifest.key) == "landed")
    sink.indexed = True
    serve(tmp_path, sink, lambda: state(tmp_path, manifest.key) == "indexed")


def deliver_frames(folder: Path, manifest: Manifest, stored: bytes) -> None:
    """As a sensor does it: zstd frames, a manifest of format 2."""
    folder.mkdir(parents=True, exist_ok=True)
    note = encode_delivery(Delivery(manifest, "zstd", len(stored)))
    (folder / f"{manifest.key}.json").write_bytes(note)
    (folder / chunk_name(manifest, "zstd")).write_bytes(stored)


def test_zstd_frames_land_as_they_came(tmp_path: Path) -> None:
    sink, manifest = Sink(), manifest_of(BODY)
    frames = [frame_of(BODY[:700]), frame_of(BODY[700:])]
    deliver_frames(tmp_path / "drop" / "s1", manifest, b"".join(frames))
    serve(tmp_path, sink, lambda: state(tmp_path, manifest.key) == "landed")
    (stored,) = sink.rows.values()
    assert stored.read_bytes().startswith(b"".join(frames))
    assert open_file(stored).read() == BODY
    wait = [path.name for path in (tmp_path / "drop" / "s1").iterdir()]
    assert set(wait) <= {"receipts", manifest.key + ".json"}


@pytest.mark.parametrize(
    "stored",
    [
        frame_of(BODY)[:-9],
        frame_of(BODY) + b"more",
        frame_of(BODY) + frame_of(b"more"),
        frame_of(BODY) + frame_of(b""),
        frame_of(BODY)[:-1] + bytes([frame_of(BODY)[-1] ^ 1]),
        frame_of(bytes(5 << 20)),
        BODY,
        b"",
    ],
    ids=["cut", "garbage after", "more bytes", "empty frame", "damaged", "frame of 5 MiB", "raw", "nothing"],
)
def test_frames_that_are_not_the_promised_bytes_are_refused(tmp_path: Path, stored: bytes) -> None:
    manifest = manifest_of(BODY)
    deliver_frames(tmp_path / "drop" / "s1", manifest, stored)
    serve(tmp_path, Sink(), lambda: state(tmp_path, manifest.key) == "refused")
    assert list(tmp_path.glob("archive/**/*.*")) == list(tmp_path.glob("incoming/*")) == []
    assert (tmp_path / "drop" / "s1" / "refused" / chunk_name(manifest, "zstd")).read_bytes() == stored


@pytest.mark.parametrize(
    ("manifest", "note", "code", "reason"),
    [
        (manifest_of(b"other bytes"), None, "content", "not those that the manifest promises"),
        (manifest_of(bytes(len(BODY))), None, "content", "not those that the manifest promises"),
        (manifest_of(BODY), b"{", "garbled", "not JSON"),
        (manifest_of(BODY), encode_manifest(manifest_of(BODY, "s2")), "garbled", "speaks for sensor 's2'"),
        (manifest_of(BODY), encode_manifest(manifest_of(b"x")), "garbled", "the manifest is of"),
        (manifest_of(BODY), encode_manifest(manifest_of(BODY)).replace(b'"a"', b'"../a"'), "garbled", "stream"),
        (manifest_of(BODY), b'{"format": 3}', "garbled", "format 1"),
    ],
)
def test_forged_or_wrong_chunk_is_set_aside_with_the_reason(
    tmp_path: Path, manifest: Manifest, note: bytes | None, code: str, reason: str
) -> None:
    deliver(tmp_path / "drop" / "s1", BODY, manifest, note)
    drop = serve(tmp_path, Sink(), lambda: state(tmp_path, manifest.key) == "refused")
    refused = tmp_path / "drop" / "s1" / "refused"
    assert (refused / f"{manifest.key}.pcap").read_bytes() == BODY
    assert reason in (refused / f"{manifest.key}.pcap.reason.txt").read_text()
    found = receipt(tmp_path, manifest.key)
    assert found is not None
    assert found.code == code
    assert drop.counters == {"refused": 1}
    assert list(tmp_path.glob("archive/**/*.pcap*")) == list(tmp_path.glob("incoming/*")) == []


def test_link_in_place_of_the_receipts_leads_nowhere(tmp_path: Path) -> None:
    manifest = manifest_of(BODY)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    deliver(tmp_path / "drop" / "s1", BODY, manifest)
    (tmp_path / "drop" / "s1" / "receipts").symlink_to(elsewhere)
    drop = Drop(tmp_path, sink := Sink())

    async def main() -> None:
        serving = asyncio.ensure_future(drop.run())
        for _ in range(500):
            if drop.counters or serving.done():
                break
            await asyncio.sleep(0.02)
        assert not serving.done()
        serving.cancel()

    asyncio.run(main())
    assert drop.counters == {"unwatched": 1}
    assert list(elsewhere.iterdir()) == []
    assert sink.rows == {}


def test_report_of_another_sensor_is_not_taken(tmp_path: Path) -> None:
    folder = tmp_path / "drop" / "s1"
    folder.mkdir(parents=True)
    sink, counted = Sink(), []
    for name in ("s2", "s1"):
        (folder / "status.json").write_text(json.dumps({"sensor": name, "time_ms": 1}))
        drop = Drop(tmp_path, sink)
        drop._status("s1", folder / "status.json")
        counted.append(dict(drop.counters))
    assert [report["sensor"] for report in sink.reports] == ["s1"]
    assert counted == [{"garbled_status": 1}, {}]
