"""The faults: each is begun, held for a while, and mended; each tells whether it could be."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.collector.landing.format1 import encode_manifest
from tests.system.faults.keeper import kill_all
from tests.system.faults.proxy import Proxy
from tests.system.faults.world import Sensor, World

from hayrick_common.chunk import ChunkId, Manifest

NUMBERS = ("packets", "first_ms", "last_ms", "closed_ms", "gap_ms")
MANIFEST = f"sequence, sha256, size, {', '.join(NUMBERS)}, truncated"
JUMPS = (-86_400, -3_600, -90, -5, 5, 90, 3_600, 86_400)


@dataclass
class Faults:
    """Everything that can be done to a world. `chance` draws what a fault is free in, by the seed."""

    world: World
    chance: random.Random

    def of_sensor(self, sensor: Sensor) -> dict[str, Fault]:
        """Kind -> the fault, for those that this sensor can have."""
        found: dict[str, Fault] = {
            "kill tcpdump": lambda: self._now(kill_all([pid]) if (pid := sensor.tcpdump()) else 0),
            "kill sensor": lambda: self._now(sensor.keeper.kill()),
            "link down": lambda: self._held(sensor.link.down, sensor.link.up, 0.5, 3),
            "half-open": lambda: self._held(lambda: sensor.link.deafen(both=False), sensor.link.hear, 0.5, 6),
            "black hole": lambda: self._held(lambda: sensor.link.deafen(both=True), sensor.link.hear, 0.5, 6),
            "sensor's disk full": lambda: self._held(sensor.disk.fill, sensor.disk.free, 0.5, 2.5),
            "chunk truncated": lambda: self._now(self._truncate(sensor)),
        }
        if sensor.proxy:
            found |= self._of_proxy(sensor.proxy)
        if sensor.clock:
            found["clock jump"] = lambda: self._now(self._jump(sensor))
        if sensor.link.number == 3:
            found["kill sshd"] = lambda: self._now(self.world.kill_sshd())
            found["delivered again"] = lambda: self._now(self._again(sensor))
        return found

    def _of_proxy(self, proxy: Proxy) -> dict[str, Fault]:
        async def refused() -> bool:
            await proxy.refuse()
            await asyncio.sleep(self.chance.uniform(0.3, 2))
            await proxy.start()
            return True

        return {
            "bytes flipped": lambda: self._now(self._flip(proxy)),
            "cut": lambda: self._now(self._cut(proxy)),
            "stalled": lambda: self._held(proxy.stall, proxy.flow, 0.5, 6),
            "half-open by proxy": lambda: self._now(self._half(proxy)),
            "refused": refused,
        }

    def of_collector(self) -> dict[str, Fault]:
        """Kind -> the fault."""
        world = self.world
        return {
            "kill collector": lambda: self._now(world.collector.kill()),
            "kill worker": lambda: self._now(kill_all(world.workers()[:1])),
            "collector's disk full": lambda: self._held(world.disk.fill, world.disk.free, 0.5, 2.5),
        }

    def of_store(self) -> dict[str, Fault]:
        """Kind -> the fault, where the store is a server of its own."""
        store, turn = self.world.store, asyncio.Lock()

        async def killed() -> bool:
            assert store is not None
            async with turn:  # two that come back at once would fight for one folder
                done = store.kill()
                await asyncio.sleep(self.chance.uniform(0, 3))
                await asyncio.to_thread(store.again)
            return done

        return {"kill store": killed} if store else {}

    # --- pieces ---------------------------------------------------------------------------------------------------

    async def _now(self, done: object) -> bool:
        return bool(done)

    async def _held(self, begin: Callable[[], None], end: Callable[[], None], least: float, most: float) -> bool:
        seconds = self.chance.uniform(least, most)
        try:
            await asyncio.to_thread(begin)
            await asyncio.sleep(seconds)
        finally:
            end()
        return True

    def _truncate(self, sensor: Sensor) -> bool:
        """Cut a chunk that has not landed, if there is one, else the newest."""
        order = "CASE WHEN state IN ('closed', 'offered') THEN 0 ELSE 1 END, sequence DESC"
        try:
            rows = sensor.rows(f"SELECT path FROM chunks WHERE state != 'lost' ORDER BY {order} LIMIT 3")
        except sqlite3.Error:
            return False
        paths = [sensor.root / "spool" / "chunks" / row[0] for row in rows]
        return any(sensor.witness.truncate(path) for path in paths[:1])

    def _jump(self, sensor: Sensor) -> bool:
        assert sensor.clock is not None
        sensor.clock.write_text(f"{self.chance.choice(JUMPS):+d}\n")
        return True

    def _flip(self, proxy: Proxy) -> bool:
        proxy.flips += self.chance.randint(1, 3)
        return True

    def _cut(self, proxy: Proxy) -> bool:
        proxy.cut()
        return True

    def _half(self, proxy: Proxy) -> bool:
        proxy.half_open()
        return True

    def _again(self, sensor: Sensor) -> bool:
        """Up to three chunks that landed before are delivered once more, the newest first."""
        try:
            rows = sensor.rows(f"SELECT {MANIFEST}, path FROM chunks WHERE state IN ('landed', 'indexed')")
        except sqlite3.Error:
            return False
        chosen = sorted(self.chance.sample(rows, min(3, len(rows))), reverse=True)
        for sequence, sha256, size, *numbers, truncated, path in chosen:
            chunk, values = ChunkId(sensor.name, "cap", sequence, sha256), dict(zip(NUMBERS, numbers, strict=True))
            again = Manifest(chunk, size, truncated=bool(truncated), **values)
            self._deliver(again, sensor.root / "spool" / "chunks" / path)
        return bool(chosen)

    def _deliver(self, manifest: Manifest, path: Path) -> None:
        drop, name = self.world.drop, f"{manifest.key}.pcap"
        with contextlib.suppress(OSError):
            (drop / f"{manifest.key}.json").write_bytes(encode_manifest(manifest))
            shutil.copy(path, drop / f".{name}.part")
            (drop / f".{name}.part").rename(drop / name)


Fault = Callable[[], Awaitable[bool]]
