"""A line that is slow, or held to a rate, is no stalled one: nothing is fetched twice because its turn comes late."""

from __future__ import annotations

import hashlib

from hayrick_collector.landing import events as ev
from hayrick_collector.landing.lander import Lander
from hayrick_common import wire
from hayrick_common.chunk import ChunkId, Manifest

SIZE = 2 << 20


def manifest(sequence: int) -> Manifest:
    return Manifest(ChunkId("s", "eth0", sequence, hashlib.sha256(bytes([sequence])).hexdigest()), SIZE, 1)


def test_four_chunks_over_a_line_of_a_hundred_kilobytes_a_second_are_fetched_once() -> None:
    lander, fetched = Lander("boot", "test"), list[wire.Fetch]()

    def take(event: ev.Event, now_ms: int) -> None:
        for command in lander.step(event, now_ms):
            assert not isinstance(command, ev.Close), "given up"
            if isinstance(command, ev.Send) and isinstance(command.message, wire.Fetch):
                fetched.append(command.message)
            elif isinstance(command, ev.LookUp):
                take(ev.Looked(command.route, command.manifest, None), now_ms)
            elif isinstance(command, ev.Open):
                take(ev.Opened(command.manifest.key, 0), now_ms)

    take(ev.Arrived(b"r", "s", wire.Hello("s", 1, 2, "0", "b", 0)), 0)
    for sequence in range(1, 5):
        take(ev.Arrived(b"r", "s", wire.Offer.of(manifest(sequence))), 0)
    now_ms = done = 0
    while done < len(fetched):
        fetch = fetched[done]
        for _ in range(5):
            now_ms += fetch.length // 500  # milliseconds, at a hundred bytes each
            take(ev.Tick(), now_ms)
        take(ev.Arrived(b"r", "s", wire.Block(fetch.key, fetch.offset, wire.RAW, bytes(fetch.length))), now_ms)
        done += 1
    assert sum(each.length for each in fetched) == 4 * SIZE
