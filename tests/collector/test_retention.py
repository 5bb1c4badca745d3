"""Retention takes the oldest indexed packets first and nothing unindexed unasked; a kill between two steps mends."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pytest
from tests.collector.captures import START, dns_query, ethernet, write_pcap

from hayrick_collector.backend import Capture, Search
from hayrick_collector.catalog import STATES
from hayrick_collector.config import CollectorConfig, RetentionConfig
from hayrick_collector.direct import DirectBackend
from hayrick_collector.retention import DAY_MS, PART_KEPT_SECONDS, Retention, sweep_parts

DAY = 86_400
DAYS = (0, 2, 5)
NOW_MS = (START + 6 * DAY) * 1000


def with_three_days(
    tmp_path: Path, work: Callable[[DirectBackend], Awaitable[None]], retention: RetentionConfig, more: int = 0
) -> None:
    """A chunk of each of three days, indexed, then the work; `more` packets in each that cannot be compressed."""

    async def run() -> None:
        config = CollectorConfig(data=tmp_path / "data", retention=retention)
        backend = await DirectBackend.open(config)
        for day in DAYS:
            frames = [dns_query(f"day{day}.example"), *(ethernet(os.urandom(1400), 0x88B5) for _ in range(more))]
            path = write_pcap(tmp_path / f"day{day}.pcap", frames, start=START + day * DAY)
            await backend.ingest(Capture(str(path), partial(opened, path)))
        await work(backend)
        await backend.close()

    asyncio.run(run())


def opened(path: Path) -> BinaryIO:
    return path.open("rb")


async def retained(backend: DirectBackend, **more: object) -> Counter[str]:
    return await Retention(backend.config, backend.catalog, backend.store, **more).run(now_ms=NOW_MS)  # type: ignore[arg-type]


def files(backend: DirectBackend) -> int:
    return len(list((backend.config.data / "archive").rglob("*.pcap*")))


def test_sessions_and_packets_go_by_age_and_packets_may_go_before(tmp_path: Path) -> None:
    async def work(backend: DirectBackend) -> None:
        assert await retained(backend) == {"sessions": 1, "packets": 1}
        assert (await backend.search(Search())).total == 2
        assert files(backend) == 1
        exported = await backend.export(Search())
        assert (exported.sessions, exported.packets, len(exported.missing)) == (2, 1, 1)
        await exported.pieces.aclose()
        assert +(await retained(backend)) == Counter()
        taken = {each["what"]: (each["why"], each["chunks"]) for each in backend.catalog.history.retention()}
        assert taken == {"sessions": ("age", 1), "packets": ("age", 1)}

    with_three_days(tmp_path, work, RetentionConfig(days=5, packet_days=3))


def test_full_disk_takes_the_oldest_packets_until_enough_is_free(tmp_path: Path) -> None:
    async def work(backend: DirectBackend) -> None:
        rows = sorted(backend.catalog.chunks(), key=lambda row: row.last_packet or 0)
        sizes = [backend.config.folder.absolute(row.path).stat().st_size for row in rows]
        assert await retained(backend, free=lambda: 10**9 - sizes[0] - 1) == {"packets": 2}
        gone = [
            row.packets_removed_at is not None
            for row in sorted(backend.catalog.chunks(), key=lambda r: r.last_packet or 0)
        ]
        assert gone == [True, True, False]
        assert (await backend.search(Search())).total == 3

    with_three_days(tmp_path, work, RetentionConfig(keep_free_gigabytes=1))


@pytest.mark.parametrize("allowed", [False, True])
def test_what_is_not_indexed_goes_last_and_only_if_the_settings_allow_it(tmp_path: Path, allowed: bool) -> None:
    async def work(backend: DirectBackend) -> None:
        newest = max(backend.catalog.chunks(), key=lambda row: row.last_packet or 0)
        backend.catalog.again(newest.key)
        assert await retained(backend, free=lambda: 0) == {"packets": 2, **({"unindexed": 1} if allowed else {})}
        assert files(backend) == (0 if allowed else 1)
        assert backend.catalog.counts()["landed"] == (0 if allowed else 1)
        lost = [each for each in backend.catalog.history.retention() if each["what"] == "unindexed"]
        assert [each["chunks"] for each in lost] == ([1] if allowed else [])

    with_three_days(tmp_path, work, RetentionConfig(keep_free_gigabytes=1, give_up_unindexed=allowed))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs that has 1 GB free once 16 MB are taken, in place of the data folder."""
    (tmp_path / "data").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={10**9 + (16 << 20)}", "tmpfs", tmp_path / "data"], check=True)
    yield tmp_path / "data"
    subprocess.run(["umount", "-l", tmp_path / "data"], check=True)


def leave(disk: Path, spare: int) -> None:
    """Fill the disk, a page at a time, until less than 1 GB and so much more is free."""
    with (disk / "somebody elses").open("ab", buffering=0) as other:
        while shutil.disk_usage(disk).free >= 10**9 + spare:
            other.write(bytes(4096))


def test_disk_that_fills_up_takes_indexed_packets_first_and_no_more_than_it_must(disk: Path, tmp_path: Path) -> None:
    """Of a real disk: the oldest indexed, the next, and what was never searchable last."""

    async def work(backend: DirectBackend) -> None:
        oldest, middle, newest = sorted(backend.catalog.chunks(), key=lambda row: row.last_packet or 0)
        backend.catalog.again(oldest.key)
        leave(disk, 4096)
        assert +(await retained(backend)) == Counter()
        for what, gone in (("packets", middle), ("packets", newest), ("unindexed", oldest)):
            leave(disk, 0)
            assert +(await retained(backend)) == {what: 1}
            assert not backend.config.folder.absolute(gone.path).exists()
            assert shutil.disk_usage(disk).free >= 10**9
        assert backend.catalog.counts() == {**dict.fromkeys(STATES, 0), "indexed": 2}

    with_three_days(tmp_path, work, RetentionConfig(keep_free_gigabytes=1, give_up_unindexed=True), 300)


def test_half_received_part_goes_after_a_week(tmp_path: Path) -> None:
    for name, age in (("old.part", PART_KEPT_SECONDS + 60), ("new.part", 60)):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    assert sweep_parts(tmp_path) == 1
    assert [path.name for path in tmp_path.glob("*.part")] == ["new.part"]


KILLED = """
import asyncio, os, sys
from pathlib import Path
from typing import BinaryIO
from hayrick_collector import retention
from hayrick_collector.catalog import Catalog
from hayrick_collector.config import CollectorConfig, RetentionConfig
from hayrick_collector.direct import DirectBackend

def dying(step):
    def die(*args, **more):
        os._exit(9)
    return die

async def run():
    config = CollectorConfig(data=Path(sys.argv[1]), retention=RetentionConfig(days=5, packet_days=3))
    backend = await DirectBackend.open(config)
    if sys.argv[2] == "file":
        retention.remove_file = dying(sys.argv[2])
    else:
        setattr(Catalog, sys.argv[2], dying(sys.argv[2]))
    await retention.Retention(config, backend.catalog, backend.store).run(now_ms=int(sys.argv[3]))

asyncio.run(run())
"""


def test_kill_between_any_two_steps_leaves_nothing_that_the_next_run_does_not_finish(tmp_path: Path) -> None:
    async def work(backend: DirectBackend) -> None:
        for step in ("file", "forget", "packets_removed"):
            command = [sys.executable, "-c", KILLED, str(backend.config.data), step, str(NOW_MS)]
            killed = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=60)
            assert killed.returncode == 9, killed.stderr
        await retained(backend)
        assert (await backend.search(Search())).total == 2
        assert files(backend) == 1
        assert backend.catalog.counts()["indexed"] == 2
        assert sum(row.packets_removed_at is not None for row in backend.catalog.chunks()) == 1

    with_three_days(tmp_path, work, RetentionConfig(days=5, packet_days=3))
    assert DAY_MS == DAY * 1000
