"""A sensor that comes back without its journal: what is here is shipped, once, under numbers that nobody has."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.collector.captures import dns_query, write_pcap
from tests.collector.landing.fleet import Fleet, adopting, stored, wait_until

from hayrick_sensor.journal import Journal


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with adopting(tmp_path, "ring") as made:
        yield made


def put(fleet: Fleet, name: str) -> None:
    path = write_pcap(fleet.root / f"{name}.pcap", [dns_query(f"{name}.example")] * 3)
    path.rename(fleet.root / "ring" / path.name)


def sequences(fleet: Fleet) -> list[int]:
    return [row["sequence"] for row in fleet.landed()]


@pytest.mark.parametrize("damage", ["journal gone", "journal torn", "all gone"])
def test_sensor_without_its_journal_ships_what_it_has_once(fleet: Fleet, damage: str) -> None:
    fleet.start("landing")
    fleet.start("sensor")
    for name in "abc":
        put(fleet, name)
    wait_until(lambda: len(sequences(fleet)) == 3, 20, fleet)
    fleet.kill("landing")
    put(fleet, "d")
    chunks, journal = fleet.root / "spool" / "chunks" / "ring", fleet.root / "spool" / "journal.sqlite"
    wait_until(lambda: len(list(chunks.iterdir())) == 4, 20, fleet)
    fleet.kill("sensor")
    for each in fleet.root.glob("spool/journal.sqlite*"):
        if damage == "journal torn":
            each.write_bytes(b"\xff" * each.stat().st_size)
        else:
            each.unlink()
    if damage == "all gone":
        shutil.rmtree(chunks)
        for name in "abc":
            (fleet.root / "ring" / f"{name}.pcap").unlink()
    put(fleet, "e")
    fleet.start("sensor")
    here = 2 if damage == "all gone" else 5
    wait_until(lambda: chunks.exists() and len(list(chunks.iterdir())) == here, 20, fleet)
    fleet.start("landing")
    wait_until(lambda: len(sequences(fleet)) == 5, 30, fleet)
    assert sorted(sequences(fleet))[:3] == [1, 2, 3]
    assert len(set(sequences(fleet))) == 5
    assert len({stored(row) for row in fleet.landed()}) == 5
    wait_until(lambda: fleet.states() == {"indexed"}, 20, fleet)
    with contextlib.closing(Journal(journal, "s1")) as found:
        counters = found.counters()
    assert counters.get("renumbered_chunks", 0) == (2 if damage == "all gone" else 0)
    assert counters.get("doubled_files", 0) == (0 if damage == "all gone" else 4)
