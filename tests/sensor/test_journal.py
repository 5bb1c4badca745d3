"""The journal outlives kills, versions and its own loss: no number twice, no count forgotten, no chunk thrown away."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.collector.captures import START, dns_query, write_pcap

from hayrick_common.chunk import ChunkId, Manifest
from hayrick_sensor.journal import SCHEMA, Journal
from hayrick_sensor.launches import Launch
from hayrick_sensor.layout import Layout
from hayrick_sensor.recover import open_journal
from hayrick_sensor.spool_events import Entry
from hayrick_sensor.tcpdump import Counts, last_line, launch_in, launch_of, parse_counts, told_all


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with contextlib.closing(Journal(tmp_path / "journal.sqlite", "s")) as made:
        yield made


def entry(sequence: int, *, stream: str = "eth0", source: str = "", stamp: str = "", gap_ms: int = 0) -> Entry:
    chunk = ChunkId("s", stream, sequence, hashlib.sha256(f"{stream}{sequence}".encode()).hexdigest())
    manifest = Manifest(chunk, 100, 7, 1000 * sequence, 1000 * sequence + 500, gap_ms=gap_ms)
    return Entry(manifest, source or f"f{sequence}", stamp, f"{stream}/{chunk.file_name}", owned=True)


def test_lost_chunk_is_counted_with_its_span_when_it_is_marked(journal: Journal) -> None:
    for number in range(1, 41):
        journal.record(entry(number))
        journal.mark(entry(number).key, "lost", 99, "the ring was full")
    assert journal.counters() == {"lost_chunks": 40, "lost_packets": 280}
    losses = journal.losses()
    assert len(losses) == 32
    assert losses[-1] == {
        "at_ms": 99, "stream": "eth0", "chunks": 1, "packets": 7, "first_ms": 40_000, "last_ms": 40_500,
        "reason": "the ring was full",
    }  # fmt: skip


def test_rows_of_chunks_long_gone_go_and_their_sums_stay(journal: Journal) -> None:
    for number in range(1, 5):
        journal.record(entry(number, stamp="1.2.3" if number == 3 else ""))
    for number in (1, 2, 3):
        journal.mark(entry(number).key, "pruned", number)
    before = journal.summary()
    assert journal.forget(2) == 1
    assert journal.forget(100) == 1
    assert journal.summary() == before
    assert journal.taken() == {("eth0", "1.2.3")}
    journal.forget_taken("eth0", "f3", "1.2.3")
    assert journal.forget(100) == 1
    assert journal.summary() == before
    assert [each.manifest.chunk.sequence for each in journal.live()] == [4]
    assert journal.next_sequences() == {"eth0": 5}


def test_renumbered_chunk_keeps_everything_but_its_number(journal: Journal) -> None:
    old, new = entry(1), entry(9)
    journal.record(old)
    fresh = Entry(new.manifest, old.source, "", new.path, owned=True)
    journal.renumber(old.key, fresh)
    (found,) = journal.live()
    assert (found.key, found.path, found.source) == (f"s.eth0.0000000009.{old.key[-16:]}", new.path, old.source)
    assert journal.next_sequences() == {"eth0": 10}
    journal.raise_next("eth0", 4)
    assert journal.next_sequences() == {"eth0": 10}


def test_gap_before_a_launch_is_told_by_one_chunk(journal: Journal) -> None:
    launch = Launch("eth0", "0123456789ab", 5000, gap_ms=700)
    journal.note_launch(launch)
    assert journal.gap_before("eth0", "0123456789ab") == 700
    journal.record(entry(1, source="0123456789ab-5.pcap.24-900", gap_ms=700))
    journal.note_launch(launch.seen(6000, Counts(3, 3)))
    assert journal.gap_before("eth0", "0123456789ab") == 0


def test_launch_that_wrote_less_than_it_received_is_counted_once(journal: Journal) -> None:
    launch = Launch("eth0", "0123456789ab", 5000).seen(9000, Counts(93, 210, 10))
    ended = launch.ended(9500, "no reason given", 9400, told=True)
    journal.note_launch(ended)
    journal.note_launch(ended)
    assert (ended.lost, ended.gap_from()) == (107, 8500)
    assert journal.counters() == {"unwritten_packets": 107}
    assert journal.launches("eth0") == [ended]


def test_span_after_a_killed_launch_begins_with_what_it_last_wrote() -> None:
    launch = Launch("eth0", "0123456789ab", 5000)
    assert launch.ended(9500, "killed by signal 9", 6000).gap_from() == 6000
    assert launch.ended(9500, "No space left on device", 9400).gap_from() == 8500
    assert launch.ended(9500, "the sensor was stopped", 6000, drained=True).gap_from() == 9500


def test_journal_of_version_1_is_taken_over(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "j")) as old:
        old.executescript(SCHEMA + "PRAGMA user_version = 1; INSERT INTO counters VALUES ('lost_chunks', 3);")
    with contextlib.closing(Journal(tmp_path / "j", "s")) as journal:
        assert not journal.renewed
        assert (journal.counters(), journal.losses(), journal.launches("eth0")) == ({"lost_chunks": 3}, [], [])


@pytest.mark.parametrize("damage", ["gone", "no database", "torn"])
def test_chunks_are_taken_up_again_when_the_journal_is_lost(tmp_path: Path, damage: str) -> None:
    layout = Layout(tmp_path)
    layout.make(["eth0"])
    made = write_pcap(tmp_path / "made", [dns_query("one.example")] * 3, start=START).read_bytes()
    digest = hashlib.sha256(made).hexdigest()
    folder = tmp_path / "chunks" / "eth0"
    (folder / f"0000000007-{digest[:16]}.pcap").write_bytes(made)
    (folder / f"0000000009-{'0' * 16}.pcap").write_bytes(made + made[24:])
    with contextlib.closing(Journal(layout.journal, "s")) as journal:
        for number in range(1, 200):
            journal.record(entry(number))
    if damage == "gone":
        layout.journal.unlink()
    else:
        data = bytearray(layout.journal.read_bytes())
        start = 0 if damage == "no database" else 4096
        data[start : start + 4096] = b"\xff" * 4096
        layout.journal.write_bytes(data)
    with contextlib.closing(open_journal(layout, "s", ["eth0"])) as journal:
        (found,) = journal.live()
        assert (found.manifest.chunk, found.manifest.packets) == (ChunkId("s", "eth0", 7, digest), 3)
        assert layout.settle(found)
        assert journal.next_sequences() == {"eth0": 8}
        assert journal.counters() == {"journals_lost": 1}
    assert [path.name for path in layout.open_folder("eth0").iterdir()] == ["000000000000-9.pcap"]
    assert bool(list(tmp_path.glob("journal.sqlite.broken-*"))) == (damage != "gone")


def test_chunk_is_found_under_the_number_it_had_before(tmp_path: Path) -> None:
    layout, found = Layout(tmp_path), entry(9)
    layout.make(["eth0"])
    (tmp_path / "chunks" / "eth0" / f"0000000001-{found.manifest.chunk.sha256[:16]}.pcap").write_bytes(b"x")
    assert layout.settle(found)
    assert [path.name for path in (tmp_path / "chunks" / "eth0").iterdir()] == [found.manifest.chunk.file_name]


def test_counts_are_the_last_that_tcpdump_said() -> None:
    said = (
        "tcpdump: listening on lo, link-type EN10MB (Ethernet), snapshot length 262144 bytes\n"
        "tcpdump: 1 packet captured, 2 packets received by filter, 0 packets dropped by kernel\n"
        "tcpdump: 107 packets captured, 214 packets received by filter, 3 packets dropped by kernel, "
        "1 packet dropped by interface\n"
    )
    assert parse_counts(said) == Counts(107, 214, 3, 1)
    assert parse_counts("") == Counts()
    assert not told_all(said)
    assert told_all(said + "107 packets captured\n214 packets received by filter\n0 packets dropped by kernel\n")
    assert Counts(5, 9).at_least(parse_counts("")) == Counts(5, 9)
    assert last_line(said + "tcpdump: No space left on device\n") == "No space left on device"


def test_files_and_commands_tell_their_launch() -> None:
    assert launch_of("0193aaaabbbb-1700000000.pcap2.24-900") == "0193aaaabbbb"
    assert launch_of("eth0.pcap") == ""
    assert launch_in(["tcpdump", "-i", "lo", "-w", "0193aaaabbbb-%s.pcap"]) == "0193aaaabbbb"
    assert launch_in(["tcpdump", "-w", "mine-%s.pcap"]) == launch_in([]) == ""


def test_only_what_the_collector_would_say_again_is_not_waited_for(journal: Journal) -> None:
    """What SQLite is told of the disk, statement by statement, and what it is told when all is done."""
    said: list[str] = []
    journal._db.set_trace_callback(said.append)
    journal.record(entry(1))
    journal.mark(entry(1).key, "pruned", 1)
    with pytest.raises(ValueError, match="no such state"):
        journal.mark(entry(1).key, "gone", 1)
    assert not any("synchronous" in each for each in said)
    journal.mark(entry(1).key, "landed", 1)
    assert [each for each in said if "synchronous" in each] == [
        "PRAGMA synchronous = NORMAL",
        "PRAGMA synchronous = FULL",
    ]
    assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)
