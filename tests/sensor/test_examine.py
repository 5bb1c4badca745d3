"""A foreign file is taken as it was when it was closed, or not at all."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.collector.captures import START, dns_query, write_pcap

from hayrick_common.closed_files import ClosedFiles, stamp_of
from hayrick_sensor import examine as module
from hayrick_sensor import spool_events as ev
from hayrick_sensor.closings import FolderClosings
from hayrick_sensor.examine import examine
from hayrick_sensor.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "spool")
    made.make(["ring"])
    (tmp_path / "ring").mkdir()
    return made


@pytest.fixture(params=[True, False], ids=["copy", "place"])
def owned(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def capture(layout: Layout, name: str, packets: int = 3, start: float = START) -> Path:
    return write_pcap(layout.root.parent / "ring" / name, [dns_query("one.example")] * packets, start=start, step=1)


def closed(path: Path) -> ev.FileClosed:
    return ev.FileClosed("ring", str(path), stamp_of(path.stat()))


def copies(layout: Layout) -> list[Path]:
    return list(layout.open_folder("ring").iterdir())


@pytest.mark.parametrize("name", ["a b.pcap", "ü\n.pcap", "-rf.pcap", "x.pcap0", "%s.pcap"])
def test_odd_names_are_files_like_others(layout: Layout, owned: bool, name: str) -> None:
    path = capture(layout, name)
    found = examine(layout, closed(path), owned)
    assert isinstance(found, ev.Measured)
    assert found.measure
    assert (found.source, found.measure.packets) == (str(path), 3)
    assert [each.read_bytes() for each in copies(layout)] == [path.read_bytes()] * owned


@pytest.mark.parametrize("kind", ["nsecpcap", "pcapng"])
def test_each_format_is_taken(layout: Layout, owned: bool, kind: str) -> None:
    path = layout.root.parent / "ring" / "x"
    subprocess.run(["editcap", "-F", kind, capture(layout, "made"), path], check=True, timeout=30)
    found = examine(layout, closed(path), owned)
    assert isinstance(found, ev.Measured)
    assert found.measure
    assert (found.measure.packets, found.measure.first_ms) == (3, START * 1000)


@pytest.mark.parametrize(
    ("size", "packets", "problem"), [(0, 0, False), (24, 0, False), (-5, 2, False), (None, 0, True)]
)
def test_stub_cut_and_stranger_leave_no_copy_that_is_none(
    layout: Layout, owned: bool, size: int | None, packets: int, problem: bool
) -> None:
    path = capture(layout, "x.pcap")
    data = b"no capture at all, and longer than a header" if size is None else path.read_bytes()[:size]
    path.write_bytes(data)
    found = examine(layout, closed(path), owned)
    assert isinstance(found, ev.Measured)
    assert found.measure
    assert (found.measure.packets, bool(found.measure.problem)) == (packets, problem)
    assert len(copies(layout)) == (owned and packets > 0)


def test_file_written_again_before_it_was_read_is_a_loss(layout: Layout, owned: bool) -> None:
    path = capture(layout, "x.pcap")
    event = closed(path)
    capture(layout, "x.pcap", packets=5, start=START + 100)
    last_ms = int(event.stamp.rpartition(".")[2]) // 1_000_000
    assert examine(layout, event, owned) == ev.Overrun("ring", str(path), event.stamp, 0, last_ms)
    assert copies(layout) == []


def test_file_written_again_while_it_is_read_is_a_loss_with_its_first_packets_time(
    layout: Layout, owned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = capture(layout, "x.pcap", packets=9)
    event = closed(path)
    original = module._first_ms

    def again(stream: Any) -> int:
        first = original(stream)
        with path.open("r+b") as owner:  # in place, as a ring is
            owner.seek(300)
            owner.write(b"new")
        return first

    monkeypatch.setattr(module, "_first_ms", again)
    found = examine(layout, event, owned)
    assert isinstance(found, ev.Overrun)
    assert found.first_ms == START * 1000
    assert copies(layout) == []


def test_file_shortened_while_it_is_read_is_a_loss(
    layout: Layout, owned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = capture(layout, "x.pcap", packets=9)
    event = closed(path)
    original = module._first_ms

    def shorten(stream: Any) -> int:
        first = original(stream)
        os.truncate(path, 100)
        return first

    monkeypatch.setattr(module, "_first_ms", shorten)
    assert isinstance(examine(layout, event, owned), ev.Overrun)
    assert copies(layout) == []


def test_file_that_is_open_for_writing_again_is_no_chunk(layout: Layout, owned: bool) -> None:
    path = capture(layout, "x.pcap")
    event = closed(path)
    with path.open("r+b"):
        assert isinstance(examine(layout, event, owned), ev.Overrun)


def test_file_replaced_by_rename_is_found_by_its_new_name_and_its_old_one_is_no_loss(
    layout: Layout, owned: bool
) -> None:
    path = capture(layout, "x.pcap")
    event = closed(path)
    path.rename(path.with_name("x.pcap1"))
    found = examine(layout, event, owned)
    assert found == ev.Measured("ring", str(path), event.stamp, None, 0)
    capture(layout, "x.pcap", packets=5)
    assert examine(layout, event, owned) == found
    moved = examine(layout, closed(path.with_name("x.pcap1")), owned)
    assert isinstance(moved, ev.Measured)
    assert moved.stamp == event.stamp


def test_link_out_of_the_folder_is_not_followed(layout: Layout, owned: bool, tmp_path: Path) -> None:
    secret = write_pcap(tmp_path / "secret.pcap", [dns_query("one.example")])
    link = layout.root.parent / "ring" / "x.pcap"
    link.symlink_to(secret)
    assert ClosedFiles(link.parent, "*.pcap*", FolderClosings).scan() == []
    with pytest.raises(OSError, match="symbolic"):
        examine(layout, closed(link), owned)
    assert copies(layout) == []
