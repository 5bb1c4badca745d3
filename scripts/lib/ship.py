"""`bench ship`: the same chunks by scp and by each of Hayrick's transports, on loopback, in one run.

Everything happens in a network namespace of its own, so that the bytes its loopback counts are the transfer's alone.
CPU seconds are those of every process on both sides (for Hayrick: sensor and collector; ingest workers are paused).
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import re
import shutil
import signal
import sqlite3
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from processes import Process, free_port, run, running, wait_until
from tests.collector.landing.sshd import prepare

HAYRICK = str(Path(sys.executable).parent / "hayrick")
CHUNK_MEGABYTES = 16
TICKS = os.sysconf("SC_CLK_TCK")
INSIDE = "HAYRICK_BENCH_NAMESPACE"
DEADLINE_SECONDS = 180.0
SLOW = "200mbit"


@dataclass(frozen=True)
class Trip:
    """One transfer of all chunks: megabytes, wall and CPU seconds (both sides), megabytes that loopback carried."""

    name: str
    megabytes: float
    wall: float
    cpu: float
    wire: float

    def __str__(self) -> str:
        return (
            f"{self.name:28} {self.megabytes / self.wall:6.0f} MB/s {self.cpu / self.megabytes * 1000:7.2f} CPU s/GB "
            f"{self.wire / self.megabytes * 100:6.1f} % of the bytes on the wire"
        )


def in_own_network() -> None:
    """Go on in a new network namespace with a loopback; needs root."""
    if os.environ.get(INSIDE) != str(os.getpid()):
        os.environ[INSIDE] = str(os.getpid())
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
    run(["ip", "link", "set", "lo", "up"])


def ship(capture: Path, copies: int = 3) -> None:
    """Print a line for each way, best of three, and its ratio to scp's; then over a link of SLOW, once."""
    in_own_network()
    with tempfile.TemporaryDirectory(prefix="hayrick-ship-") as scratch:
        root = Path(scratch)
        chunks = cut(capture, root / "chunks", copies)
        size = sum(each.stat().st_size for each in chunks) / 1e6
        print(f"{len(chunks)} chunks, {size:.0f} MB of {capture.name}")
        with sshd(root) as server:
            ways: list[Callable[[Path], Trip]] = [
                lambda place: by_scp(server, chunks, place),
                lambda place: by_hayrick("zeromq", server, chunks, place),
                lambda place: by_hayrick("sftp", server, chunks, place),
            ]
            rounds = [[way(fresh(root)) for way in ways] for _ in range(3)]  # in turns: other load hits all alike
            compare("loopback as it is", [min(trips, key=wall) for trips in zip(*rounds, strict=True)])
            del chunks[len(chunks) // copies :]
            run(["tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", SLOW, "burst", "1mb", "latency", "100ms"])
            compare(f"loopback held to {SLOW}/s", [way(fresh(root)) for way in ways])


def wall(trip: Trip) -> float:
    """What is the best of several."""
    return trip.wall


def compare(link: str, trips: list[Trip]) -> None:
    """Print them, each against the first."""
    print(f"{link}:")
    for trip in trips:
        print(f"  {trip}   {trips[0].wall / trip.wall:5.2f} x scp's speed, {trip.cpu / trips[0].cpu:5.2f} x its CPU")


def cut(capture: Path, folder: Path, copies: int, megabytes: int = CHUNK_MEGABYTES) -> list[Path]:
    """The capture in chunks as tcpdump cuts them, each several times under different names."""
    folder.mkdir()
    first = folder / "0.pcap"
    run(["tcpdump", "-r", str(capture), "-w", str(first), "-C", str(megabytes), "-Z", "root"])
    for part in list(folder.iterdir()):
        for copy in range(1, copies):
            alike(part, folder / f"{copy}.{part.name}", copy)
    return sorted(folder.iterdir())


def alike(capture: Path, other: Path, number: int) -> None:
    """The same packets under another snap length for each number: a sensor takes the same bytes once only."""
    shutil.copyfile(capture, other)
    with other.open("r+b") as file:
        file.seek(16)
        file.write(struct.pack("<I", 262144 - number))


def fresh(root: Path) -> Path:
    """An empty folder for one transfer."""
    return Path(tempfile.mkdtemp(dir=root))


@dataclass(frozen=True)
class Server:
    """An sshd of our own."""

    root: Path
    port: int
    process: Process


@contextmanager
def sshd(root: Path) -> Iterator[Server]:
    """A real OpenSSH server with fresh keys."""
    place, port = root / "sshd", free_port()
    with running("sshd", prepare(place, port), root / "sshd.log") as process:
        wait_until(lambda: "listening" in (root / "sshd.log").read_text(), "sshd", 10, process)
        yield Server(place, port, process)


class Meter:
    """CPU seconds of processes and everything they started, and what loopback carried, since `Meter(...)`."""

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self._cpu, self._wire, self._started = self._spent(), carried(), time.monotonic()

    def _spent(self) -> float:
        return sum(tree_seconds(pid) for pid in self._pids)

    def trip(self, name: str, size: float) -> Trip:
        """What has been spent by now."""
        wall = time.monotonic() - self._started
        return Trip(name, size, wall, self._spent() - self._cpu, (carried() - self._wire) / 1e6)


def tree_seconds(pid: int) -> float:
    """CPU seconds of a process, its children, and those of them that have ended; ingest workers apart."""
    if is_worker(pid):
        return 0.0
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS + sum(map(tree_seconds, children))


def carried() -> int:
    """Bytes that this namespace's loopback has sent."""
    line = re.search(r"lo:(.*)", Path("/proc/self/net/dev").read_text())
    return int(line[1].split()[8]) if line else 0


def by_scp(server: Server, chunks: list[Path], place: Path) -> Trip:
    """Every chunk with one scp."""
    size = sum(each.stat().st_size for each in chunks) / 1e6
    options = ["-q", "-i", str(server.root / "client"), "-P", str(server.port)]
    trust = ["-o", f"UserKnownHostsFile={server.root / 'known_hosts'}", "-o", "BatchMode=yes", "-F", "none"]
    target = f"{getpass.getuser()}@127.0.0.1:{place}"
    meter = Meter(os.getpid())  # its sshd is our child
    run(["scp", *options, *trust, *map(str, chunks), target], DEADLINE_SECONDS)
    return meter.trip("scp", size)


SENSOR = """\
name = "s1"
spool = "{place}/spool"
keep_free_megabytes = 0
[collector]
{collector}
[[streams]]
name = "adopted"
folder = "{place}/pcaps"
keep = "place"
"""


def by_hayrick(transport: str, server: Server, chunks: list[Path], place: Path) -> Trip:
    """Every chunk by a real sensor to a real collector, from its appearance to the last `landed`."""
    size = sum(each.stat().st_size for each in chunks) / 1e6
    (place / "pcaps").mkdir()
    (place / "waiting").mkdir()
    for each in chunks:
        os.link(each, place / "waiting" / each.name)
    with collector(place) as (core, landing), sensor(transport, server, landing, place) as agent:
        meter = Meter(core.pid, agent.pid, *([server.process.pid] if transport == "sftp" else []))
        for each in chunks:
            (place / "waiting" / each.name).rename(place / "pcaps" / each.name)

        def all_landed() -> bool:
            pause(ingest_workers(core.pid))
            return landed(place) == len(chunks)

        wait_until(all_landed, "all to land", DEADLINE_SECONDS, core, agent, every=0.01)
        trip = meter.trip(f"hayrick, {transport}", size)
        for pid in ingest_workers(core.pid):
            os.kill(pid, signal.SIGKILL)
        return trip


def pause(pids: list[int]) -> None:
    """Keep these from taking part."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)


@contextmanager
def collector(place: Path, *words: str) -> Iterator[tuple[Process, str]]:
    """A collector on `place`/data, and the address at which it lands chunks."""
    command = [HAYRICK, "collector", "run", "--data", str(place / "data"), "--listen", "127.0.0.1:0"]
    log = place / "collector.log"
    with running("collector", [*command, "--landing", "tcp://127.0.0.1:*", *words], log) as process:
        wait_until(lambda: "page and API at" in log.read_text(), "the collector", 60, process)
        yield process, re.findall(r"sensors dial (\S+)", log.read_text())[0]


@contextmanager
def sensor(transport: str, server: Server, landing: str, place: Path) -> Iterator[Process]:
    """A sensor that adopts `place`/pcaps, once it is online."""
    data, config = place / "data", place / "sensor.toml"
    zeromq = f'address = "{landing}"\npublic_key_file = "{data / "keys" / "collector.public"}"'
    sftp = (
        f'transport = "sftp"\naddress = "sftp://{getpass.getuser()}@127.0.0.1:{server.port}{data / "drop" / "s1"}"\n'
        f'key_file = "{server.root / "client"}"\nknown_hosts = "{server.root / "known_hosts"}"'
    )
    config.write_text(SENSOR.format(place=place, collector=sftp if transport == "sftp" else zeromq))
    (data / "drop" / "s1").mkdir(parents=True, exist_ok=True)
    if transport == "zeromq":
        public = run([HAYRICK, "sensor", "keygen", "--config", str(config)])
        (data / "keys" / "sensors" / "s1.public").write_text(public)
    with running("sensor", [HAYRICK, "sensor", "run", "--config", str(config)], place / "sensor.log") as process:
        wait_until(lambda: online(place), "the sensor to come online", 30, process)
        yield process


def online(place: Path) -> bool:
    """Whether the sensor says that it is."""
    with contextlib.suppress(OSError, ValueError):
        return bool(json.loads((place / "spool" / "status.json").read_text())["online"])
    return False


def landed(place: Path) -> int:
    """How many chunks the collector's catalog holds."""
    with contextlib.closing(sqlite3.connect(place / "data" / "catalog.sqlite")) as catalog:
        return int(catalog.execute("SELECT count(*) FROM chunks").fetchone()[0])


def ingest_workers(pid: int) -> list[int]:
    """Process numbers of a collector's ingest workers."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return [each for each in children if is_worker(each)]


def is_worker(pid: int) -> bool:
    """Whether the process is an ingest worker."""
    with contextlib.suppress(OSError):
        return b"ingest.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False
