"""The whole system under test: sensors in their namespaces, a collector, an sshd, proxies, all real and all kept alive.

s1 ships by ZeroMQ through a proxy, s2 by ZeroMQ straight over its veth, s3 by SFTP through a proxy and a real sshd.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.collector.landing.sshd import prepare
from tests.system.faults import generator
from tests.system.faults.keeper import Keeper, children, command_line, kill_all
from tests.system.faults.places import Disk, Link, mount
from tests.system.faults.proxy import Proxy
from tests.system.faults.store import Elasticsearch
from tests.system.faults.truth import FILE_HEADER, Watching, Witness

MAIN = "import sys; from hayrick_common.cli import main; sys.exit(main())"
HAYRICK = [sys.executable, "-c", MAIN]
LANDING_PORT, API_PORT, SSH_PORT, PROXY_PORT = 8006, 8005, 2222, 7001
IDLE_SECONDS = 75.0  # longer than any pause between tries: an SFTP server is dialled again after 30 s
QUIET_SECONDS = 5.0  # until a sensor takes what its tcpdump keeps open, by the settings below
SERVER = f"http://127.0.0.1:{API_PORT}"
FAKETIME = Path("/usr/lib") / f"{os.uname().machine}-linux-gnu" / "faketime" / "libfaketime.so.1"
PIECE = re.compile(r"(.+)\.\d+-(\d+)")  # of an open file: up to where it is taken
SENSOR_MEGABYTES, COLLECTOR_MEGABYTES = 64, 192

COLLECTOR = """\
[api]
listen = "127.0.0.1:{api}"
[landing]
listen = "tcp://0.0.0.0:{landing}"
[ingest]
workers = 2
attempts = 50
"""
STORE = """\
[store]
kind = "elasticsearch"
urls = ["http://127.0.0.1:{port}"]
replicas = 0
"""
SENSOR = """\
name = "{name}"
spool = "{spool}"
keep_free_megabytes = 0
heartbeat_seconds = 1
[collector]
{collector}
[[streams]]
name = "cap"
interface = "cap0"
filter = "udp"
rotate_seconds = 1
quiet_seconds = 2
"""


@dataclass
class Sensor:
    """One sensor: where it is, what keeps it running, what it may be hurt by."""

    link: Link
    root: Path
    keeper: Keeper
    witness: Witness
    proxy: Proxy | None = None
    clock: Path | None = None
    passed: Keeper | None = None
    traffic: Keeper | None = None

    @property
    def name(self) -> str:
        return self.link.name

    @property
    def disk(self) -> Disk:
        return Disk(self.root)

    @property
    def journal(self) -> Path:
        return self.root / "spool" / "journal.sqlite"

    def tcpdump(self) -> int:
        """Its tcpdump's process number, 0 for none: also one that outlived its sensor."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                said = command_line(int(entry.name))
                with contextlib.suppress(OSError):
                    if "tcpdump" in said and Path(f"/proc/{entry.name}/cwd").readlink() == self.witness.open_folder:
                        return int(entry.name)
        return 0

    def rows(self, what: str) -> list[tuple[Any, ...]]:
        """Of its journal, read beside it."""
        return read(self.journal, what)


def read(database: Path, what: str) -> list[tuple[Any, ...]]:
    """Rows of somebody else's SQLite database; raises sqlite3.Error."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)) as opened:
        return list(opened.execute(what))


@dataclass
class World:
    """`build`, `start`, then faults, `quiet`, and `stop`."""

    root: Path
    seed: int
    rate: float
    store: Elasticsearch | None = None
    sensors: list[Sensor] = field(default_factory=list)
    collector: Keeper = field(init=False)
    sshd: Keeper = field(init=False)
    watching: Watching | None = None

    @property
    def data(self) -> Path:
        return self.root / "collector" / "data"

    @property
    def disk(self) -> Disk:
        return Disk(self.root / "collector")

    @property
    def drop(self) -> Path:
        """Where the SFTP sensor delivers."""
        return self.data / "drop" / "s3"

    # --- building -------------------------------------------------------------------------------------------------

    def build(self) -> None:
        """Everything but running processes."""
        mount(self.root / "collector", COLLECTOR_MEGABYTES)
        config = self.root / "collector.toml"
        settings = COLLECTOR.format(api=API_PORT, landing=LANDING_PORT)
        config.write_text(settings + (STORE.format(port=self.store.port) if self.store else ""))
        if self.store:
            self.store.start()
        where = ["--config", str(config), "--data", str(self.data)]
        hayrick("collector", "init", "--data", str(self.data))
        self.collector = Keeper("collector", [*HAYRICK, "collector", "run", *where], self.root / "collector.log")
        self._build_sshd()
        for number in (1, 2, 3):
            self.sensors.append(self._sensor(Link(number)))

    def _build_sshd(self) -> None:
        self.sshd = Keeper("sshd", prepare(self.root / "sshd", SSH_PORT), self.root / "sshd.log")

    def _sensor(self, link: Link) -> Sensor:
        link.make()
        root = self.root / link.name
        mount(root, SENSOR_MEGABYTES)
        spool, kept = root / "spool", root / "kept"
        kept.mkdir()
        proxy, collector = self._way(link)
        config = root / "sensor.toml"
        config.write_text(SENSOR.format(name=link.name, spool=spool, collector=collector))
        if link.number != 3:
            public = hayrick("sensor", "keygen", "--config", str(config))
            (self.data / "keys" / "sensors" / f"{link.name}.public").write_text(public)
        clock = self.root / f"{link.name}.clock" if FAKETIME.exists() and link.number != 2 else None
        command = [*link.inside, *HAYRICK, "sensor", "run", "--config", str(config)]
        keeper = Keeper(link.name, command, self.root / f"{link.name}.log", clock_environment(clock))
        witness = Witness(link.name, spool / "open" / "cap", spool / "chunks" / "cap", kept)
        return Sensor(link, root, keeper, witness, proxy, clock)

    def _way(self, link: Link) -> tuple[Proxy | None, str]:
        """The proxy before the collector, if this sensor has one, and the settings that lead there."""
        if link.number == 3:
            self.drop.mkdir(parents=True)
            known, private = self.root / "sshd" / "known_hosts", self.root / "sshd" / "client"
            known.write_text(f"[{link.collector}]:{PROXY_PORT} {(self.root / 'sshd' / 'host.pub').read_text()}")
            address = f"sftp://root@{link.collector}:{PROXY_PORT}{self.drop}"
            settings = f'transport = "sftp"\naddress = "{address}"\nkey_file = "{private}"\nknown_hosts = "{known}"'
            return Proxy(link.collector, PROXY_PORT, ("127.0.0.1", SSH_PORT), self.seed), settings
        key = self.data / "keys" / "collector.public"
        straight = link.number == 2
        address = f"tcp://{link.collector}:{LANDING_PORT if straight else PROXY_PORT}"
        settings = f'address = "{address}"\npublic_key_file = "{key}"'
        proxy = None if straight else Proxy(link.collector, PROXY_PORT, ("127.0.0.1", LANDING_PORT), self.seed)
        return proxy, settings

    # --- running --------------------------------------------------------------------------------------------------

    async def start(self, seconds: float) -> None:
        """Start everything, the witnesses first; traffic flows for at most `seconds`."""
        self.watching = Watching([each.witness for each in self.sensors])
        self.collector.start()
        self.sshd.start()
        for sensor in self.sensors:
            if sensor.proxy:
                await sensor.proxy.start()
            if sensor.clock:
                sensor.clock.write_text("+0\n")
            sensor.keeper.start()
            sensor.passed = self._passed(sensor)
            sensor.passed.start()
        await until(self.ready, "collector, second tcpdumps and sensors to be ready", 60)
        for sensor in self.sensors:
            words = [sensor.name, sensor.link.target, str(self.rate), str(seconds)]
            command = [*sensor.link.inside, sys.executable, generator.__file__, *words]
            sensor.traffic = Keeper("traffic", command, self.root / "traffic.log")
            sensor.traffic.start()

    def _passed(self, sensor: Sensor) -> Keeper:
        command = [*sensor.link.inside, "tcpdump", "-n", "-i", "cap0", "-U", "--immediate-mode", "-B", "8192"]
        command += ["-Z", "root", "-w", str(self.root / f"{sensor.name}.passed.pcap"), "udp"]
        return Keeper("passed", command, self.root / f"{sensor.name}.passed.log")

    def ready(self) -> bool:
        """Whether all that must run before traffic does."""
        logs = [self.root / f"{each.name}.passed.log" for each in self.sensors]
        seen = all(log.exists() and "listening on" in log.read_text() for log in logs)
        captured = all(each.tcpdump() for each in self.sensors)
        return seen and captured and "page and API at" in (self.root / "collector.log").read_text()

    async def quiet(self) -> None:
        """End the traffic."""
        for sensor in self.sensors:
            if sensor.traffic:
                await sensor.traffic.stop()
        await asyncio.sleep(QUIET_SECONDS)
        for sensor in self.sensors:
            if sensor.passed:
                await sensor.passed.stop()

    async def stop(self) -> None:
        """End everything."""
        for sensor in self.sensors:
            await sensor.keeper.stop()
        await self.collector.stop()
        await self.sshd.stop()
        if self.store:
            await asyncio.to_thread(self.store.stop)
        if self.watching:
            self.watching.finish()

    # --- looking --------------------------------------------------------------------------------------------------

    def workers(self) -> list[int]:
        """Process numbers of the collector's ingest workers."""
        return [each for each in children(self.collector.pid) if "ingest.worker" in command_line(each)]

    def kill_sshd(self) -> bool:
        """The listener and all that serve a connection."""
        serving = [each for child in children(self.sshd.pid) for each in (child, *children(child))]
        kill_all(serving)
        return self.sshd.kill()

    def landed(self, sensor: str) -> int:
        """Chunks of the sensor that have landed; -1 when the catalog cannot be read now."""
        try:
            return int(self.catalog(f"SELECT count(*) FROM chunks WHERE sensor = '{sensor}'")[0][0])
        except sqlite3.Error:
            return -1

    def catalog(self, what: str) -> list[tuple[Any, ...]]:
        """Rows of the collector's catalog, read beside it."""
        return read(self.data / "catalog.sqlite", what)

    async def rest(self, seconds: float) -> None:
        """Wait until nothing is pending; TimeoutError after `seconds`, or once nothing has moved for IDLE_SECONDS."""
        ends, moved, before = time.monotonic() + seconds, time.monotonic(), [""]
        while found := self.pending():
            now = time.monotonic()
            if found != before:
                moved, before = now, found
            if now > ends or now - moved > IDLE_SECONDS:
                raise TimeoutError("not at rest: " + "; ".join(found))
            await asyncio.sleep(0.2)

    def pending(self) -> list[str]:
        """What has not come to rest yet, in words; empty when everything has."""
        try:
            found = [word for sensor in self.sensors for word in self._pending(sensor)]
            states = dict(self.catalog("SELECT state, count(*) FROM chunks GROUP BY state"))
        except sqlite3.Error as error:
            return [f"a database cannot be read: {error}"]
        return found + [f"{states[each]} chunks {each}" for each in ("landed", "indexing") if states.get(each)]

    def _pending(self, sensor: Sensor) -> list[str]:
        taken: dict[str, int] = {}
        for (source,) in sensor.rows("SELECT source FROM chunks"):
            if piece := PIECE.fullmatch(source):
                taken[piece[1]] = max(taken.get(piece[1], 0), int(piece[2]))
        folder = sensor.witness.open_folder
        sizes = {each.name: each.stat().st_size for each in folder.iterdir()}
        filled = [f"{name} of {size} bytes" for name, size in sizes.items() if size > taken.get(name, FILE_HEADER)]
        states = dict(sensor.rows("SELECT state, count(*) FROM chunks GROUP BY state"))
        waiting = sum(states.get(each, 0) for each in ("closed", "offered"))
        words = [f"{sensor.name}: not taken: {', '.join(filled)}"] if filled else []
        return words + ([f"{sensor.name}: {waiting} chunks without a receipt"] if waiting else [])


def clock_environment(clock: Path | None) -> dict[str, str]:
    """Lets the file `clock` say by how much a process's clock is wrong; its monotonic clock is left alone."""
    if clock is None:
        return {}
    return {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def hayrick(*words: str, seconds: float = 120) -> str:
    """Standard output of a `hayrick` command; raises CalledProcessError."""
    done = subprocess.run([*HAYRICK, *words], capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode:
        raise RuntimeError(f"hayrick {' '.join(words)} ended with {done.returncode}: {done.stderr or done.stdout}")
    return done.stdout


async def until(true: Callable[[], object], why: str, seconds: float) -> None:
    """Wait, with a deadline that says what was waited for."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {why}")
        await asyncio.sleep(0.1)
