"""What was not seen is told with its exact time and its reason; what is only on its way is not told as lost."""

from __future__ import annotations

from hayrick_collector.coverage.answer import answer
from hayrick_collector.coverage.facts import Facts, Piece, layers
from hayrick_collector.coverage.heartbeats import Drop, Launch, Lost
from hayrick_collector.coverage.timeline import timeline

S = 1000
MINUTE = 60 * S
START = 1_780_000_000 * S


def piece(number: int, state: str = "indexed", *, gap_ms: int = 0) -> Piece:
    """Chunk `number` of a minute each: packets in all of it but the last second."""
    begins = START + (number - 1) * MINUTE
    return Piece(number, begins, begins + 59 * S, state, 100, gap_ms)


def launch(name: str, started: int, stopped: int, why: str = "", heard: int = 0) -> Launch:
    at = [START + each if each else 0 for each in (stopped, heard)]
    return Launch("eth0", name, START + started, at[0], 0, 0, 0, 0, 0, why, at[1])


def facts(*pieces: Piece, now: int, **more: object) -> Facts:
    made = Facts("s1", "eth0", START + now, pieces=list(pieces), highest=max((p.last for p in pieces), default=0))
    for name, value in {"heard_ms": START + now, "next_sequence": made.highest + 1, **more}.items():
        setattr(made, name, value)
    return made


def told(known: Facts, start: int, stop: int) -> list[tuple[str, int, int]]:
    spans = timeline(layers(known), START + start, START + stop)
    return [(span.state, span.start_ms - START, span.stop_ms - START) for span in spans]


def test_chunks_in_a_row_that_are_searchable_are_complete() -> None:
    known = facts(piece(1), piece(2), piece(3), now=10 * MINUTE)
    found = answer(known, START, START + 2 * MINUTE + 59 * S, buckets=100)
    assert found["complete"]
    assert found["gaps"] == []
    assert found["covered"] == found["known"] == 2 * MINUTE + 59 * S


def test_number_that_never_arrived_is_a_gap_between_its_neighbours() -> None:
    known = facts(piece(1), piece(4), now=10 * MINUTE)
    (gap,) = answer(known, START, START + 4 * MINUTE - S, buckets=100)["gaps"]
    assert (gap["state"], gap["chunks"], gap["estimated"]) == ("missing", 2, True)
    assert (gap["start_ms"] - START, gap["stop_ms"] - START) == (59 * S + 1, 3 * MINUTE)
    assert gap["reason"] == "chunks 2 to 3 never arrived"


def test_number_that_waits_at_the_sensor_is_not_told_as_lost() -> None:
    known = facts(piece(1), piece(4), now=5 * MINUTE, backlog_chunks=2, oldest_ms=START + MINUTE)
    assert ("captured", 59 * S + 1, 3 * MINUTE) in told(known, 0, 4 * MINUTE - S)


def test_chunk_that_the_sensor_gave_up_is_told_with_its_own_time() -> None:
    lost = Lost("eth0", START + 4 * MINUTE, START + MINUTE, START + MINUTE + 59 * S, 1, 77, "disk full")
    known = facts(piece(1), piece(3), now=5 * MINUTE, lost=[lost])
    (gap,) = answer(known, START, START + 3 * MINUTE - S, buckets=100)["gaps"]
    assert (gap["state"], gap["packets"], gap["start_ms"] - START) == ("lost", 77, MINUTE)
    assert gap["stop_ms"] - START == MINUTE + 59 * S + 1


def test_time_between_two_launches_is_not_captured() -> None:
    launches = [launch("1", 0, 70 * S, "killed"), launch("2", 90 * S, 0, heard=5 * MINUTE)]
    known = facts(piece(1), piece(3), now=5 * MINUTE, launches=launches, highest=3)
    known.pieces[1] = Piece(2, START + 120 * S, START + 179 * S, "indexed", 100)
    (gap,) = answer(known, START, START + 179 * S, buckets=100)["gaps"]
    assert (gap["state"], gap["reason"]) == ("down", "killed")
    assert (gap["start_ms"] - START, gap["stop_ms"] - START) == (70 * S, 90 * S)


def test_killed_sensor_leaves_a_gap_from_its_last_word_or_packet_to_the_next_launch() -> None:
    launches = [launch("1", 0, 0, heard=30 * S), launch("2", 100 * S, 0, heard=5 * MINUTE)]
    known = facts(piece(1), piece(3), now=5 * MINUTE, launches=launches)
    known.pieces[1] = Piece(2, START + 120 * S, START + 179 * S, "indexed", 100)
    (gap,) = answer(known, START, START + 179 * S, buckets=100)["gaps"]
    assert (gap["state"], gap["estimated"]) == ("down", True)
    assert (gap["start_ms"] - START, gap["stop_ms"] - START) == (59 * S + 1, 100 * S)


def test_tcpdump_that_ended_for_good_is_down_until_now() -> None:
    known = facts(piece(1), now=5 * MINUTE, launches=[launch("1", 0, 70 * S, "no such device")])
    assert told(known, 0, 5 * MINUTE)[-1] == ("down", 70 * S, 5 * MINUTE)


def test_gap_that_a_chunk_brings_is_told_where_no_launches_are() -> None:
    known = facts(piece(1), piece(2, gap_ms=400), now=5 * MINUTE)
    assert ("down", MINUTE - 400, MINUTE) in told(known, 0, 2 * MINUTE)


def test_quiet_link_is_complete_while_tcpdump_ran() -> None:
    known = facts(piece(1), now=60 * MINUTE, launches=[launch("1", 0, 0, heard=60 * MINUTE)])
    known.pieces.append(Piece(2, START + 30 * MINUTE, START + 31 * MINUTE, "indexed", 5))
    known.highest, known.next_sequence = 2, 3
    assert told(known, 0, 30 * MINUTE) == [("indexed", 0, 59 * S + 1), ("quiet", 59 * S + 1, 30 * MINUTE)]


def test_dropped_packets_are_a_gap_with_their_number() -> None:
    drop = Drop("eth0", 0, START + 10 * S, START + 20 * S, 500, 7)
    found = answer(facts(piece(1), now=5 * MINUTE, drops=[drop]), START, START + 59 * S, buckets=10)
    assert not found["complete"]
    assert found["dropped"] == 507
    assert [(gap["state"], gap["packets"]) for gap in found["gaps"]] == [("dropped", 507)]


def test_sensor_that_is_not_heard_from_is_silent_from_its_last_word() -> None:
    known = facts(piece(1), now=10 * MINUTE, heard_ms=START + 2 * MINUTE)
    assert told(known, 0, 10 * MINUTE)[-2:] == [
        ("open", 59 * S + 1, 2 * MINUTE),
        ("silent", 2 * MINUTE, 10 * MINUTE),
    ]


def test_what_lands_failed_or_was_removed_is_told_as_that() -> None:
    states = ("landed", "indexing", "failed", "removed", "packets_removed", "indexed")
    known = facts(*(piece(n, state) for n, state in enumerate(states, 1)), now=10 * MINUTE)
    found = answer(known, START, START + 6 * MINUTE - S, buckets=100)
    assert [gap["state"] for gap in found["gaps"]] == ["landed", "landed", "failed", "removed"]


def test_stream_that_nothing_was_heard_of_is_unknown_and_not_complete() -> None:
    found = answer(Facts("s1", "eth0", START + MINUTE), START, START + MINUTE, buckets=10)
    assert not found["complete"]
    assert (found["known"], found["states"]) == (0, {"unknown": MINUTE})
