"""Draws faults by a seed and does them: any number at once, but each target has to come back before its next one.

So faults come as fast as the system recovers: a sensor has come back when another chunk of it has landed, the collector
when its catalog grows. Whoever takes longer than PATIENCE_SECONDS is hurt again all the same.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.system.faults.kinds import Fault, Faults
from tests.system.faults.world import World

PATIENCE_SECONDS = 6.0
LEAST_SECONDS = 0.4
ALL_THE_SAME = 0.25


@dataclass
class Target:
    """What is hurt, and how one sees that it works again."""

    name: str
    faults: dict[str, Fault]
    progress: Callable[[], int]
    before: int = 0
    since: float = 0.0
    busy: bool = False
    deck: list[str] = field(default_factory=list)

    def draw(self, chance: random.Random) -> str:
        """A kind; every kind once before any comes again."""
        if not self.deck:
            self.deck = chance.sample(sorted(self.faults), len(self.faults))
        return self.deck.pop()

    def recovered(self) -> bool:
        """Whether it may be hurt again."""
        waited = time.monotonic() - self.since
        if self.busy or waited < LEAST_SECONDS:
            return False
        return waited > PATIENCE_SECONDS or self.progress() > self.before


@dataclass
class Schedule:
    """`run` does up to `count` faults within `seconds`."""

    world: World
    seed: int
    done: Counter[str] = field(default_factory=Counter)
    story: list[str] = field(default_factory=list)
    overlaps: int = 0
    _running: set[asyncio.Task[None]] = field(default_factory=set)
    _broken: BaseException | None = None

    async def run(self, count: int, seconds: float) -> None:
        """Returns when all faults are mended."""
        chance = random.Random(self.seed)
        targets, started = self._targets(Faults(self.world, chance)), time.monotonic()
        while (
            not self._broken
            and sum(self.done.values()) + len(self._running) < count
            and time.monotonic() - started < seconds
        ):
            await asyncio.sleep(0.05)
            ready = [each for each in targets if each.recovered()]
            if ready:
                target = chance.choice(ready)
                self._begin(target, target.draw(chance), chance.random() < ALL_THE_SAME, started)
        if self._running:
            await asyncio.wait(self._running)
        if self._broken:
            raise self._broken

    def _targets(self, faults: Faults) -> list[Target]:
        def landed(name: str) -> Callable[[], int]:
            return lambda: self.world.landed(name)

        made = [Target(each.name, faults.of_sensor(each), landed(each.name)) for each in self.world.sensors]
        everything = Target("collector", faults.of_collector(), lambda: sum(map(self.world.landed, ("s1", "s2", "s3"))))
        store = [Target("store", kinds, everything.progress) for kinds in [faults.of_store()] if kinds]
        return [*made, everything, *store]

    def _begin(self, target: Target, kind: str, at_once: bool, started: float) -> None:
        self.overlaps += bool(self._running)
        target.busy = not at_once
        self.story.append(f"{time.monotonic() - started:7.2f} {time.time():.3f} {target.name}: {kind}")
        task = asyncio.ensure_future(self._do(target, kind))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            self._broken = self._broken or task.exception()

    async def _do(self, target: Target, kind: str) -> None:
        if await target.faults[kind]():
            self.done[kind] += 1
        target.before, target.since, target.busy = target.progress(), time.monotonic(), False
