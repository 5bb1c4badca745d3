"""The archive's bytes are those of its files at any time, and what did not change is not read again."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from hayrick_collector.archive.size import Size


def age(folder: Path) -> None:
    os.utime(folder, (time.time() - 60,) * 2)


def test_bytes_follow_files_that_come_go_and_are_replaced(tmp_path: Path) -> None:
    size, day = Size(tmp_path), tmp_path / "s1" / "lan" / "20261125"
    assert size.measure() == 0
    day.mkdir(parents=True)
    (day / "x").write_bytes(bytes(10))
    assert size.measure() == 10
    (day / "y").write_bytes(bytes(32))
    assert size.measure() == 42
    age(day)
    assert size.measure() == 42
    (day / ".z").write_bytes(bytes(5))
    (day / ".z").rename(day / "x")
    assert size.measure() == 37
    (day / "y").unlink()
    assert size.measure() == 5
    (day / "x").unlink()
    day.rmdir()
    assert size.measure() == 0


def test_folder_that_stays_as_it_is_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_bytes(bytes(7))
        age(tmp_path / name)
    age(tmp_path)
    read: list[str] = []
    real = os.scandir

    def scandir(path: str) -> object:
        read.append(path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    size = Size(tmp_path)
    assert size.measure() == 14
    read.clear()
    (tmp_path / "new" / "y").write_bytes(bytes(1))
    assert size.measure() == 15
    assert read == [str(tmp_path / "new")]
