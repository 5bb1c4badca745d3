"""Real sensors on a slow line, through a proxy: a chunk lands, is not sent twice, and survives a killed sensor."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.collector.landing.fleet import Fleet, stored, wait_until
from tests.collector.landing.sshd import SftpFleet, free_port
from tests.collector.landing.test_kills import write_capture
from tests.collector.landing.throttle import Throttle

BYTES_PER_SECOND = 8_000


@pytest.fixture
def fleet(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    made: Fleet
    if request.param == "sftp":
        made = SftpFleet(tmp_path)
        server = made.sshd.port
    else:
        (tmp_path / "pcaps").mkdir()
        server = free_port()
        streams = f'name = "adopted"\nfolder = "{tmp_path / "pcaps"}"'
        made = Fleet(tmp_path, streams, address=f"tcp://127.0.0.1:{server}")
        made.enrol()
    made.start("landing")
    yield made
    made.close()


@pytest.fixture
def line(fleet: Fleet, request: pytest.FixtureRequest) -> Iterator[Throttle]:
    """Put between the sensor and its server."""
    text = fleet.config.read_text().replace("heartbeat_seconds = 1", "heartbeat_seconds = 10")  # four missed: it is cut
    port = int(text.partition("127.0.0.1:")[2].partition("/")[0].partition('"')[0])
    made = Throttle(("127.0.0.1", port), getattr(request, "param", BYTES_PER_SECOND))
    fleet.config.write_text(text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{made.port}"))
    if isinstance(fleet, SftpFleet):
        known = fleet.sshd.known_hosts
        known.write_text(known.read_text().replace(f":{port}", f":{made.port}"))
    yield made
    made.close()


def over_the_line(fleet: Fleet, line: Throttle, size: int, kill: bool) -> None:
    digest = write_capture(fleet.root / "pcaps" / "a.pcap", size, 1)
    fleet.start("sensor")
    if kill:
        wait_until(lambda: line.passed > size // 2, 2 * size / BYTES_PER_SECOND, fleet)
        fleet.kill("sensor")
        fleet.start("sensor")
    wait_until(lambda: len(fleet.landed()) == 1, 60 + 3 * size / BYTES_PER_SECOND, fleet)
    (row,) = fleet.landed()
    assert row["sha256"] == stored(row) == digest
    assert line.connections == 1 + kill, fleet.logs()
    assert line.passed < 1.5 * size + 60_000


@pytest.mark.parametrize("line", [20_000], indirect=True)
@pytest.mark.parametrize("fleet", ["zeromq", "sftp"], indirect=True)
def test_chunk_crosses_a_slow_line_once(fleet: Fleet, line: Throttle) -> None:
    over_the_line(fleet, line, 20_000, kill=False)


@pytest.mark.long
@pytest.mark.parametrize("fleet", ["zeromq", "sftp"], indirect=True)
def test_long_chunk_crosses_a_slow_line_and_goes_on_where_it_was_when_the_sensor_is_killed(
    fleet: Fleet, line: Throttle
) -> None:
    over_the_line(fleet, line, 400_000, kill=True)
    heard_lately(fleet)


@pytest.mark.long
@pytest.mark.parametrize("fleet", ["zeromq", "sftp"], indirect=True)
def test_chunk_held_to_a_rate_at_which_a_block_takes_longer_than_patience_crosses_once(fleet: Fleet) -> None:
    config = fleet.config.read_text().replace("heartbeat_seconds = 1", "heartbeat_seconds = 10")
    fleet.config.write_text(config + "\n[shipping]\nkilobytes_per_second = 20\n")
    digest = write_capture(fleet.root / "pcaps" / "a.pcap", 1_300_000, 1)
    fleet.start("sensor")
    wait_until(lambda: len(fleet.landed()) == 1, 100, fleet)
    assert fleet.landed()[0]["sha256"] == digest
    assert "WARNING" not in (fleet.root / "sensor.log").read_text()
    heard_lately(fleet)


def heard_lately(fleet: Fleet) -> None:
    beat = json.loads((fleet.data / "s1.heartbeat.json").read_text())
    assert time.time() - beat["time_ms"] / 1000 < 40
