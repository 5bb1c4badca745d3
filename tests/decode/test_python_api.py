"""What Python gets of the decoder: batches whose tables, documents and packets agree, ids that do not change."""

from __future__ import annotations

import collections
import io
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import dpkt
import duckdb
import pytest
from tests.collector.captures import dns_query, http_exchange, write_pcap

import hayrick_decode


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Two HTTP connections and a DNS question, a frame every millisecond."""
    frames = [*http_exchange("/a", port=50001), *http_exchange("/b", port=50002), dns_query("needle.example.top")]
    path = tmp_path / "x.pcap"
    write_pcap(path, frames)
    return path


def _documents(path: Path, **options: Any) -> list[dict[str, Any]]:
    batches = hayrick_decode.decode(path, **options)
    return [json.loads(line) for batch in batches for line in batch.ndjson().splitlines()]


def test_tables_and_documents_tell_the_same(capture: Path) -> None:
    (batch,) = hayrick_decode.decode(capture, chunk="c", node="n", file="x.pcap", tags=["case"])
    tables = batch.tables()
    documents = {d["id"]: d for d in map(json.loads, batch.ndjson().splitlines())}
    with duckdb.connect() as connection:
        connection.register("sessions", tables["sessions"])
        connection.register("http", tables["http"])
        rows = connection.execute(
            'SELECT id, "network.packets", "http.uri" FROM sessions JOIN http USING (id)'
        ).fetchall()
    assert len(rows) == 2
    for identity, packets, uris in rows:
        assert documents[identity]["network"]["packets"] == packets
        assert documents[identity]["http"]["uri"] == uris
    assert len(batch) == len(documents) == tables["documents"].num_rows == tables["packets"].num_rows == 3


def test_an_address_survives_the_tables(capture: Path) -> None:
    (batch,) = hayrick_decode.decode(capture)
    table = batch.tables()["sessions"]
    assert {"source.ip.hi", "source.ip.lo"} <= set(table.columns)
    with duckdb.connect() as connection:
        connection.register("s", table)
        row = connection.execute('SELECT DISTINCT "source.ip.hi", "source.ip.lo" FROM s').fetchall()
    assert row == [(0, 0xFFFF0A010005)]


def test_parquet_file_of_tables_has_their_rows_types_and_spans(capture: Path, tmp_path: Path) -> None:
    first, second = hayrick_decode.decode(capture, chunk="c", batch_sessions=2)
    for name, table in first.tables().items():
        more = [second.tables()[name]] if name in second.tables() else []
        path = tmp_path / f"{name}.parquet"
        path.write_bytes(table.parquet(more, rows_a_group=1))
        with duckdb.connect() as connection:
            rows = connection.execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
            told = []
            for each in (table, *more):
                connection.register("arrow", each)
                told += connection.execute("SELECT * FROM arrow").fetchall()
            described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
        assert rows == told
        assert [(column, kind) for column, kind, *_ in described] == list(zip(table.columns, table.types, strict=True))
    times = [d["firstPacket"] for d in _documents(capture, batch_sessions=2)[:2]]
    sessions = first.tables()["sessions"]
    assert sessions.span("firstPacket") == (min(times), max(times))
    assert sessions.span("chunk") == ("c", "c")
    assert sessions.span("nothing") is None
    with pytest.raises(ValueError, match="tags"):
        sessions.span("tags")
    with pytest.raises(RuntimeError, match="Incompatible"):
        sessions.parquet([first.tables()["packets"]], rows_a_group=1)


def test_bulk_bodies_hold_every_document_with_its_stamp_within_the_bounds(capture: Path) -> None:
    (batch,) = hayrick_decode.decode(capture, chunk="c")
    documents = [json.loads(line) for line in batch.ndjson().splitlines()]
    for most_items, most_bytes, sizes in ((2, 1 << 20, [2, 1]), (100, 1, [1, 1, 1]), (100, 1 << 20, [3])):
        bodies = batch.bulk("c", 7, most_items, most_bytes)
        assert [items for _, items, _ in bodies] == sizes
        assert {day for day, _, _ in bodies} == {documents[0]["id"][:6]}
        lines = [json.loads(line) for _, _, body in bodies for line in body.splitlines()]
        assert lines[::2] == [{"index": {"_id": each["id"]}} for each in documents]
        assert lines[1::2] == [{**each, "hayrick": {"stamp": 7}} for each in documents]
        assert all(body.endswith(b"\n") for _, _, body in bodies)
    with pytest.raises(ValueError, match="does not belong to the chunk other"):
        batch.bulk("other", 7, 100, 1 << 20)


def test_the_same_chunk_gives_the_same_ids_and_another_chunk_others(capture: Path) -> None:
    first, again, other = (
        [d["id"] for d in _documents(capture, chunk=chunk, batch_sessions=size)]
        for chunk, size in (("c1", 8192), ("c1", 1), ("c2", 8192))
    )
    assert first == again
    assert not set(first) & set(other)
    assert all(re.fullmatch(r"\d{6}-[A-Za-z0-9_-]{22}", identity) for identity in first)


def test_the_summary_is_told_after_the_last_batch(capture: Path) -> None:
    decoding = hayrick_decode.decode(capture)
    with pytest.raises(RuntimeError, match="once all batches"):
        _ = decoding.summary
    sessions = sum(len(batch) for batch in decoding)
    summary = decoding.summary
    assert (summary["sessions"], summary["packets"], summary["format"]) == (sessions, 17, "pcap")
    assert summary["seekable"] is True
    assert summary["protocols"] == {"dns": 1, "http": 2, "tcp": 2, "udp": 1}


def test_packets_read_back_are_the_sessions_packets(capture: Path) -> None:
    with capture.open("rb") as file:
        frames = [frame for _, frame in dpkt.pcap.Reader(file)]
    positions = [d["packetPos"] for d in _documents(capture)]
    read = [data for places in positions for _, _, _, data in hayrick_decode.read_packets(capture, places)]
    assert sorted(read) == sorted(frames)
    with pytest.raises(ValueError, match="no packet at position 30"):
        hayrick_decode.read_packets(capture, [30])


def test_a_file_object_is_read_like_its_path(capture: Path) -> None:
    whole = io.BytesIO(capture.read_bytes())
    whole.seek(7)  # wherever it stands
    documents = [json.loads(line) for batch in hayrick_decode.decode(whole) for line in batch.ndjson().splitlines()]
    assert documents == _documents(capture)
    positions = [place for document in documents for place in document["packetPos"]]
    for order in (positions, positions[::-1], sorted(positions)):
        assert hayrick_decode.read_packets(whole, order) == hayrick_decode.read_packets(capture, order)
    with pytest.raises(ValueError, match="no packet at position 30"):
        hayrick_decode.read_packets(whole, [30])


class Breaking(io.BytesIO):
    """Raises once the reader has come so far."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= 1 << 20:
            raise TimeoutError("far away")
        return super().read(size)


def test_what_a_file_object_raises_is_raised_and_never_a_shorter_capture(tmp_path: Path) -> None:
    path = tmp_path / "long.pcap"
    write_pcap(path, [dns_query(f"{'x' * 60}{n}.example.top") for n in range(12_000)])
    with pytest.raises(TimeoutError, match="far away"):
        list(hayrick_decode.decode(Breaking(path.read_bytes())))
    with pytest.raises(TimeoutError, match="far away"):
        hayrick_decode.read_packets(Breaking(path.read_bytes()), [24, 1 << 20])
    with pytest.raises(TypeError):
        hayrick_decode.decode(io.StringIO("text"))  # type: ignore[arg-type]


def test_packets_of_a_file_object_cost_only_the_bytes_around_them(tmp_path: Path) -> None:
    path = tmp_path / "long.pcap"
    write_pcap(path, [dns_query(f"{'x' * 60}{n}.example.top") for n in range(12_000)])
    read = 0

    class Counting(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            nonlocal read
            data = super().read(size)
            read += len(data)
            return data

    record = (path.stat().st_size - 24) // 12_000
    assert record > 100
    last = max(place for document in _documents(path) for place in document["packetPos"])
    assert len(hayrick_decode.read_packets(Counting(path.read_bytes()), [24, last])) == 2
    assert read < 100_000 < path.stat().st_size // 10


def test_what_cannot_be_opened_is_an_error_of_its_kind(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        hayrick_decode.decode(tmp_path / "none.pcap")
    other = tmp_path / "notes.txt"
    other.write_text("these are notes, longer than a capture's header")
    with pytest.raises(ValueError, match="not a capture"):
        hayrick_decode.decode(other)


def test_dpkt_counts_the_same_packets_and_bytes(capture: Path) -> None:
    documents = _documents(capture)
    with capture.open("rb") as file:
        sizes = [len(frame) for _, frame in dpkt.pcap.Reader(file)]
    assert sum(d["network"]["packets"] for d in documents) == len(sizes)
    assert sum(d["network"]["bytes"] for d in documents) == sum(sizes)


def test_tshark_finds_the_same_conversations(capture: Path) -> None:
    wanted = [option for name in ("tcp.stream", "udp.stream") for option in ("-e", name)]
    command = ["tshark", "-r", str(capture), "-T", "fields", *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    packets = collections.Counter(done.stdout.splitlines())
    assert sorted(packets.values()) == sorted(d["network"]["packets"] for d in _documents(capture))


def test_every_field_of_the_catalogue_has_help_and_a_name_of_its_own() -> None:
    fields = hayrick_decode.fields()
    names = [field["expression"] for field in fields]
    assert len(names) == len(set(names))
    assert all(field["help"] for field in fields)
    columns = [(field["table"], field["column"]) for field in fields if field["column"]]
    assert len(columns) == len(set(columns))


def test_every_column_of_every_table_is_in_the_catalogue(capture: Path) -> None:
    (batch,) = hayrick_decode.decode(capture)
    known = {(field["table"], field["column"]) for field in hayrick_decode.fields()}
    for name, table in batch.tables().items():
        if name in ("documents", "packets"):
            continue
        plain = {re.sub(r"\.(hi|lo)$", "", column) if "ip." in column else column for column in table.columns}
        assert {(name, column) for column in plain - {"id"}} <= known


def test_stub_and_module_offer_the_same_names() -> None:
    stub = Path(hayrick_decode.__file__).with_name("__init__.pyi").read_text()
    for name in hayrick_decode.__all__:
        assert re.search(rf"^(class|def) {name}\b", stub, re.MULTILINE), name
