"""Case work by the command line, on a data folder: ingest, search, tag, export, decode, status."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.collector.captures import START, dns_query, ethernet, mixed_frames, write_pcap
from tests.collector.conftest import Hayrick, hayrick_on


def found(hayrick: Hayrick, expression: str, *more: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in hayrick("search", expression, "--json", *more).stdout.splitlines()]


def tshark(path: Path, *fields: str) -> list[list[str]]:
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", *(word for name in fields for word in ("-e", name))]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert "cut short" not in told.stderr
    return [line.split("\t") for line in told.stdout.splitlines()]


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the evidence in it, ingested once for all."""
    folder = tmp_path_factory.mktemp("ingested")
    path = write_pcap(folder / "evidence.pcap", mixed_frames())
    hayrick_on(folder / "data", folder)("ingest", path, "-t", "case_one")
    return folder


@pytest.fixture
def evidence(data: Path, tmp_path: Path, ingested: Path) -> Path:
    """The evidence, and a data folder of the test's own with it ingested."""
    shutil.copytree(ingested / "data", data)
    return Path(shutil.copy2(ingested / "evidence.pcap", tmp_path))


def test_ingested_file_is_found_by_its_words(hayrick: Hayrick, evidence: Path) -> None:
    table = hayrick("search", "http.uri == *needle*").stdout
    assert "10.1.0.5:50000" in table
    assert "www.example" in table
    assert "1 session" in table
    assert len(found(hayrick, "host.dns == *.top && tags == case_one")) == 1
    assert len(found(hayrick, "")) == 3


def test_same_bytes_are_indexed_once_whatever_their_name_and_packing(
    hayrick: Hayrick, evidence: Path, tmp_path: Path
) -> None:
    packed = write_pcap(tmp_path / "other.pcap.gz", mixed_frames())
    told = hayrick("ingest", packed, "-t", "case_two").stdout
    assert "already indexed" in told
    assert "tags added: case_two" in told
    assert len(found(hayrick, "tags == case_one && tags == case_two")) == 3
    assert hayrick("ingest", evidence).stdout.count("already indexed") == 2
    assert len(found(hayrick, "")) == 3


def test_forced_ingest_replaces_and_never_doubles(hayrick: Hayrick, evidence: Path) -> None:
    before = {str(item["id"]) for item in found(hayrick, "")}
    assert "1 indexed" in hayrick("ingest", evidence, "--force").stdout
    assert {str(item["id"]) for item in found(hayrick, "")} == before


def test_summary_tells_packets_sessions_protocols_and_seconds(hayrick: Hayrick, tmp_path: Path) -> None:
    told = hayrick("ingest", write_pcap(tmp_path / "x.pcap", mixed_frames())).stdout
    assert "10 packets, 3 sessions" in told
    assert "dns 2" in told
    assert "1 file (1 indexed): 10 packets, 3 sessions" in told


def test_folder_is_searched_by_content_and_stdin_is_taken(hayrick: Hayrick, tmp_path: Path) -> None:
    folder = tmp_path / "folder" / "deep"
    folder.mkdir(parents=True)
    write_pcap(folder / "no-suffix", [dns_query("a.example")])
    write_pcap(folder / "b.cap.gz", [dns_query("b.example")])
    (folder / "notes.pcap").write_text("no capture at all")
    assert "2 files (2 indexed)" in hayrick("ingest", folder.parent).stdout
    raw = write_pcap(tmp_path / "c.pcap", [dns_query("c.example")]).read_bytes()
    assert "1 file (1 indexed)" in hayrick("ingest", "-", stdin=raw).stdout
    assert len(found(hayrick, "host.dns == [a.example,b.example,c.example]")) == 3


def test_bad_file_fails_by_itself_and_the_rest_goes_on(hayrick: Hayrick, tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.pcap", write_pcap(tmp_path / "good.pcap", mixed_frames())
    bad.write_text("hello")
    told = hayrick("ingest", bad, good, code=1).stdout
    assert "FAILED: is no capture" in told
    assert "2 files (1 indexed, 1 failed)" in told
    assert hayrick("ingest", tmp_path / "none.pcap", code=2).stderr.startswith("hayrick: ")


def test_cut_file_gives_what_there_was_and_names_the_anomaly(hayrick: Hayrick, tmp_path: Path) -> None:
    path = write_pcap(tmp_path / "cut.pcap", mixed_frames())
    path.write_bytes(path.read_bytes()[:-5])
    told = hayrick("ingest", path).stdout
    assert "anomalies: " in told
    assert "anomalies  " in hayrick("status").stdout
    assert len(found(hayrick, "protocols == http")) == 1


def test_error_in_an_expression_points_at_its_column(hayrick: Hayrick, evidence: Path) -> None:
    told = hayrick("search", "ip == 10.0.0.1 && nosuch == 3", code=2)
    assert told.stdout == ""
    lines = told.stderr.splitlines()
    assert "nosuch" in lines[0]
    assert lines[-2].index("nosuch") == lines[-1].index("^")


def test_time_range_limits_and_nothing_found_says_so(hayrick: Hayrick, evidence: Path) -> None:
    assert "No session matches" in hayrick("search", "", "--last", "24h").stdout
    assert len(found(hayrick, "", "--from", str(START - 10), "--to", "2023-11-15")) == 3
    assert "--from is after" in hayrick("search", "", "--from", "now", "--to", "1h", code=2).stderr


def test_csv_and_fields_give_what_was_asked(hayrick: Hayrick, evidence: Path) -> None:
    told = hayrick("search", "", "--csv", "--fields", "source.ip,destination.port", "--sort", "destination.port").stdout
    assert told.splitlines() == ["source.ip,destination.port", "10.1.0.5,53", "10.1.0.5,53", "10.1.0.5,80"]
    told = hayrick("search", "", "--limit", "1").stdout
    assert "3 sessions, 1 shown" in told


def test_text_of_packets_cannot_steer_the_terminal(hayrick: Hayrick, tmp_path: Path) -> None:
    from tests.collector.captures import http_exchange

    hayrick("ingest", write_pcap(tmp_path / "evil.pcap", http_exchange("/a\x1b]0;owned\x07\x1b[2J")))
    told = hayrick("search", "port.dst == 80")
    assert "\x1b" not in told.stdout
    assert "\x07" not in told.stdout


def test_tags_are_added_and_removed(hayrick: Hayrick, evidence: Path) -> None:
    assert hayrick("tag", "host.dns == *", "+seen", "-case_one").stdout.startswith("2 sessions")
    assert len(found(hayrick, "tags == seen")) == 2
    assert len(found(hayrick, "tags == case_one")) == 1
    assert "empty expression" in hayrick("tag", "", "+all", code=2).stderr


@pytest.mark.parametrize("suffix", ["pcap", "pcapng"])
def test_exported_file_holds_exactly_the_sessions_packets_by_time(
    hayrick: Hayrick, evidence: Path, tmp_path: Path, suffix: str
) -> None:
    second = write_pcap(tmp_path / "second.pcap", mixed_frames("10.1.0.6"), start=START + 0.1)
    hayrick("ingest", second)
    out = tmp_path / f"out.{suffix}"
    told = hayrick("export", "protocols == http", "-o", out).stderr
    assert "16 packets of 2 sessions" in told
    rows = tshark(out, "frame.time_epoch", "ip.src", "tcp.port")
    assert len(rows) == 16
    assert rows == sorted(rows, key=lambda row: float(row[0]))
    assert {row[1] for row in rows} == {"10.1.0.5", "10.1.0.6", "10.8.8.8"}
    whole = tshark(evidence, "frame.time_epoch", "ip.src", "tcp.port") + tshark(
        second, "frame.time_epoch", "ip.src", "tcp.port"
    )
    assert sorted(rows) == sorted(row for row in whole if row[2])


def test_disordered_capture_is_exported_in_order(hayrick: Hayrick, tmp_path: Path) -> None:
    path = write_pcap(tmp_path / "back.pcap", [dns_query(f"n{number}.example") for number in range(700)], step=-0.5)
    hayrick("ingest", path)
    hayrick("export", "", "-o", tmp_path / "out.pcap")
    times = [float(row[0]) for row in tshark(tmp_path / "out.pcap", "frame.time_epoch")]
    assert len(times) == 700
    assert times == sorted(times)


def test_several_link_types_need_pcapng_and_get_it(hayrick: Hayrick, evidence: Path, tmp_path: Path) -> None:
    raw = write_pcap(tmp_path / "raw.pcap", [dns_query("raw.example", client="10.7.7.7")[14:]], linktype=101)
    hayrick("ingest", raw)
    told = hayrick("export", "", "-o", tmp_path / "out.pcap", code=2).stderr
    assert "PCAPNG" in told
    assert not (tmp_path / "out.pcap").exists()
    hayrick("export", "", "-o", tmp_path / "out.pcapng")
    assert len(tshark(tmp_path / "out.pcapng", "ip.src")) == 11


def test_export_says_which_packets_are_gone(hayrick: Hayrick, evidence: Path, data: Path, tmp_path: Path) -> None:
    for path in (data / "archive").rglob("*.pcap*"):
        path.unlink()
    told = hayrick("export", "", "-o", tmp_path / "out.pcap", code=1).stderr
    assert "10 packets are missing" in told
    assert ": no longer stored" in told


def test_decode_prints_documents_and_tells_anomalies_apart(hayrick: Hayrick, tmp_path: Path) -> None:
    path = write_pcap(tmp_path / "x.pcap", [*mixed_frames(), ethernet(b"\x45\0", 0x0800)])
    done = hayrick("decode", path)
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert [document.get("source", {}).get("ip") for document in documents].count("10.1.0.5") == 3
    assert all(line.startswith("hayrick: ") for line in done.stderr.splitlines())
    (tmp_path / "manuf").write_text("02:00:00\tHay\tHay Makers, Inc.\n")
    named = [json.loads(line) for line in hayrick("decode", "--oui", tmp_path / "manuf", path).stdout.splitlines()]
    assert any(document.get("srcOui") == ["Hay Makers, Inc."] for document in named)
    plain = [json.loads(line) for line in hayrick("decode", "--oui", "", path).stdout.splitlines()]
    assert not any("srcOui" in document for document in plain)
    (tmp_path / "no.pcap").write_text("nothing")
    assert "no.pcap: " in hayrick("decode", tmp_path / "no.pcap", code=74).stderr
    assert "No such file" in hayrick("decode", tmp_path / "none.pcap", code=74).stderr


def test_status_counts_what_is_there(hayrick: Hayrick, evidence: Path) -> None:
    status = json.loads(hayrick("status", "--json").stdout)
    assert status["chunks"] == {"landed": 0, "indexing": 0, "indexed": 1, "failed": 0}
    assert (status["totals"]["packets"], status["totals"]["sessions"]) == (10, 3)
    assert "3 sessions, 10 packets" in hayrick("status").stdout


def test_times_in_an_expression_are_of_the_zone_asked_for(hayrick: Hayrick, tmp_path: Path) -> None:
    hayrick("ingest", write_pcap(tmp_path / "x.pcap", mixed_frames()))  # at 22:13:20 UTC on 14 November 2023
    day = 'starttime == "2023/11/15"'
    assert "No session matches" in hayrick("search", day).stdout
    assert "3 sessions" in hayrick("search", day, "--zone", "Asia/Tokyo").stdout
    (tmp_path / "c.toml").write_text(f"data = '{tmp_path / 'data'}'\nzone = '+05:00'\n")
    assert "3 sessions" in hayrick("search", day, "--config", tmp_path / "c.toml").stdout
    assert "no time zone 'Mars'" in hayrick("search", day, "--zone", "Mars", code=2).stderr
    (tmp_path / "c.toml").write_text("zone = 'Mars'\n")
    assert "no time zone 'Mars'" in hayrick("search", day, "--config", tmp_path / "c.toml", code=78).stderr
