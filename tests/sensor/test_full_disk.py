"""A sensor whose disk is full, for its journal too, gives up chunks in order, counts them, and goes on capturing."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.collector.landing.fleet import Fleet, wait_until
from tests.sensor.test_adopted import send

from hayrick_sensor.cli import _text
from hayrick_sensor.journal import Journal
from hayrick_sensor.process import running_in
from hayrick_sensor.room import RESERVE_BYTES, Room

STREAM = 'name = "lo"\ninterface = "lo"\nfilter = "udp dst port 9"\nrotate_seconds = 1\nrotate_megabytes = 1\n'


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    namespace, spool = f"full{os.getpid()}", tmp_path / "spool"
    subprocess.run(["ip", "netns", "add", namespace], check=True)
    subprocess.run(["ip", "-n", namespace, "link", "set", "lo", "up"], check=True)
    spool.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", spool], check=True)
    made = Fleet(tmp_path, STREAM, namespace)
    made.config.write_text(made.config.read_text().replace("keep_free_megabytes = 0", "keep_free_megabytes = 4"))
    made.enrol()
    yield made
    made.close()
    for pid in running_in(spool / "open" / "lo"):
        os.kill(pid, signal.SIGKILL)
    subprocess.run(["umount", "-l", spool], check=True)
    subprocess.run(["ip", "netns", "del", namespace], check=True)


def journal_of(fleet: Fleet) -> contextlib.closing[Journal]:
    return contextlib.closing(Journal(fleet.root / "spool" / "journal.sqlite", "s1"))


def newest_ms(fleet: Fleet) -> int:
    with journal_of(fleet) as journal:
        return max((each.manifest.last_ms for each in journal.live()), default=0)


def test_sensor_goes_on_with_a_full_disk_and_counts_what_it_gave_up(fleet: Fleet) -> None:
    fleet.start("sensor")
    spool = fleet.root / "spool"
    wait_until(lambda: bool(running_in(spool / "open" / "lo")), 20, fleet)
    with (spool / "somebody elses").open("wb") as other:  # leaves some 4 MB
        other.write(bytes(6 << 20))
    send(fleet, 0, 9000, pause=0.0003)
    wait_until(lambda: journal_counters(fleet).get("lost_chunks", 0) > 0, 20, fleet)
    (spool / "somebody elses").unlink()
    before = newest_ms(fleet)
    wait_until(lambda: bool(running_in(spool / "open" / "lo")), 40, fleet)
    send(fleet, 9000, 1500)
    wait_until(lambda: newest_ms(fleet) > before, 40, fleet)
    assert fleet.processes["sensor"].poll() is None
    with journal_of(fleet) as journal:
        counted, losses = journal.counters(), journal.losses(10_000)
        assert counted["lost_chunks"] == len(losses)
        assert counted["lost_packets"] == sum(int(each["packets"]) for each in losses)
    assert all(0 < int(each["first_ms"]) <= int(each["last_ms"]) for each in losses)


def journal_counters(fleet: Fleet) -> dict[str, int]:
    with journal_of(fleet) as journal:
        return journal.counters()


def test_room_gives_up_its_reserve_then_what_it_is_told_to_and_then_raises(tmp_path: Path) -> None:
    given: list[str] = []

    def give_up() -> bool:
        given.append("chunk")
        return len(given) <= 3

    room = Room(tmp_path / "reserve", give_up)
    assert (tmp_path / "reserve").stat().st_size == RESERVE_BYTES
    needs = 4

    def action() -> str:
        if len(given) + (not (tmp_path / "reserve").exists()) < needs:
            raise sqlite3.OperationalError("database or disk is full")
        return "done"

    assert room.write(action) == "done"
    assert given == ["chunk"] * 3
    needs = 9
    with pytest.raises(sqlite3.OperationalError):
        room.write(action)
    room.restore()
    assert (tmp_path / "reserve").exists()

    def fails() -> None:
        raise OSError(errno.EIO, "broken")

    with pytest.raises(OSError, match="broken"):
        room.write(fails)
    assert (tmp_path / "reserve").exists()


def test_sensor_starts_on_a_disk_without_a_free_byte(fleet: Fleet) -> None:
    fleet.start("sensor")
    spool = fleet.root / "spool"
    wait_until(lambda: bool(running_in(spool / "open" / "lo")), 20, fleet)
    send(fleet, 0, 2500)
    wait_until(lambda: newest_ms(fleet) > 0, 20, fleet)
    fleet.kill("sensor")
    with contextlib.suppress(OSError), (spool / "somebody elses").open("wb", buffering=0) as other:
        while True:
            other.write(bytes(4096))
    fleet.start("sensor")
    wait_until(lambda: (spool / "chunks" / "lo").exists() and lost_chunks(fleet) > 0, 30, fleet)
    assert fleet.processes["sensor"].poll() is None


def lost_chunks(fleet: Fleet) -> int:
    with contextlib.suppress(sqlite3.Error):
        return journal_counters(fleet).get("lost_chunks", 0)
    return 0


def test_status_tells_what_was_lost() -> None:
    loss = {"stream": "lo", "packets": 7, "first_ms": 1_700_000_000_000, "last_ms": 1_700_000_060_000, "reason": "why"}
    stream = {"backlog_chunks": 1, "backlog_bytes": 5, "kept_chunks": 2, "capture": None}
    report = {
        "sensor": "s1", "version": "1", "online": True, "link_problem": "", "complaints": {}, "lost": [loss] * 5,
        "streams": {"lo": stream}, "counters": {"lost_chunks": 5, "lost_packets": 35, "unwritten_packets": 3},
    }  # fmt: skip
    said = _text(report, running=True)
    assert "LOST 5 chunks with 35 packets, 3 packets at tcpdump's end" in said
    assert said.count("lost lo 2023-11-14T22:13:20Z to 2023-11-14T22:14:20Z, 7 packets: why") == 3
