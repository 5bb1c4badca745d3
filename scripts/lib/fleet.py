"""`bench rest` and `bench fleet`: what a sensor costs that has nothing to do, and a collector that fifty ship to.

The fifty are real agents, each with its own keys, spool and connection, in one process of ours.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from memory import Peak, memory
from processes import Process, run, running, wait_until
from ship import (
    DEADLINE_SECONDS,
    HAYRICK,
    Meter,
    collector,
    cut,
    fresh,
    in_own_network,
    ingest_workers,
    landed,
    online,
    pause,
    tree_seconds,
)

SENSORS = 50
REST_SECONDS = 60
SETTINGS = """\
name = "{name}"
spool = "{place}/spool"
keep_free_megabytes = 0
[collector]
address = "{landing}"
public_key_file = "{data}/keys/collector.public"
[[streams]]
{stream}
"""


def rest(capture: Path, seconds: int = REST_SECONDS) -> None:
    """A sensor with a real tcpdump on a silent interface, online: memory, and CPU seconds a minute, tcpdump apart."""
    in_own_network()
    with tempfile.TemporaryDirectory(prefix="hayrick-rest-") as scratch:
        place = fresh(Path(scratch))
        run(["ip", "link", "add", "quiet0", "type", "veth", "peer", "name", "quiet1"])
        run(["ip", "link", "set", "quiet0", "up"])
        with collector(place) as (_, landing):
            config = enrol("s1", 'name = "quiet"\ninterface = "quiet0"', landing, place, place)
            command = [HAYRICK, "sensor", "run", "--config", str(config)]
            with running("sensor", command, place / "sensor.log") as process:
                wait_until(lambda: online(place), "the sensor to come online", 30, process)
                time.sleep(5)
                before = own_seconds(process.pid)
                time.sleep(seconds)
                spent = own_seconds(process.pid) - before
                print(
                    f"sensor at rest: {spent / seconds * 100:.2f} % of a core over {seconds} s, "
                    f"{memory(process.pid, 'Rss'):.1f} MB resident ({memory(process.pid, 'Pss'):.1f} MB proportional)"
                )


def fleet(capture: Path, sensors: int = SENSORS) -> None:
    """Each sensor ships all chunks at once: speed, the collector's CPU and its peak memory (ingest workers paused)."""
    in_own_network()
    with tempfile.TemporaryDirectory(prefix="hayrick-fleet-") as scratch:
        root = Path(scratch)
        chunks = cut(capture, root / "chunks", 1)
        place = fresh(root)
        with collector(place) as (core, landing):
            configs = [enrolled(number, chunks, landing, place) for number in range(sensors)]
            size = sum(each.stat().st_size for each in chunks) * sensors / 1e6
            peak, meter = Peak(partial(memory, core.pid, "Rss")), Meter(core.pid)
            command = [sys.executable, str(Path(__file__)), *map(str, configs)]
            with running("fleet", command, place / "fleet.log") as agents:
                wait_until(
                    lambda: everything_landed(core, place, len(chunks) * sensors),
                    "all to land", DEADLINE_SECONDS * 2, core, agents, every=0.05,
                )  # fmt: skip
                trip = meter.trip(f"{sensors} sensors, collector alone", size)
            for pid in ingest_workers(core.pid):
                os.kill(pid, 9)
        print(
            f"{trip}\ncollector's peak: {peak.finish():.0f} MB resident, {sensors} sensors of {len(chunks)} chunks each"
        )


def everything_landed(core: Process, place: Path, count: int) -> bool:
    """Whether all chunks are there; keeps ingest out of it."""
    pause(ingest_workers(core.pid))
    return landed(place) == count


def enrolled(number: int, chunks: list[Path], landing: str, place: Path) -> Path:
    """A sensor that adopts a folder with links to all chunks."""
    own = place / f"sensor{number}"
    (own / "pcaps").mkdir(parents=True)
    for each in chunks:
        os.link(each, own / "pcaps" / each.name)
    return enrol(f"s{number}", f'name = "adopted"\nfolder = "{own / "pcaps"}"', landing, place, own)


def enrol(name: str, stream: str, landing: str, place: Path, own: Path) -> Path:
    """Write a sensor's settings, make its keys and put the public one on the allow-list."""
    config, data = own / "sensor.toml", place / "data"
    config.write_text(SETTINGS.format(name=name, place=own, landing=landing, data=data, stream=stream))
    public = run([HAYRICK, "sensor", "keygen", "--config", str(config)])
    (data / "keys" / "sensors" / f"{name}.public").write_text(public)
    return config


def own_seconds(pid: int) -> float:
    """CPU seconds of the sensor without its tcpdump."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return tree_seconds(pid) - sum(map(tree_seconds, children))


async def _agents(configs: list[str]) -> None:
    from hayrick_sensor.agent import Agent
    from hayrick_sensor.config import load_sensor_settings

    await asyncio.gather(*(Agent(load_sensor_settings(Path(each))).run() for each in configs))


if __name__ == "__main__":
    asyncio.run(_agents(sys.argv[1:]))
