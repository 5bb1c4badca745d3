"""What becomes of closed files, and which chunks go when the disk must give way."""

from __future__ import annotations

import hashlib

from hayrick_sensor import spool_events as ev
from hayrick_sensor.measure import Measure
from hayrick_sensor.spool import Spool


def spool(ring: int = 10**9, **budget: bool) -> Spool:
    return Spool("s", {"eth0": ev.Budget(ring, **budget)})


def close(machine: Spool, name: str, size: int = 100, packets: int = 1, problem: str = "") -> list[ev.Command]:
    stamp = "" if machine.budgets["eth0"].owned else f"1.{size}.{name}"
    machine.step(ev.FileClosed("eth0", name, stamp))
    found = Measure(size, hashlib.sha256(name.encode()).hexdigest(), packets, problem=problem)
    return machine.step(ev.Measured("eth0", name, stamp, found, closed_ms=len(machine.entries)))


def key_of(commands: list[ev.Command]) -> str:
    return next(each.entry.key for each in commands if isinstance(each, ev.Record))


def dropped(commands: list[ev.Command]) -> list[tuple[str, str]]:
    return [(each.key, each.state) for each in commands if isinstance(each, ev.Mark)]


def test_number_is_durable_before_the_name_and_the_offer() -> None:
    kinds = [type(each) for each in close(spool(), "a")]
    assert kinds == [ev.Record, ev.Settle, ev.Ship]


def test_received_chunks_go_before_unlanded_ones_however_old() -> None:
    machine = spool(ring=300)
    first, second, third = (key_of(close(machine, name)) for name in "abc")
    machine.step(ev.Received(third, ev.LANDED))
    machine.step(ev.Received(second, ev.INDEXED))
    assert dropped(close(machine, "d")) == [(second, ev.PRUNED)]
    assert dropped(close(machine, "e")) == [(third, ev.PRUNED)]
    assert dropped(close(machine, "f")) == [(first, ev.LOST)]


def test_newest_chunk_outlives_even_a_ring_too_small_for_it() -> None:
    machine = spool(ring=50)
    assert dropped(close(machine, "a")) == []


def test_full_disk_takes_what_was_received_first() -> None:
    machine = spool()
    machine.keep_free_bytes = 1000
    first, second = key_of(close(machine, "a")), key_of(close(machine, "b"))
    machine.step(ev.Received(second, ev.LANDED))
    assert dropped(machine.step(ev.Space(950))) == [(second, ev.PRUNED)]
    assert dropped(machine.step(ev.Space(950))) == [(first, ev.LOST)]


def test_header_only_file_gets_no_number() -> None:
    machine = spool()
    assert close(machine, "a", size=24, packets=0) == [ev.Count("empty_files"), ev.Discard("eth0", "a")]
    assert machine.next_sequence == {}


def test_adopted_file_is_neither_renamed_nor_deleted_nor_taken_twice() -> None:
    machine = spool(ring=50, owned=False, delete=False)
    first = close(machine, "/pcap/a")
    close(machine, "/pcap/b")
    assert not any(isinstance(each, (ev.Remove, ev.Discard)) for each in first)
    assert next(each.entry.path for each in first if isinstance(each, ev.Record)) == "/pcap/a"
    assert machine.step(ev.FileClosed("eth0", "/pcap/a", "1.100./pcap/a")) == []
    assert machine.step(ev.FileClosed("eth0", "/pcap/renamed", "1.100./pcap/a")) == []
    assert len(machine.step(ev.FileClosed("eth0", "/pcap/a", "1.100.written again"))) == 1


def test_foreign_file_in_an_adopted_folder_is_left_out_and_counted() -> None:
    machine = spool(owned=False, delete=False)
    assert close(machine, "/pcap/README.pcap", packets=0, problem="not a capture") == [ev.Count("not_captures")]


def test_late_landed_receipt_does_not_take_back_an_indexed_one() -> None:
    machine = spool()
    key = key_of(close(machine, "a"))
    machine.step(ev.Received(key, ev.INDEXED))
    assert machine.step(ev.Received(key, ev.LANDED)) == []


def test_chunk_older_than_the_ring_goes_whatever_its_state_and_is_counted() -> None:
    machine = Spool("s", {"eth0": ev.Budget(10**9, ring_ms=1000)})
    first, second, third = (key_of(close(machine, name)) for name in "abc")
    machine.step(ev.Received(second, ev.INDEXED))
    assert dropped(machine.step(ev.Space(1, now_ms=1001))) == [(first, ev.LOST)]
    assert dropped(machine.step(ev.Space(1, now_ms=5000))) == [(second, ev.PRUNED), (third, ev.LOST)]


def test_chunk_whose_number_a_lost_journal_gave_before_gets_a_free_one() -> None:
    machine = spool()
    first, second = key_of(close(machine, "a")), key_of(close(machine, "b"))
    assert machine.step(ev.Conflict(first)) == []
    commands = machine.step(ev.Floor("eth0", 10))
    assert ev.Raise("eth0", 10) in commands
    moved = next(each for each in commands if isinstance(each, ev.Renumber))
    assert (moved.key, moved.entry.manifest.chunk.sequence) == (first, 10)
    assert [type(each) for each in commands[1:]] == [ev.Withdraw, ev.Renumber, ev.Settle, ev.Count, ev.Ship]
    assert machine.step(ev.Conflict(moved.entry.key)) == []
    assert [each.key for each in machine.step(ev.Conflict(second)) if isinstance(each, ev.Renumber)] == [second]
    assert close(machine, "c")[0].entry.manifest.chunk.sequence == 12  # type: ignore[union-attr]


def test_overrun_file_is_a_loss_and_not_looked_at_again() -> None:
    machine = spool(owned=False, delete=False)
    machine.step(ev.FileClosed("eth0", "/pcap/a", "1.2.3"))
    commands = machine.step(ev.Overrun("eth0", "/pcap/a", "1.2.3", 5, 9))
    assert commands == [
        ev.Count("overrun_files"),
        ev.Lose("eth0", 0, 5, 9, "written again by its owner before it was read"),
    ]
    assert machine.step(ev.FileClosed("eth0", "/pcap/a", "1.2.3")) == []


def test_foreign_file_with_the_bytes_of_a_chunk_that_is_here_is_no_second_one() -> None:
    machine = Spool("s", {"eth0": ev.Budget(10**9)})
    found = Measure(100, "a" * 64, 3)
    for stamp in ("1.100.5", "2.100.6"):
        machine.step(ev.FileClosed("eth0", "/pcap/x", stamp))
        commands = machine.step(ev.Measured("eth0", "/pcap/x", stamp, found, closed_ms=1))
    assert commands == [ev.Count("doubled_files"), ev.Discard("eth0", "2.100.6.copy")]


def test_of_a_chunk_whose_file_was_cut_short_the_rest_is_shipped_under_its_number_and_only_its_end_is_lost() -> None:
    machine = spool()
    key = key_of(close(machine, "a", size=500, packets=5))
    machine.step(ev.Offered(key))
    left = Measure(300, hashlib.sha256(b"left").hexdigest(), 3, 1, 7, truncated=True)
    withdraw, shorten, again = machine.step(ev.Shortened(key, left))
    assert withdraw == ev.Withdraw(key)
    assert isinstance(shorten, ev.Shorten)
    assert (shorten.key, shorten.lost.packets, shorten.lost.first_ms) == (key, 2, 7)
    assert again == ev.Ship(shorten.entry)
    assert (again.entry.manifest.chunk.sequence, again.entry.manifest.packets, again.entry.state) == (1, 3, ev.CLOSED)
    assert machine.step(ev.Shortened(key, left)) == [], "told for each block that could not be read"
    whole = machine.step(ev.Conflict(again.entry.key))
    assert dropped(whole) == [(again.entry.key, ev.LANDED)], "the whole chunk had landed: no packet lands twice"
