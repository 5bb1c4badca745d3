"""Messages survive the wire, and nothing else does."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayrick_common import wire
from hayrick_common.errors import WireError

SHA = "ab" * 32
MESSAGES: list[wire.Message] = [
    wire.Hello("s1", 1, 1, "0.1", "boot", 1),
    wire.Welcome(1, "0.1", "boot", 1, 10_000),
    wire.Refused("conflict", "why", "s1.eth0.0000000001.abab"),
    wire.Stranger(),
    wire.Offer("eth0", 1, SHA, 100, 2, 3, 4, 5, 6, True),
    wire.Fetch("k", 0, 10),
    wire.Block("k", 0, "raw", b"bytes"),
    wire.Gone("k", "why"),
    wire.Receipt("k", wire.LANDED),
    wire.Heartbeat(1, {"disk": {"free": 1}, "list": [1, None, "x", 1.5, True]}),
    wire.Pulse(1, 2),
    wire.Pull(7, "k", ((24, 100), (2**32, 60))),
    wire.Pulled(7, "k", "zstd", "", b"bytes"),
]
VERSION_1 = json.loads((Path(__file__).parent / "fixtures" / "wire1.json").read_text())
VERSION_2: list[wire.Message] = [
    MESSAGES[11],
    MESSAGES[12],
    wire.Block("k", 0, "zstd", b"frame"),
    wire.Offer("eth0", 1, SHA, 100, 2, 3, 4, 5, 6, True, "records", "cd" * 32, 10),
]


def changed(message: wire.Message, **values: object) -> list[bytes]:
    header = msgpack.unpackb(wire.encode(message)[0])
    return [msgpack.packb({**header, **values}), *wire.encode(message)[1:]]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda each: each.KIND)
def test_every_message_arrives_as_it_was(message: wire.Message) -> None:
    assert wire.decode(wire.encode(message)) == message


@pytest.mark.parametrize("message", MESSAGES[:11], ids=lambda each: each.KIND)
def test_version_1_is_said_and_read_as_it_always_was(message: wire.Message) -> None:
    frames = [bytes.fromhex(each) for each in VERSION_1[message.KIND]]
    assert wire.decode(frames) == message
    assert wire.encode(message, 1) == frames


@pytest.mark.parametrize("message", VERSION_2, ids=lambda each: each.KIND)
def test_what_version_2_brought_is_neither_said_nor_taken_in_version_1(message: wire.Message) -> None:
    assert wire.decode(wire.encode(message, 2)) == message
    with pytest.raises(WireError, match="cannot be said in wire version 1"):
        wire.encode(message, 1)
    with pytest.raises(WireError, match="cannot be said in wire version 1"):
        wire.decode(changed(message, v=1))


def test_greetings_are_version_1_for_ever_so_that_an_older_peer_can_read_them() -> None:
    welcome = wire.Welcome(2, "0.2", "boot", 1, 10_000, {"eth0": 8})
    assert wire.decode(wire.encode(welcome)) == welcome
    assert {msgpack.unpackb(wire.encode(each)[0])["v"] for each in [welcome, *MESSAGES[:4]]} == {1}


def test_every_kind_has_an_example_here() -> None:
    assert {each.KIND for each in MESSAGES} == set(wire.KINDS)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda each: each.KIND)
def test_keys_that_a_later_version_adds_are_ignored(message: wire.Message) -> None:
    assert wire.decode(changed(message, later="more")) == message


@given(st.lists(st.binary(max_size=200), max_size=3))
def test_garbage_is_refused_and_never_raises_anything_else(frames: list[bytes]) -> None:
    with pytest.raises(WireError):
        wire.decode(frames)


@given(st.sampled_from(MESSAGES), st.data())
def test_flipped_bytes_are_refused_or_still_a_message(message: wire.Message, data: st.DataObject) -> None:
    frames = wire.encode(message)
    header = bytearray(frames[0])
    header[data.draw(st.integers(0, len(header) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(WireError):
        assert type(wire.decode([bytes(header), *frames[1:]])) in wire.KINDS.values()


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        (changed(MESSAGES[5], offset=-1), "offset is out of range"),
        (changed(MESSAGES[5], length=2**62), "length is out of range"),
        (changed(MESSAGES[5], offset=True), "offset is bool"),
        (changed(MESSAGES[7], reason="x" * 2000), "reason is over"),
        (changed(MESSAGES[7], key="a\0b"), "key is over .* or holds NUL"),
        (changed(MESSAGES[3], v=9), "wire version 9"),
        (changed(MESSAGES[3], t="shell"), "unknown kind"),
        ([*wire.encode(MESSAGES[3]), b"more"], "2 frames"),
        ([wire.encode(MESSAGES[6])[0], bytes(wire.BODY_MAX_BYTES + 1)], "block without one body"),
        ([bytes(wire.HEADER_MAX_BYTES + 1)], "header of sane size"),
        (changed(MESSAGES[6], encoding="lzma"), "encoding is unknown"),
        (changed(MESSAGES[11], ranges=[]), "ranges are not 1 to"),
        (changed(MESSAGES[11], ranges=[[0, 1]] * (wire.PULL_MAX_RANGES + 1)), "ranges are not 1 to"),
        (changed(MESSAGES[11], ranges=[[0, 1, 2]]), "pairs of an offset and a length"),
        (changed(MESSAGES[11], ranges=[[0, 2**32]]), "a length that is not"),
        (changed(MESSAGES[11], ranges=[[0, 2**19]] * 3), "ranges are over"),
        (changed(MESSAGES[1], next={"../etc": 1}), "no map of streams"),
        (changed(MESSAGES[1], next={"eth0": -1}), "no map of streams"),
    ],
)
def test_refusal_says_what_is_wrong(frames: list[bytes], reason: str) -> None:
    with pytest.raises(WireError, match=reason):
        wire.decode(frames)


@pytest.mark.parametrize("stream", ["../etc", "a/b", "", "import", "x" * 65, "a\nb"])
def test_offer_names_no_place_outside_the_landing(stream: str) -> None:
    offer = wire.Offer(stream, 1, SHA, 100, 2, 3, 4, 5, 6, False)
    with pytest.raises(WireError, match="offer: "):
        offer.manifest("s1")


def test_offer_of_more_than_any_chunk_may_hold_is_refused() -> None:
    with pytest.raises(WireError, match="size"):
        wire.Offer("eth0", 1, SHA, 2**62, 2, 3, 4, 5, 6, False).manifest("s1")
