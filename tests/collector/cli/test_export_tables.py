"""Sessions leave as JSON lines, CSV and Parquet: all of them, by time, as other programs read them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.collector.captures import dns_query, http_exchange, mixed_frames, write_pcap
from tests.collector.conftest import Hayrick


@pytest.fixture
def evidence(tmp_path: Path, hayrick: Hayrick) -> Path:
    path = write_pcap(tmp_path / "evidence.pcap", mixed_frames())
    hayrick("ingest", path, "-t", "=1+1")
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_parquet(path: Path, picked: str = "*") -> list[tuple[Any, ...]]:
    return duckdb.execute(f"SELECT {picked} FROM read_parquet('{path}')").fetchall()


def test_json_lines_are_whole_documents_by_time(hayrick: Hayrick, evidence: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.ndjson"
    told = hayrick("export", "", "-o", out).stderr
    assert told.startswith("3 sessions, ")
    items = [json.loads(line) for line in out.read_text("ascii").splitlines()]
    whole = [json.loads(line) for line in hayrick("search", "", "--json", "--sort", "firstPacket").stdout.splitlines()]
    assert items == whole
    told = hayrick("export", "host.dns == *.top", "-o", "-", "--format", "ndjson", "--fields", "ip.src,dns.host").stdout
    assert json.loads(told) == {
        "id": whole[2]["id"],
        "source": {"ip": "10.1.0.5"},
        "dns": [{"host": ["two.example.top"]}],
    }


def test_csv_has_the_fields_asked_for_and_runs_nothing_in_a_spreadsheet(
    hayrick: Hayrick, evidence: Path, tmp_path: Path
) -> None:
    hayrick("ingest", write_pcap(tmp_path / "x.pcap", http_exchange('/a,"b"\tc=@d', client="10.1.0.9")))
    hayrick("export", "", "-o", tmp_path / "out.csv", "--fields", "firstPacket,tags,http.uri,port.dst,http.useragent")
    rows = read_csv(tmp_path / "out.csv")
    assert sorted(row["destination.port"] for row in rows) == ["53", "53", "80", "80"]
    assert rows[0]["firstPacket"] == "2023-11-14 22:13:20.000"
    assert {row["tags"] for row in rows} == {"'=1+1", ""}
    assert {row["http.uri"] for row in rows} == {"", "www.example/needle?x=1", 'www.example/a,"b"\tc=@d'}
    told = hayrick("export", "", "-o", "-", "--format", "csv").stdout
    assert next(csv.reader(io.StringIO(told)))[:2] == ["id", "firstPacket"]


def test_parquet_has_a_typed_column_for_each_field_that_is_there(
    hayrick: Hayrick, evidence: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"
    hayrick("export", "", "-o", out)
    names = {row[0]: row[1] for row in duckdb.execute(f"DESCRIBE SELECT * FROM read_parquet('{out}')").fetchall()}
    assert names["source.ip"] == "VARCHAR"
    assert names["dns.host"] == names["tags"] == "VARCHAR[]"
    assert names["firstPacket"] == "TIMESTAMP"
    assert names["destination.port"] == "BIGINT"
    assert "tls.version" not in names
    rows = read_parquet(out, '"source.ip", "destination.port", tags, strftime("firstPacket", \'%H:%M:%S\')')
    assert rows[1] == ("10.1.0.5", 80, ["=1+1"], "22:13:20")
    assert [row[1] for row in rows] == [53, 80, 53]
    hayrick("export", "node == nowhere", "-o", out, "--fields", "id,port.dst")
    assert read_parquet(out) == []


def test_what_is_no_column_is_refused_and_leaves_no_file(hayrick: Hayrick, evidence: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    assert "did you mean" in hayrick("export", "", "-o", out, "--fields", "htp.uri", code=2).stderr
    assert "several fields" in hayrick("export", "", "-o", out, "--fields", "ip", code=2).stderr
    assert "goes with a table" in hayrick("export", "", "-o", tmp_path / "o.pcap", "--fields", "id", code=2).stderr
    assert not list(tmp_path.glob("*.csv*"))


def test_more_sessions_than_a_page_come_once_each_and_by_time(hayrick: Hayrick, tmp_path: Path) -> None:
    frames = [dns_query(f"n{number}.example", port=1024 + number) for number in range(5000)]
    hayrick("ingest", write_pcap(tmp_path / "many.pcap", frames, step=0.001))
    hayrick("ingest", write_pcap(tmp_path / "later.pcap", frames[:10], start=1_800_000_000, step=0.0))
    out = tmp_path / "out.parquet"
    assert hayrick("export", "", "-o", out, "--fields", "id,starttime").stderr.startswith("5010 sessions")
    rows = read_parquet(out)
    assert len({row[0] for row in rows}) == len(rows) == 5010
    assert [row[1] for row in rows] == sorted(row[1] for row in rows)
