"""A file is told of once nobody writes to it, never before, with real inotify and real leases."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hayrick_common import closed_files
from hayrick_common.closed_files import ClosedFiles, being_written
from hayrick_sensor.closings import FolderClosings


def watch(folder: Path) -> ClosedFiles:
    return ClosedFiles(folder, "*.pcap", FolderClosings)


async def collect(files: ClosedFiles, found: list[str], count: int) -> None:
    async for path in files.closed():
        found.append(path.name)
        if len(set(found)) == count:
            return


def test_kernel_knows_an_open_file_from_a_closed_one(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with path.open("wb"):
        assert being_written(path) is True
        with path.open("rb"):
            assert being_written(path) is True
    with path.open("rb"):
        assert being_written(path) is False


def test_scan_leaves_out_open_hidden_part_and_foreign_files(tmp_path: Path) -> None:
    for name in ("b.pcap", "a.pcap", ".h.pcap", "x.pcap.part", "readme"):
        (tmp_path / name).touch()
    (tmp_path / "link.pcap").symlink_to("/etc/passwd")

    async def scan() -> list[Path]:
        return watch(tmp_path).scan()

    with (tmp_path / "open.pcap").open("wb"):
        assert {each.name for each in asyncio.run(scan())} == {"a.pcap", "b.pcap"}


def test_files_are_told_of_when_they_close_or_move_in(tmp_path: Path) -> None:
    folder = tmp_path / "watched"
    folder.mkdir()
    (folder / "before.pcap").touch()

    async def scenario() -> list[str]:
        found: list[str] = []
        task = asyncio.ensure_future(collect(watch(folder), found, 3))
        with (folder / "growing.pcap").open("wb") as growing:
            for _ in range(5):
                growing.write(b"x" * 5000)
                await asyncio.sleep(0.05)
            assert "growing.pcap" not in found
        (tmp_path / "other").touch()
        (tmp_path / "other").rename(folder / "moved.pcap")
        await asyncio.wait_for(task, 10)
        return found

    found = asyncio.run(scenario())
    assert set(found) == {"before.pcap", "growing.pcap", "moved.pcap"}


def test_file_that_was_left_comes_again_however_many_events_others_bring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closed_files, "RESCAN_SECONDS", 0.3)
    (tmp_path / "left.pcap").touch()

    async def scenario() -> list[str]:
        found: list[str] = []
        task = asyncio.ensure_future(collect(watch(tmp_path), found, 99))
        for _ in range(20):
            (tmp_path / "status.pcap").write_bytes(b"again")
            await asyncio.sleep(0.05)
        task.cancel()
        return found

    assert asyncio.run(scenario()).count("left.pcap") >= 3


def test_files_that_closed_and_were_written_again_or_deleted_before_they_were_told_of_are_counted(
    tmp_path: Path,
) -> None:
    missed: list[int] = []

    async def scenario() -> list[str]:
        found: list[str] = []
        files = ClosedFiles(tmp_path, "*.pcap", FolderClosings, missed=missed.append)
        task = asyncio.ensure_future(collect(files, found, 3))
        await asyncio.sleep(0.2)
        for name in ("a.pcap", "b.pcap", "gone.pcap", "a.pcap", "other", "other"):
            (tmp_path / name).write_bytes(b"again")
        (tmp_path / "gone.pcap").unlink()
        with (tmp_path / "b.pcap").open("wb"):  # no await before: the watch stands still meanwhile
            await asyncio.sleep(0.2)
        (tmp_path / "c.pcap").touch()
        await asyncio.wait_for(task, 10)
        return found

    assert asyncio.run(scenario()) == ["a.pcap", "b.pcap", "c.pcap"]
    assert missed == [3]  # a's first, gone's, and b's first


class Told:
    """Closings that tell of one file, and then of nothing."""

    def __init__(self, path: Path) -> None:
        self._left = [path]

    async def get(self) -> Path | None:
        if not self._left:
            await asyncio.sleep(3600)
        return self._left.pop()

    def pending(self) -> list[Path | None]:
        return []

    def close(self) -> None:
        pass


def test_file_whose_close_is_told_while_the_kernel_still_writes_it_back_is_not_missed(tmp_path: Path) -> None:
    path = tmp_path / "late.pcap"
    missed: list[int] = []

    async def scenario() -> list[str]:
        found: list[str] = []
        files = ClosedFiles(tmp_path, "*.pcap", lambda folder: Told(path), missed=missed.append)
        with path.open("wb") as late:
            late.write(b"x" * 50_000)
            late.flush()
            task = asyncio.ensure_future(collect(files, found, 1))
            await asyncio.sleep(0.3)
            assert not found
        await asyncio.wait_for(task, 5)
        return found

    assert asyncio.run(scenario()) == ["late.pcap"]
    assert not missed
