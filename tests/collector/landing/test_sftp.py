"""A sensor delivers through a real sshd: every chunk lands once, whatever is killed, and only at a server it knows."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.collector.landing.fleet import stored, wait_until
from tests.collector.landing.sshd import SftpFleet, keygen
from tests.collector.landing.test_kills import write_capture

from hayrick_common.dropped import Receipt, encode_receipt
from hayrick_sensor.packing import frame_of


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[SftpFleet]:
    made = SftpFleet(tmp_path)
    yield made
    made.close()


def status(fleet: SftpFleet) -> dict:
    path = fleet.root / "spool" / "status.json"
    return json.loads(path.read_text()) if path.exists() else {"link_problem": ""}


def test_chunk_lands_and_both_receipts_come_back(fleet: SftpFleet) -> None:
    digest = write_capture(fleet.root / "pcaps" / "a.pcap", 3_000_000, 1)
    fleet.start("landing")
    fleet.start("sensor")
    wait_until(lambda: len(fleet.landed()) == 1, 30, fleet)
    wait_until(lambda: fleet.states() == {"indexed"}, 30, fleet)
    wait_until((fleet.data / "s1.heartbeat.json").exists, 30, fleet)
    (row,) = fleet.landed()
    assert (row["sensor"], row["stream"], row["sequence"], row["sha256"]) == ("s1", "adopted", 1, digest)
    assert stored(row) == digest
    assert abs(json.loads((fleet.data / "s1.heartbeat.json").read_text())["clock_skew_ms"]) < 10_000
    assert sorted(path.name for path in fleet.drop.iterdir()) == ["receipts", "status.json"]


def _grows(fleet: SftpFleet, seen: tuple[int, int]) -> bool:
    return fleet.parts() not in seen


def test_each_chunk_lands_once_whoever_is_killed_in_mid_delivery(fleet: SftpFleet) -> None:
    hashes = {write_capture(fleet.root / "pcaps" / f"{n}.pcap", 40_000_000, n) for n in range(2)}
    fleet.start("sensor")
    for cut in ("sensor", "sshd", "sensor"):
        seen = (0, fleet.parts())
        wait_until(functools.partial(_grows, fleet, seen), 30, fleet)
        if cut == "sshd":
            fleet.sshd.cut()
        else:
            fleet.kill(cut)
            fleet.start(cut)
    fleet.start("landing")
    wait_until(lambda: len(fleet.landed()) >= 2, 60, fleet)
    wait_until(lambda: fleet.states() == {"indexed"}, 30, fleet)
    rows = fleet.landed()
    assert sorted(row["sha256"] for row in rows) == sorted(hashes)
    assert {stored(row) for row in rows} == hashes


@pytest.mark.parametrize("whose", ["nobody's", "another server's"])
def test_server_that_is_not_known_gets_nothing_and_the_operator_is_told(fleet: SftpFleet, whose: str) -> None:
    right = fleet.sshd.known_hosts.read_text()
    if whose == "nobody's":
        fleet.sshd.known_hosts.write_text("")
    else:
        other = fleet.root / "other"
        keygen(other)
        fleet.sshd.trust(other.with_suffix(".pub"))
    write_capture(fleet.root / "pcaps" / "a.pcap", 10_000, 1)
    fleet.start("landing")
    fleet.start("sensor")
    wait_until(lambda: "host key" in status(fleet)["link_problem"], 30, fleet)
    assert "ssh-keyscan -p" in status(fleet)["link_problem"]
    assert list(fleet.drop.glob("*.pcap*")) == list(fleet.drop.glob(".*")) == []
    fleet.sshd.known_hosts.write_text(right)
    wait_until(lambda: len(fleet.landed()) == 1, 40, fleet)


def test_what_lies_there_is_compared_before_it_is_added_to(fleet: SftpFleet) -> None:
    digest = write_capture(fleet.root / "pcaps" / "a.pcap", 3_000_000, 1)
    whole = (fleet.root / "pcaps" / "a.pcap").read_bytes()
    frames = [frame_of(whole[start : start + (1 << 20)]) for start in range(0, len(whole), 1 << 20)]
    spoiled = frames[0] + frames[1][:400_000] + bytes(500_000)
    (fleet.drop / f".s1.adopted.0000000001.{digest[:16]}.pcap.zst.part").write_bytes(spoiled)
    fleet.start("landing")
    fleet.start("sensor")
    wait_until(lambda: len(fleet.landed()) == 1, 30, fleet)
    wait_until(lambda: fleet.states() == {"indexed"}, 30, fleet)
    assert [row["sha256"] for row in fleet.landed()] == [digest]
    wait_until(lambda: status(fleet).get("bytes_sent", 0) > 0, 20, fleet)
    assert status(fleet)["bytes_sent"] < len(whole) - 1_000_000


def test_refusal_is_told_to_the_operator_and_its_receipt_taken_away(fleet: SftpFleet) -> None:
    digest = write_capture(fleet.root / "pcaps" / "a.pcap", 10_000, 1)
    key = f"s1.adopted.0000000001.{digest[:16]}"
    receipts = fleet.drop / "receipts"
    receipts.mkdir()
    refusal = Receipt(key, "refused", code="conflict", reason="landed with other bytes")
    (receipts / f"{key}.json").write_bytes(encode_receipt(refusal))
    fleet.start("sensor")
    wait_until(lambda: status(fleet).get("counters", {}).get("refused") == 1, 30, fleet)
    assert list(receipts.iterdir()) == list(fleet.drop.glob("*.pcap")) == []
    assert fleet.states() == {"offered"}
