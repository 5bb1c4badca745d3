"""Packets from sensors: just those that are wanted, once; what a sensor does not give or gives wrongly is said."""

from __future__ import annotations

import asyncio
import os
from array import array
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.collector.captures import dns_query, write_pcap

import hayrick_decode
from hayrick_collector.ondemand import Fetcher, Wanted
from hayrick_collector.ondemand.cache import IN_USE_SECONDS
from hayrick_collector.ondemand.pieces import Pieces
from hayrick_collector.ondemand.ranges import REQUEST_BYTES, Range
from hayrick_common import wire
from hayrick_common.errors import HayrickError

KEY = "s1.lan.0000000001.0123456789abcdef"
PACKETS = 20_000


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many packets of many sessions, one after the other."""
    frames = [dns_query("needle.example", port=20_000 + each % 1000) for each in range(PACKETS)]
    return write_pcap(tmp_path_factory.mktemp("c") / "x.pcap", frames, step=0.0001)


class Sensor:
    """Answers as a sensor would; `spoil` may make of the bytes what it will."""

    def __init__(self, path: Path) -> None:
        self.path, self.sent, self.asked = path, 0, 0
        self.error: HayrickError | None = None
        self.fail_after = 1 << 30

    async def pull(self, sensor: str, key: str, ranges: Sequence[Range]) -> bytes:
        wire.encode(wire.Pull(1, key, tuple(ranges)))
        wire.decode(wire.encode(wire.Pull(1, key, tuple(ranges))))
        await asyncio.sleep(0)
        self.asked += 1
        if self.error or self.asked > self.fail_after:
            raise self.error or HayrickError("the connection went")
        with self.path.open("rb") as file:
            body = b"".join(os.pread(file.fileno(), length, offset) for offset, length in ranges)
        self.sent += len(body)
        return self.spoil(body)

    def spoil(self, body: bytes) -> bytes:
        return body


def wanted_of(capture: Path, every: int, start: int = 0, key: str = KEY) -> Wanted:
    record = (capture.stat().st_size - 24) // PACKETS
    positions = array("q", (24 + record * each for each in range(start, PACKETS, every)))
    return Wanted(key.split(".")[0], key, positions, array("q", [record] * len(positions)), capture.stat().st_size)


def fetcher(folder: Path, sensor: Sensor | None, *, cache_bytes: int = 10_000_000, seconds: float = 20) -> Fetcher:
    return Fetcher(folder, cache_bytes=cache_bytes, seconds=seconds, pull=sensor.pull if sensor else None)


def packets(made: Fetcher, wanted: Wanted) -> list[tuple[int, int, int, bytes]]:
    with made.opener(wanted.key)() as file:
        return hayrick_decode.read_packets(file, list(wanted.here))


def test_just_the_wanted_packets_come_once(tmp_path: Path, capture: Path) -> None:
    sensor, wanted = Sensor(capture), wanted_of(capture, 1000)
    made = fetcher(tmp_path, sensor)
    asyncio.run(made.fetch([wanted]))
    assert wanted.here == wanted.positions
    assert packets(made, wanted) == hayrick_decode.read_packets(capture, list(wanted.positions))
    assert sensor.sent <= sum(wanted.lengths) + 24
    again = wanted_of(capture, 1000)
    asyncio.run(fetcher(tmp_path, None).fetch([again]))
    assert (again.here, again.reason) == (again.positions, "")


def test_all_packets_come_by_few_requests(tmp_path: Path, capture: Path) -> None:
    sensor, wanted = Sensor(capture), wanted_of(capture, 1)
    made = fetcher(tmp_path, sensor)
    asyncio.run(made.fetch([wanted]))
    assert wanted.missing == 0
    assert packets(made, wanted) == hayrick_decode.read_packets(capture, list(wanted.positions))
    assert sensor.asked <= 2 + capture.stat().st_size // REQUEST_BYTES * 2


def test_what_was_fetched_before_a_cut_stays(tmp_path: Path, capture: Path) -> None:
    sensor, wanted = Sensor(capture), wanted_of(capture, 3)
    sensor.fail_after = 1
    made = fetcher(tmp_path, sensor)
    asyncio.run(made.fetch([wanted]))
    assert 0 < len(wanted.here) < len(wanted.positions)
    assert wanted.reason == "the connection went"
    assert packets(made, wanted) == hayrick_decode.read_packets(capture, list(wanted.here))
    sensor.fail_after, before = 1 << 30, sensor.sent
    again = wanted_of(capture, 3)
    asyncio.run(made.fetch([again]))
    assert again.missing == 0
    assert sensor.sent - before < sum(again.lengths)


class Hostile(Sensor):
    def __init__(self, path: Path, how: str) -> None:
        super().__init__(path)
        self.how = how

    def spoil(self, body: bytes) -> bytes:
        return {
            "short": body[:-1], "long": body + b"x", "empty": b"", "zeros": b"\0" * len(body),
            "no header": b"\xff" * 24 + body[24:], "other packets": body[:24] + body[25:] + b"\0",
        }[self.how]  # fmt: skip


@pytest.mark.parametrize("how", ["short", "long", "empty", "zeros", "no header", "other packets"])
def test_wrong_answers_are_said_and_never_kept(tmp_path: Path, capture: Path, how: str) -> None:
    wanted = wanted_of(capture, 100)
    asyncio.run(fetcher(tmp_path, Hostile(capture, how)).fetch([wanted]))
    assert not wanted.here
    assert wanted.reason.startswith("s1: ") or how == "zeros"
    assert wanted.reason
    again = wanted_of(capture, 100)
    asyncio.run(fetcher(tmp_path, Sensor(capture)).fetch([again]))
    assert again.missing == 0


def test_a_sensor_that_is_away_spoils_nothing_of_others(tmp_path: Path, capture: Path) -> None:
    away, here = wanted_of(capture, 500), wanted_of(capture, 500, key="s2.lan.0000000001.0123456789abcdef")
    sensor = Sensor(capture)

    async def pull(name: str, key: str, ranges: Sequence[Range]) -> bytes:
        if name == "s1":
            raise HayrickError("sensor s1 is away")
        return await sensor.pull(name, key, ranges)

    made = Fetcher(tmp_path, cache_bytes=10_000_000, seconds=20, pull=pull)
    asyncio.run(made.fetch([away, here]))
    assert (away.missing, away.reason) == (len(away.positions), "sensor s1 is away")
    assert here.missing == 0


def test_a_sensor_that_never_answers_costs_the_deadline_only(tmp_path: Path, capture: Path) -> None:
    async def pull(name: str, key: str, ranges: Sequence[Range]) -> bytes:
        await asyncio.sleep(3600)
        return b""

    wanted = wanted_of(capture, 500)
    asyncio.run(Fetcher(tmp_path, cache_bytes=10_000_000, seconds=0.2, pull=pull).fetch([wanted]))
    assert "within 0.2 seconds" in wanted.reason


def test_without_a_collector_the_answer_says_who_has_them(tmp_path: Path, capture: Path) -> None:
    wanted = wanted_of(capture, 500)
    asyncio.run(fetcher(tmp_path, None).fetch([wanted]))
    assert wanted.missing == len(wanted.positions)
    assert "sensor s1" in wanted.reason


def test_the_cache_keeps_its_bound_and_lets_go_of_the_oldest(tmp_path: Path, capture: Path) -> None:
    made = fetcher(tmp_path, Sensor(capture), cache_bytes=900_000)
    keys = [f"s1.lan.{number:010d}.0123456789abcdef" for number in range(1, 5)]
    for number, key in enumerate(keys):
        wanted = wanted_of(capture, 4, key=key)
        asyncio.run(made.fetch([wanted]))
        assert wanted.missing == 0, wanted.reason
        for path in tmp_path.rglob("*.pieces"):
            os.utime(path, (0, path.stat().st_mtime - IN_USE_SECONDS - 10 + number))
    kept = sorted(path.name for path in tmp_path.rglob("*.pieces"))
    assert kept
    assert keys[-1].split(".")[2] in kept[-1]
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.pieces")) <= 1_000_000


def test_more_than_the_cache_holds_is_refused_by_name(tmp_path: Path, capture: Path) -> None:
    wanted = wanted_of(capture, 1)
    asyncio.run(fetcher(tmp_path, Sensor(capture), cache_bytes=100_000).fetch([wanted]))
    assert "pull.megabytes" in wanted.reason


def test_a_damaged_cache_is_fetched_again(tmp_path: Path, capture: Path) -> None:
    made = fetcher(tmp_path, Sensor(capture))
    asyncio.run(made.fetch([wanted_of(capture, 10)]))
    (path,) = tmp_path.rglob("*.pieces")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data[:-7])
    again = wanted_of(capture, 10)
    asyncio.run(made.fetch([again]))
    assert again.missing == 0
    assert packets(made, again) == hayrick_decode.read_packets(capture, list(again.positions))


def test_pieces_give_nothing_where_there_is_none(tmp_path: Path) -> None:
    with Pieces(tmp_path / "none") as pieces:
        assert pieces.read(10) == b""
        assert not pieces.holds(0, 24)


def test_who_comes_while_others_wait_for_a_chunk_waits_too(tmp_path: Path, capture: Path) -> None:
    class Slow(Sensor):
        at_once = most_at_once = 0

        async def pull(self, sensor: str, key: str, ranges: Sequence[Range]) -> bytes:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            await asyncio.sleep(0.05)
            self.at_once -= 1
            return await super().pull(sensor, key, ranges)

    async def three() -> list[Wanted]:
        wanted = [wanted_of(capture, 5000, start) for start in range(3)]
        tasks = [asyncio.create_task(made.fetch([each])) for each in wanted[:2]]
        await tasks[0]  # now the second goes on, and the third comes
        await asyncio.gather(tasks[1], made.fetch([wanted[2]]))
        return wanted

    sensor = Slow(capture)
    made = fetcher(tmp_path, sensor)
    for each in asyncio.run(three()):
        assert (each.here, each.reason) == (each.positions, "")
    assert sensor.most_at_once == 1
