"""A dropped file is taken once, whole, and a bad one is set aside with the reason."""

from __future__ import annotations

import asyncio
import getpass
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.collector.landing.sshd import Sshd

from hayrick_collector.landing import Inbox


def run_inbox(folder: Path, scenario, take, seconds: float = 10) -> Inbox:
    async def main() -> Inbox:
        inbox = Inbox(folder, take)
        serving = asyncio.ensure_future(inbox.run())
        await asyncio.wait_for(scenario(), seconds)
        serving.cancel()
        return inbox

    return asyncio.run(main())


class Taker:
    """Takes files by their bytes; those that it knows are not new."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, tuple[str, ...], bytes]] = []

    async def __call__(self, path: Path, tags: tuple[str, ...]) -> bool:
        data = await asyncio.to_thread(path.read_bytes)
        new = data not in [each[2] for each in self.taken]
        self.taken.append((path.name, tags, data))
        return new


async def until(true: Callable[[], bool]) -> None:
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.02)


def test_growing_file_is_taken_whole_and_once(tmp_path: Path) -> None:
    taken: list[bytes] = []

    async def take(path: Path, tags: tuple[str, ...]) -> bool:
        taken.append(await asyncio.to_thread(path.read_bytes))
        return True

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

    async def take(path: Path, tags: tuple[str, ...]) -> bool:
        raise ValueError("not a capture")

    async def scenario() -> None:
        await until((tmp_path / "refused" / "notes.txt.reason.txt").exists)

    run_inbox(tmp_path, scenario, take)
    assert (tmp_path / "refused" / "notes.txt").read_text() == "hello"
    assert not (tmp_path / "notes.txt").exists()


def test_file_stays_where_the_disk_is_full(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_text("bytes")
    tried = asyncio.Event()

    async def take(path: Path, tags: tuple[str, ...]) -> bool:
        tried.set()
        raise OSError(28, "No space left on device")

    inbox = run_inbox(tmp_path, tried.wait, take)
    assert (tmp_path / "a.pcap").read_text() == "bytes"
    assert inbox.counters["put_off"] == 1


def test_folder_in_the_inbox_tags_what_is_dropped_into_it(tmp_path: Path) -> None:
    inbox_folder, take = tmp_path / "inbox", Taker()
    (inbox_folder / "case-7").mkdir(parents=True)
    (inbox_folder / "case-7" / "a.pcap").write_text("one")

    async def scenario() -> None:
        (inbox_folder / "b.pcap").write_text("two")
        await until(lambda: len(take.taken) == 2)
        (inbox_folder / "later").mkdir()
        (inbox_folder / "later" / "again.pcap").write_text("one")
        await until(lambda: len(take.taken) == 3)
        await until(lambda: not list(inbox_folder.glob("**/*.pcap")))

    inbox = run_inbox(inbox_folder, scenario, take)
    assert sorted(each[:2] for each in take.taken) == [
        ("a.pcap", ("case-7",)),
        ("again.pcap", ("later",)),
        ("b.pcap", ()),
    ]
    assert inbox.counters == {"taken": 2, "duplicates": 1}


def test_file_that_may_not_be_read_or_removed_stays_and_is_not_tried_over_and_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    async def take(path: Path, tags: tuple[str, ...]) -> bool:
        tried.append(path.name)
        if path.name == "unreadable.pcap":
            raise PermissionError(13, "Permission denied")
        return True

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("hayrick_collector.landing.inbox.remove", refuse)

    async def scenario() -> None:
        for name in ("unreadable.pcap", "unremovable.pcap"):
            (tmp_path / name).write_text("bytes")
        await until(lambda: len(tried) == 2)
        for _ in range(3):
            (tmp_path / "unreadable.pcap").open("r+").close()
            (tmp_path / "unremovable.pcap").open("r+").close()
            await asyncio.sleep(0.1)

    inbox = run_inbox(tmp_path, scenario, take)
    assert sorted(tried) == ["unreadable.pcap", "unremovable.pcap"]
    assert inbox.counters == {"put_off": 1, "taken": 1, "stuck": 2}


def test_what_scp_and_hidden_names_and_slow_writers_bring_is_taken_once_and_whole(tmp_path: Path) -> None:
    sshd, inbox_folder, take = Sshd(tmp_path / "sshd"), tmp_path / "inbox", Taker()
    body = random.Random(1).randbytes(3_000_000)
    big, other = tmp_path / "big", f"/dev/shm/hayrick.{os.getpid()}"
    big.write_bytes(body)
    options = f"-i {sshd.root / 'client'} -o UserKnownHostsFile={sshd.known_hosts} -o BatchMode=yes -F none"
    there = f"{getpass.getuser()}@127.0.0.1:{inbox_folder}"

    async def call(command: str) -> None:
        process = await asyncio.create_subprocess_shell(command)
        assert await asyncio.wait_for(process.wait(), 30) == 0

    async def bursts() -> None:
        with (inbox_folder / "bursts.pcap").open("wb", buffering=0) as first:
            for start in range(0, len(body), 1_000_000):
                first.write(body[start : start + 1_000_000])
                (inbox_folder / "bursts.pcap").open("ab").close()  # that another one closes it says nothing
                await asyncio.sleep(0.5)

    async def as_rsync() -> None:
        hidden = inbox_folder / ".rsync.pcap.Xy12Ab"
        for start in range(0, len(body), 1_000_000):
            with hidden.open("ab") as stream:
                stream.write(body[start : start + 1_000_000])
            await asyncio.sleep(0.3)
        hidden.rename(inbox_folder / "rsync.pcap")

    async def scenario() -> None:
        await asyncio.gather(
            call(f"scp -q -p -l 30000 {options} -P {sshd.port} {big} {there}/scp.pcap"),
            as_rsync(),
            call(f"cp {big} {other} && mv {other} {inbox_folder}/mv.pcap"),
            bursts(),
        )
        await until(lambda: len(take.taken) >= 4 and not list(inbox_folder.glob("*.pcap")))

    inbox_folder.mkdir()
    try:
        inbox = run_inbox(inbox_folder, scenario, take, 60)
    finally:
        sshd.close()
    assert sorted(each[0] for each in take.taken) == ["bursts.pcap", "mv.pcap", "rsync.pcap", "scp.pcap"]
    assert {each[2] for each in take.taken} == {body}
    assert inbox.counters == {"taken": 1, "duplicates": 3}
