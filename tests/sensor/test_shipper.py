"""The shipper's promises, one by one."""

from __future__ import annotations

import hashlib

from hayrick_common import wire
from hayrick_common.chunk import ChunkId, Manifest
from hayrick_sensor import shipper_events as ev
from hayrick_sensor.shipper import Shipper


def manifest(sequence: int) -> Manifest:
    digest = hashlib.sha256(str(sequence).encode()).hexdigest()
    return Manifest(ChunkId("s", "eth0", sequence, digest), 100, 1, closed_ms=sequence)


def online(chunks: int) -> tuple[Shipper, list[ev.Command]]:
    shipper = Shipper("s", "test", "boot")
    for sequence in range(1, chunks + 1):
        assert shipper.step(ev.Added(manifest(sequence)), 0) == []
    shipper.step(ev.Connected(), 0)
    return shipper, shipper.step(ev.Got(wire.Welcome(1, "test", "boot", 0, 10_000)), 0)


def offered(commands: list[ev.Command]) -> list[int]:
    return [c.message.sequence for c in commands if isinstance(c, ev.Send) and isinstance(c.message, wire.Offer)]


def test_backlog_goes_oldest_first_with_one_place_for_the_newest() -> None:
    _, commands = online(10)
    assert sorted(offered(commands)) == [1, 2, 3, 10]


def test_nothing_is_offered_before_the_collector_has_welcomed_us() -> None:
    shipper = Shipper("s", "test", "boot")
    shipper.step(ev.Added(manifest(1)), 0)
    assert offered(shipper.step(ev.Connected(), 0)) == []
    assert offered(shipper.step(ev.Tick(), 1_000)) == []


def test_an_offer_without_an_answer_is_repeated() -> None:
    shipper, _ = online(1)
    shipper.heard_ms = 31_000
    assert offered(shipper.step(ev.Tick(), 31_000)) == [1]


def test_a_silent_collector_is_left() -> None:
    shipper, _ = online(1)
    assert ev.Reconnect() in shipper.step(ev.Tick(), 41_000)
    assert not shipper.online


def test_rejected_sensor_dials_again_in_case_it_has_been_allowed_since() -> None:
    shipper = Shipper("s", "test", "boot")
    shipper.step(ev.Rejected(), 0)
    shipper.step(ev.Disconnected(), 0)
    assert shipper.step(ev.Tick(), 4_000) == []
    assert shipper.step(ev.Tick(), 5_000) == [ev.Reconnect()]


def test_landed_chunk_is_asked_about_until_it_is_indexed() -> None:
    shipper, _ = online(1)
    key = manifest(1).key
    shipper.step(ev.Got(wire.Receipt(key, wire.LANDED)), 0)
    shipper.heard_ms = 60_000
    assert offered(shipper.step(ev.Tick(), 60_000)) == [1]
    assert ev.Note(key, "indexed") in shipper.step(ev.Got(wire.Receipt(key, wire.INDEXED)), 60_000)
    shipper.heard_ms = 130_000
    assert offered(shipper.step(ev.Tick(), 130_000)) == []


def test_bytes_go_only_where_credit_was_given_and_within_the_chunk() -> None:
    shipper, _ = online(1)
    key = manifest(1).key
    assert shipper.step(ev.Got(wire.Fetch(key, 50, 50)), 0) == [ev.SendBlock(key, 50, 50)]
    assert shipper.step(ev.Got(wire.Fetch(key, 50, 51)), 0) == [ev.Count("unexpected_message")]
    gone = shipper.step(ev.Got(wire.Fetch("s.eth0.0000000009.0123", 0, 1)), 0)
    assert isinstance(gone[0], ev.Send)
    assert isinstance(gone[0].message, wire.Gone)


def test_receipt_for_a_chunk_that_was_never_offered_changes_nothing() -> None:
    shipper, _ = online(1)
    assert shipper.step(ev.Got(wire.Receipt("s.eth0.0000000009.0123", wire.INDEXED)), 0) == []


def test_refused_chunk_makes_way_for_the_next_and_is_tried_again_later() -> None:
    shipper, _ = online(5)
    commands = shipper.step(ev.Got(wire.Refused("conflict", "other bytes", manifest(1).key)), 0)
    assert ev.Complain(manifest(1).key, "conflict", "other bytes") in commands
    assert offered(commands) == [4]
    shipper.step(ev.Tick(), 600_000)
    assert manifest(1).key not in shipper.aside


def test_a_backlog_of_a_thousand_chunks_does_not_hide_the_present() -> None:
    """A chunk that closes now is offered as soon as the newest's place is free, however many wait before it."""
    shipper, commands = online(1000)
    flying = offered(commands)
    for sequence in range(1001, 1051):
        assert offered(shipper.step(ev.Added(manifest(sequence)), sequence)) == []
        newest = max(flying)
        commands = shipper.step(ev.Got(wire.Receipt(manifest(newest).key, wire.LANDED)), sequence)
        flying = [each for each in flying if each != newest] + offered(commands)
        assert max(flying) == sequence
    oldest = min(flying)
    assert offered(shipper.step(ev.Got(wire.Receipt(manifest(oldest).key, wire.LANDED)), 2000)) == [4]


def test_outside_the_windows_nothing_goes_but_heartbeats_and_all_of_it_afterwards() -> None:
    shipper, _ = online(5)
    key = manifest(1).key
    assert shipper.step(ev.Window(False), 0) == []
    assert shipper.step(ev.Got(wire.Fetch(key, 0, 100)), 0) == []
    assert shipper.step(ev.Added(manifest(6)), 0) == []
    shipper.heard_ms = 70_000
    assert shipper.step(ev.Tick(), 70_000) == [ev.Beat()]
    (refusal,) = shipper.step(ev.Got(wire.Pull(1, key, ((0, 10),))), 70_000)
    assert isinstance(refusal, ev.Send)
    assert "shipping windows" in getattr(refusal.message, "reason", "")
    assert sorted(offered(shipper.step(ev.Window(True), 70_000))) == [1, 2, 3, 6]


def test_clock_skew_is_measured_against_the_middle_of_the_round_trip() -> None:
    shipper, _ = online(0)
    shipper.epoch_ms = 1_000_000
    pulse = wire.Pulse(sent_ms=995_050, echo_ms=1_000_000)
    assert shipper.step(ev.Got(pulse), 100) == [ev.Clock(5_000, 100)]
