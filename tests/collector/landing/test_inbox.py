"""A dropped file is taken once, whole, and a bad one is set aside with the reason."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from hayrick_collector.landing import Inbox


def run_inbox(folder: Path, scenario, take) -> Inbox:
    async def main() -> Inbox:
        inbox = Inbox(folder, take)
        serving = asyncio.ensure_future(inbox.run())
        await asyncio.wait_for(scenario(), 10)
        serving.cancel()
        return inbox

    return asyncio.run(main())


async def until(true: Callable[[], bool]) -> None:
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.02)


def test_growing_file_is_taken_whole_and_once(tmp_path: Path) -> None:
    taken: list[bytes] = []

    async def take(path: Path) -> None:
        taken.append(await asyncio.to_thread(path.read_bytes))

    async def scenario() -> None:
        with (tmp_path / "a.pcap").open("wb", buffering=0) as growing:
            for _ in range(10):
                growing.write(b"x" * 1000)
                await asyncio.sleep(0.03)
            assert taken == []
        await until(lambda: not (tmp_path / "a.pcap").exists())

    inbox = run_inbox(tmp_path, scenario, take)
    assert taken == [b"x" * 10_000]
    assert inbox.counters == {"taken": 1}


def test_file_that_is_no_capture_is_set_aside_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")

    async def take(path: Path) -> None:
        raise ValueError("not a capture")

    async def scenario() -> None:
        await until((tmp_path / "refused" / "notes.txt.reason.txt").exists)

    run_inbox(tmp_path, scenario, take)
    assert (tmp_path / "refused" / "notes.txt").read_text() == "hello"
    assert not (tmp_path / "notes.txt").exists()


def test_file_stays_where_the_disk_is_full(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_text("bytes")
    tried = asyncio.Event()

    async def take(path: Path) -> None:
        tried.set()
        raise OSError(28, "No space left on device")

    inbox = run_inbox(tmp_path, tried.wait, take)
    assert (tmp_path / "a.pcap").read_text() == "bytes"
    assert inbox.counters == {"put_off": 1}
