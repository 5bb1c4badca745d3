"""`hayrick sql` prints what one SELECT over the embedded store answers, and says in a line why not."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from tests.collector.captures import mixed_frames, write_pcap
from tests.collector.conftest import Hayrick

ENDLESS = "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE hash(a.range + b.range) = 0"
HOSTS = "SELECT source_ip, dns.host FROM sessions JOIN dns USING (id) ORDER BY firstPacket"


def test_a_statement_is_answered_as_a_table_csv_and_json_lines(hayrick: Hayrick, tmp_path: Path) -> None:
    hayrick("ingest", write_pcap(tmp_path / "evidence.pcap", mixed_frames()), "-t", "=1+1")
    lines = hayrick("sql", HOSTS, "--format", "ndjson").stdout.splitlines()
    found = [json.loads(line) for line in lines]
    assert found[-1] == {"source_ip": "10.1.0.5", "host": ["two.example.top"]}
    table = hayrick("sql", HOSTS).stdout.splitlines()
    assert table[0].split() == ["source_ip", "host"]
    assert table[-1].split() == ["10.1.0.5", "two.example.top"]
    told = hayrick(
        "sql", "-", "--format", "csv", stdin=b"SELECT tags, count(*) AS n FROM sessions GROUP BY tags"
    ).stdout
    assert list(csv.reader(io.StringIO(told))) == [["tags", "n"], ["'=1+1", "3"]]


def test_tables_are_listed_and_faults_told_in_a_line(hayrick: Hayrick) -> None:
    listed = hayrick("sql").stdout
    assert "\nhttp\n" in listed
    assert listed.startswith("sessions\n")
    for words, code, reason in (
        (("DROP TABLE sessions",), 2, "only one SELECT"),
        ((ENDLESS, "--timeout", "0.2"), 75, "longer than allowed"),
    ):
        told = hayrick("sql", *words, code=code).stderr
        assert reason in told
        assert "Traceback" not in told
