"""Heartbeats pass blocks, blocks keep their order and the rate, and nothing of an old connection goes on a new one."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

from hayrick_common import wire
from hayrick_sensor import shipper_events as ship
from hayrick_sensor.outgoing import QUEUED, Outgoing
from hayrick_sensor.rate import Rate

BEAT = wire.Heartbeat(1, {})


def block(number: int) -> ship.SendBlock:
    return ship.SendBlock("k", number * 100, 100)


def made(command: ship.SendBlock) -> wire.Message | None:
    return wire.Block(command.key, command.offset, wire.RAW, bytes(command.length))


async def running(
    what: Callable[[Outgoing], None],
    expect: int,
    rate: Rate | None = None,
    make: Callable[[ship.SendBlock], wire.Message | None] = made,
) -> list[wire.Message]:
    """What was sent once `expect` messages were, or after two seconds."""
    sent: list[wire.Message] = []

    async def send(message: wire.Message) -> None:
        sent.append(message)

    outgoing = Outgoing(send, lambda: BEAT, make, rate or Rate())
    task = asyncio.ensure_future(outgoing.run())
    what(outgoing)
    for _ in range(200):
        await asyncio.sleep(0.01)
        if len(sent) >= expect:
            break
    await asyncio.sleep(0.05)
    task.cancel()
    return sent


def offsets(messages: list[wire.Message]) -> list[int]:
    return [each.offset // 100 for each in messages if isinstance(each, wire.Block)]


def test_blocks_go_in_the_order_asked_for_though_made_side_by_side() -> None:
    def slow_first(command: ship.SendBlock) -> wire.Message | None:
        time.sleep(0.05 if command.offset == 0 else 0)
        return made(command)

    def ask(outgoing: Outgoing) -> None:
        for number in range(20):
            assert outgoing.put(block(number))

    assert offsets(asyncio.run(running(ask, 20, make=slow_first))) == list(range(20))


def test_block_asked_for_twice_goes_once_and_too_many_are_refused() -> None:
    refused: list[bool] = []

    def ask(outgoing: Outgoing) -> None:
        refused.extend(not outgoing.put(block(number)) for number in range(QUEUED + 1))
        outgoing.put(block(5))

    assert offsets(asyncio.run(running(ask, QUEUED))) == list(range(QUEUED))
    assert refused == [False] * QUEUED + [True]


def test_heartbeat_does_not_wait_for_the_rate() -> None:
    def ask(outgoing: Outgoing) -> None:
        for number in range(5):
            outgoing.put(block(number))
        asyncio.get_running_loop().call_later(0.1, outgoing.put, ship.Beat())

    sent = asyncio.run(running(ask, 2, Rate(50, at=time.monotonic())))
    assert offsets(sent) == [0]
    assert sent[-1] == BEAT


def test_nothing_asked_for_on_an_old_connection_goes_on_a_new_one() -> None:
    gate = threading.Event()

    def gated(command: ship.SendBlock) -> wire.Message | None:
        gate.wait(2)
        return made(command)

    def ask(outgoing: Outgoing) -> None:
        for number in range(10):
            outgoing.put(block(number))
        loop = asyncio.get_running_loop()
        loop.call_later(0.05, outgoing.forget)
        loop.call_later(0.06, outgoing.put, block(50))
        loop.call_later(0.07, gate.set)

    assert offsets(asyncio.run(running(ask, 1, make=gated))) == [50]
