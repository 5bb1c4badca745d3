"""A peer that speaks the wire as it should not: with keys of its own, over a real CURVE socket."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import zmq

from hayrick_common import wire
from hayrick_common.keys import KeyPair, read_public

SHA = "ab" * 32


class Evil:
    """`say` anything, `hear` what comes back. Ends with `close`."""

    def __init__(self, address: str, server: Path, keys: KeyPair) -> None:
        self.socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.CURVE_SERVERKEY, read_public(server).encode())
        self.socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public.encode())
        self.socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret.encode())
        for option, value in {zmq.LINGER: 0, zmq.SNDTIMEO: 200, zmq.SNDHWM: 100}.items():
            self.socket.setsockopt(option, value)
        self.socket.connect(address)

    def say(self, message: wire.Message, **changes: Any) -> None:
        """A message, with keys of its header changed to what no honest sensor would write."""
        self.raw(*changed(message, **changes))

    def raw(self, *frames: bytes) -> bool:
        """Any frames; False when the socket does not take them in time."""
        try:
            self.socket.send_multipart(list(frames))
        except zmq.Again:
            return False
        return True

    def hear(self, seconds: float = 5.0) -> wire.Message | None:
        """The next message, or None if none comes."""
        return wire.decode(self.socket.recv_multipart()) if self.socket.poll(int(seconds * 1000)) else None

    def hear_until(self, kind: type[wire.Message], seconds: float = 10.0) -> wire.Message:
        """The next message of a kind; whatever comes before is passed over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            message = self.hear(0.2)
            if isinstance(message, kind):
                return message
        raise AssertionError(f"no {kind.__name__} within {seconds:g} s")

    def enter(self, name: str = "evil") -> wire.Message | None:
        """Say hello."""
        self.say(wire.Hello(name, wire.WIRE_MIN, wire.WIRE_MAX, "evil", "boot", 1))
        return self.hear()

    def close(self) -> None:
        self.socket.close(0)


def changed(message: wire.Message, **changes: Any) -> list[bytes]:
    """A message's frames, with keys of its header changed."""
    head, *body = wire.encode(message)
    return [msgpack.packb({**msgpack.unpackb(head), **changes}), *body] if changes else [head, *body]


def offer(**values: Any) -> wire.Offer:
    """An offer that would be good but for what is given."""
    good = {
        "stream": "eth0", "sequence": 1, "sha256": SHA, "size": 1000, "packets": 1, "first_ms": 1_764_000_000_000,
        "last_ms": 1_764_000_000_001, "closed_ms": 1_764_000_000_002, "gap_ms": 0, "truncated": False,
    }  # fmt: skip
    return wire.Offer(**{**good, **values})


def fuzz(evil: Evil, seconds: float, seed: int) -> int:
    """Garbage, damaged messages and messages in any order for some time; how many went out."""
    chance, sent, deadline = random.Random(seed), 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        for _ in range(50):
            sent += evil.raw(*_nonsense(chance))
        while evil.socket.poll(0):
            evil.socket.recv_multipart()
    return sent


def _nonsense(chance: random.Random) -> list[bytes]:
    if chance.random() < 0.2:
        return [chance.randbytes(chance.randrange(300)) for _ in range(chance.randrange(1, 4))]
    frames = wire.encode(_any_message(chance))
    if chance.random() < 0.5:
        return frames
    head = bytearray(frames[0])
    for _ in range(chance.randrange(1, 4)):
        head[chance.randrange(len(head))] = chance.randrange(256)
    return [bytes(head[: chance.randrange(1, len(head) + 1)]), *frames[1:]]


def _any_message(chance: random.Random) -> wire.Message:
    number = chance.choice([0, 1, 2, 100, 2**32, 2**40, 2**63 - 1])
    key = chance.choice(["s1.adopted.0000000001." + SHA[:16], "evil.eth0.0000000001." + SHA[:16], "../../x", ""])
    name = chance.choice(["eth0", "..", "a/b", "import", "x" * 64])
    makers: list[Callable[[], wire.Message]] = [
        lambda: wire.Hello(chance.choice(["evil", "s1", ""]), number % 4, number % 5, "x", "y", number),
        lambda: offer(stream=name, sequence=number, size=min(number, 2**20)),
        lambda: wire.Block(key, number % 4096, chance.choice(["raw", "zstd"]), chance.randbytes(number % 5000)),
        lambda: wire.Gone(key, name),
        lambda: wire.Receipt(key, "landed"),
        lambda: wire.Heartbeat(number, {name: [number, {"a": [None] * 5}]}),
        lambda: wire.Fetch(key, number % 2**20, number % 2**20),
        wire.Stranger,
    ]
    return chance.choice(makers)()
