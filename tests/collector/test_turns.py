"""Places are given round the askers: nobody waits for all that another asked before."""

from __future__ import annotations

import asyncio
from contextvars import copy_context

import pytest

from hayrick_collector.turns import _WAITING, ASKER, Turns
from hayrick_common.errors import StoreError

BRIEF = 5.0


class Asking:
    """Holds places until told; notes who got one, in order."""

    def __init__(self, places: int) -> None:
        self.turns, self.got, self.leave = Turns(places), [""][:0], asyncio.Event()

    def ask(self, asker: str, patience_s: float = BRIEF) -> asyncio.Task[None]:
        context = copy_context()
        context.run(ASKER.set, asker)
        return asyncio.create_task(self._held(asker, patience_s), context=context)

    async def _held(self, asker: str, patience_s: float) -> None:
        async with self.turns.turn(patience_s):
            self.got.append(asker)
            await self.leave.wait()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_one_asker_takes_at_most_half_and_others_come_at_once() -> None:
    async def scenario() -> None:
        asking = Asking(4)
        tasks = [asking.ask("greedy") for _ in range(10)]
        await settled()
        tasks += [asking.ask("modest"), asking.ask("third")]
        await settled()
        assert asking.got == ["greedy", "greedy", "modest", "third"]
        asking.leave.set()
        await asyncio.gather(*tasks)
        assert len(asking.got) == 12

    asyncio.run(scenario())


def test_places_go_round_the_askers() -> None:
    async def scenario() -> None:
        asking = Asking(1)
        tasks = [asking.ask(asker) for asker in "aaaabc"]
        await settled()
        asking.leave.set()
        await asyncio.gather(*tasks)
        assert "".join(asking.got) == "aabcaa"

    asyncio.run(scenario())


def test_who_gives_up_takes_no_place_and_impatience_is_an_error() -> None:
    async def scenario() -> None:
        asking = Asking(1)
        first = asking.ask("a")
        await settled()
        with pytest.raises(StoreError):
            await asking.ask("b", patience_s=0.01)
        second, third = asking.ask("a"), asking.ask("b")
        await settled()
        second.cancel()
        await asyncio.wait({second})
        first.cancel()  # in the same moment as its place is granted on
        asking.leave.set()
        await asyncio.wait_for(third, BRIEF)
        assert asking.got == ["a", "b"]
        await asyncio.wait_for(asking.ask("c"), BRIEF)

    asyncio.run(scenario())


def test_no_asker_has_more_than_so_many_waiting() -> None:
    async def scenario() -> None:
        asking = Asking(1)
        tasks = [asking.ask("a") for _ in range(_WAITING + 1)]
        await settled()
        with pytest.raises(StoreError):
            await asking.ask("a")
        asking.leave.set()
        await asyncio.gather(*tasks)

    asyncio.run(scenario())


def test_who_holds_no_place_is_forgotten() -> None:
    async def scenario() -> None:
        asking = Asking(4)
        asking.leave.set()
        await asyncio.gather(*(asking.ask(f"asker {number}") for number in range(20)))
        assert asking.turns.running == len(asking.turns._running) == 0

    asyncio.run(scenario())
