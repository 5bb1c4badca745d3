"""Holds what search and export give against what tcpdump wrote: every counter exactly once, or shown as lost.

Missing is allowed only where the sensor itself says so: the packets of chunks that its journal calls lost, which must
be chunks that were truncated, to the packet. What tcpdump never wrote must lie beside a gap that the chunks show.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.system.faults.generator import port_of
from tests.system.faults.truth import counters, packets, times
from tests.system.faults.world import SERVER, Sensor, World, hayrick

from hayrick_sensor.spool import SHORTENED

WANTED = "port.dst == 9000"
ASK_SECONDS = 900.0  # everything at once, by Python, while a machine may be busy with something else
NEAR_SECONDS = 1.0
FEW = 10


@dataclass
class Account:
    """One sensor's packets. Lists hold counters."""

    sensor: str
    passed: int = 0
    written: int = 0
    exported: int = 0
    found: int = 0
    shown_lost: int = 0
    not_captured: int = 0
    lost: list[int] = field(default_factory=list)
    doubled: list[int] = field(default_factory=list)
    foreign: list[int] = field(default_factory=list)
    wrong_sums: list[str] = field(default_factory=list)
    chunks: int = 0
    lost_chunks: list[str] = field(default_factory=list)
    twice_indexed: int = 0
    missing_numbers: list[int] = field(default_factory=list)
    unshown_gaps: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """What must not be, in words."""
        names = ("lost", "doubled", "foreign", "wrong_sums", "missing_numbers")
        return [f"{self.sensor}: {name} {getattr(self, name)[:FEW]}" for name in names if getattr(self, name)]


@dataclass
class Verdict:
    """The accounts of all sensors, and what else was found wrong."""

    accounts: list[Account]
    problems: list[str]

    def as_dict(self) -> dict[str, object]:
        """As JSON has it; of what is listed, the first few."""
        totals = {
            "chunks": sum(each.chunks for each in self.accounts),
            "packets": sum(each.written for each in self.accounts),
            "lost": sum(len(each.lost) for each in self.accounts),
            "doubled": sum(len(each.doubled) for each in self.accounts),
        }
        accounts = [{name: _few(value) for name, value in asdict(each).items()} for each in self.accounts]
        return {**totals, "accounts": accounts, "problems": self.problems}


def _few(value: object) -> object:
    return value[:FEW] if isinstance(value, list) else value


def judge(world: World) -> Verdict:
    """Search, export, and compare; the system must be at rest."""
    exported = _exported(world.root / "export.pcap")
    sums = _sums()
    accounts = [_account(world, each, exported, sums) for each in world.sensors]
    problems = [word for each in accounts for word in each.problems]
    failed = world.catalog("SELECT key, error FROM chunks WHERE state = 'failed'")
    problems += [f"chunk {key} failed: {error}" for key, error in failed]
    return Verdict(accounts, problems)


def _exported(path: Path) -> dict[str, Counter[int]]:
    """Sensor -> counters of the exported capture."""
    hayrick("export", WANTED, "-o", str(path), "--server", SERVER, seconds=ASK_SECONDS)
    found: dict[str, Counter[int]] = {}
    for sensor, counter, _ in packets(path.read_bytes()):
        found.setdefault(sensor, Counter())[counter] += 1
    return found


def _sums() -> dict[str, Counter[int]]:
    """Source address -> source port -> packets, as the sessions that a search finds add up."""
    said = hayrick(
        "search", WANTED, "--limit", "0", "--json", "--fields", "source.ip,source.port,network.packets",
        "--server", SERVER, seconds=ASK_SECONDS,
    )  # fmt: skip
    found: dict[str, Counter[int]] = {}
    for line in said.splitlines():
        session = json.loads(line)
        source = session["source"]
        found.setdefault(source["ip"], Counter())[source["port"]] += session["network"]["packets"]
    return found


def _account(world: World, sensor: Sensor, exported: dict[str, Counter[int]], sums: dict[str, Counter[int]]) -> Account:
    written = sensor.witness.written()
    passed = times(world.root / f"{sensor.name}.passed.pcap")
    export = exported.get(sensor.name, Counter())
    summed = sums.get(sensor.link.source, Counter())
    made = Account(sensor.name, len(passed), len(written), export.total(), summed.total())
    allowed = _lost_by_truncation(sensor, made)
    missing = written.keys() - export.keys()
    made.shown_lost = len(missing & allowed)
    made.lost = sorted(missing - allowed)
    said = [*sensor_lost(sensor).values(), _cut_off(sensor)]
    if len(missing) != sum(said):
        made.wrong_sums.append(f"{len(missing)} packets are missing, the journal says {said}")
    made.doubled = sorted(each for each, times_found in export.items() if times_found > 1)
    made.foreign = sorted(export.keys() - written.keys())
    _compare_sums(made, Counter(port_of(each) for each in export), summed)
    _look_at_chunks(world, sensor, made)
    made.not_captured = len(passed.keys() - written.keys())
    if not sensor.clock:  # a wrong clock tells of gaps at wrong times
        made.unshown_gaps = _unshown(sensor, passed, written)
    return made


def _unshown(sensor: Sensor, passed: dict[int, float], written: Counter[int]) -> list[str]:
    """Runs of packets that no tcpdump of the sensor wrote, and that nothing tells of: no gap of a chunk or launch, and
    no chunk that ends in a cut packet, as where tcpdump met a full disk and went on."""
    chunks = sensor.rows("SELECT first_ms, gap_ms FROM chunks WHERE packets > 0")
    chunks += sensor.rows("SELECT last_ms, truncated FROM chunks WHERE packets > 0")
    launches = sensor.rows("SELECT started_ms, gap_ms FROM launches")
    shown = [int(at) for at, gap in [*chunks, *launches] if gap > 0]
    found, run, before = [], 0, 0.0
    for counter in sorted(passed):
        if counter not in written:
            run += 1
            continue
        least, most = (before - NEAR_SECONDS) * 1000, (passed[counter] + NEAR_SECONDS) * 1000
        if run and before and not any(least <= at <= most for at in shown):
            found.append(f"{run} packets before {counter}, at {passed[counter]:.3f}")
        run, before = 0, passed[counter]
    return found


def sensor_lost(sensor: Sensor) -> dict[str, int]:
    """File name -> packets of every chunk that the sensor's journal calls lost."""
    return {
        str(path).rpartition("/")[2]: int(packets)
        for path, packets in sensor.rows("SELECT path, packets FROM chunks WHERE state = 'lost'")
    }


def _cut_off(sensor: Sensor) -> int:
    """How many packets the sensor's journal calls lost of chunks of which it could ship the beginning."""
    return sum(int(packets) for (packets,) in sensor.rows(f"SELECT packets FROM losses WHERE reason = '{SHORTENED}'"))


def _lost_by_truncation(sensor: Sensor, made: Account) -> set[int]:
    """The counters of chunks that were truncated and are said to be lost, or their ends."""
    lost = sensor_lost(sensor)
    made.lost_chunks = sorted(lost)
    cut = {str(path).rpartition("/")[2] for (path,) in sensor.rows("SELECT path FROM chunks WHERE truncated")}
    cut |= lost.keys()
    return {counter for each in sensor.witness.truncations if each.name in cut for counter in each.counters}


def _compare_sums(made: Account, expected: Counter[int], summed: Counter[int]) -> None:
    for port in sorted(expected.keys() | summed.keys()):
        if expected[port] != summed[port]:
            made.wrong_sums.append(f"port {port}: search {summed[port]}, export {expected[port]}")


def _look_at_chunks(world: World, sensor: Sensor, made: Account) -> None:
    """Numbers that the collector has not must be those of chunks the journal calls lost; a lost one may have landed."""
    known = {row[0] for row in world.catalog(f"SELECT sequence FROM chunks WHERE sensor = '{sensor.name}'")}
    rows = sensor.rows("SELECT sequence, state FROM chunks")
    made.chunks = len(known)
    made.missing_numbers = sorted({number for number, state in rows if state != "lost"} - known)
    made.missing_numbers += sorted(known - {number for number, _ in rows})


__all__ = ["Account", "Verdict", "counters", "judge"]
