"""The sensor's part of `hayrick doctor`: interfaces, what spoils captures, drops, the spool, the collector."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hayrick_common import host, programs
from hayrick_common.doctor import Finding, finding
from hayrick_common.errors import HayrickError
from hayrick_sensor import ethtool, tcpdump
from hayrick_sensor.config import MEGABYTE, SensorSettings, StreamSettings, load_sensor_settings
from hayrick_sensor.layout import Layout
from hayrick_sensor.links import AnyLink, open_link
from hayrick_sensor.shipper_events import Connected, Rejected

REACH_SECONDS = 8.0
SSH_PORT = 22
BUFFER_BYTES = 2 << 20  # libpcap's own, without -B
BUFFER_SECONDS = 0.05  # a tcpdump that waits for the disk no longer than this loses nothing
FAST = 1e9 / 8  # bytes a second from which that matters
DROPPED_SHARE = 0.001
SKEW_MS = 1_000


def findings(path: Path) -> Iterator[Finding]:
    """Look at the sensor whose settings these are."""
    settings = load_sensor_settings(path)
    yield finding("settings", f"sensor {settings.name}, {len(settings.streams)} stream(s), by {path}")
    report = _report(settings)
    yield _tcpdump()
    for stream in settings.streams:
        if stream.interface:
            yield from _interface(stream)
        yield from _captured(stream.name, report.get("streams", {}).get(stream.name, {}))
    yield host.clock()
    yield from _spool(settings)
    yield from _collector(settings, report)


def _report(settings: SensorSettings) -> dict[str, Any]:
    """The sensor's last words of itself; nothing where it has not run yet."""
    with contextlib.suppress(OSError, ValueError):
        told = json.loads(Layout(settings.spool).status.read_text())
        return told if isinstance(told, dict) else {}
    return {}


def _tcpdump() -> Finding:
    found = programs.find("tcpdump")
    return finding("tcpdump", found or "is not installed", bad="" if found else "install the package tcpdump")


def _interface(stream: StreamSettings) -> Iterator[Finding]:
    name = stream.interface
    if name == "any" or not ethtool.exists(name):
        missing = "" if name == "any" else "name one that is there (`ip link`) in the stream's settings"
        yield finding(f"interface {name}", "all interfaces" if name == "any" else "is not there", bad=missing)
        return
    if not ethtool.up(name):
        yield finding(f"interface {name}", "is down", bad=f"ip link set {name} up")
    elif not ethtool.carrier(name):
        yield finding(f"interface {name}", "is up, nothing at its other end", bad="look at the cable or mirror port")
    else:
        speed = ethtool.speed(name)
        yield finding(f"interface {name}", f"up, {speed * 8 / 1e9:g} Gbit/s" if speed else "up")
    yield from _offloads(name)
    yield _ring(name)
    yield _buffer(stream)


def _offloads(name: str) -> Iterator[Finding]:
    """What makes of the packets on the wire others before tcpdump sees them."""
    on = [each for each, is_on in ethtool.offloads(name).items() if is_on]
    joined = [each for each in ("gro", "lro") if each in on]
    told = f"offloads {name}"
    if joined:
        advice = f"ethtool -K {name} {' '.join(f'{each} off' for each in joined)}"
        words = f"{' and '.join(joined)} on: packets that come in are joined before they are captured"
        yield finding(told, words, bad=advice)
    sent = [each for each in ("tso", "gso", "tx") if each in on]
    if sent:
        words = f"{', '.join(sent)} on: what this host itself sends is captured whole and with wrong checksums"
        advice = f"on a host whose own traffic matters: ethtool -K {name} {' '.join(f'{each} off' for each in sent)}"
        yield finding(told, words, warn=advice)
    if not joined and not sent:
        yield finding(told, "none that changes what is captured")


def _ring(name: str) -> Finding:
    ring = ethtool.ring(name)
    if ring is None:
        return finding(f"ring {name}", "has none of its own")
    now, most = ring
    advice = f"ethtool -G {name} rx {most}" if now < most else ""
    return finding(f"ring {name}", f"{now} of {most} packets", warn=advice)


def _buffer(stream: StreamSettings) -> Finding:
    """The kernel's buffer between interface and tcpdump, against what the link can bring."""
    speed, size = ethtool.speed(stream.interface), _buffer_bytes(stream.extra)
    said = f"{size / MEGABYTE:.0f} MB for tcpdump"
    if speed:
        said += f", {1000 * size / speed:.0f} ms at the full speed of {stream.interface}"
    if speed >= FAST and size < speed * BUFFER_SECONDS:
        wanted = math.ceil(speed * BUFFER_SECONDS / 1024)
        return finding(f"buffer {stream.interface}", said, warn=f'extra = ["-B", "{wanted}"] in stream {stream.name}')
    return finding(f"buffer {stream.interface}", said)


def _buffer_bytes(extra: list[str]) -> int:
    for number, argument in enumerate(extra):
        told = argument.removeprefix("-B") or (extra[number + 1] if number + 1 < len(extra) else "")
        if argument.startswith("-B") and told.isdigit():
            return int(told) * 1024
    return BUFFER_BYTES


def _captured(name: str, stream: dict[str, Any]) -> Iterator[Finding]:
    """How the running tcpdump does, by the sensor's report."""
    capture = stream.get("capture")
    if not capture:
        return
    if capture["problem"]:
        advice = _advice(capture["problem"])
        yield finding(f"capture {name}", f"tcpdump: {capture['problem']}", bad=advice)
    counts = tcpdump.Counts(**capture["packets"])
    lost = counts.dropped + counts.interface_dropped
    said = f"{counts.captured:,} packets captured, {counts.dropped:,} dropped by the kernel"
    said += f", {counts.interface_dropped:,} by the interface"
    much = lost > DROPPED_SHARE * max(1, counts.received)
    advice = "a larger buffer (-B in extra), a filter, a smaller snaplen, a faster disk" if lost else ""
    yield finding(f"drops {name}", said, bad=advice if much else "", warn=advice)


def _advice(problem: str) -> str:
    if "permi" in problem.lower():
        return "give the sensor CAP_NET_RAW (the unit does), or run it as root"
    return "mend what it says; `tcpdump -i INTERFACE FILTER` by hand shows the same"


def _spool(settings: SensorSettings) -> Iterator[Finding]:
    spool = settings.spool
    if not spool.is_dir():
        yield finding("spool", f"{spool} is not there", bad=f"hayrick sensor keygen makes {spool} and the keys")
        return
    yield from host.owned(spool, [Layout(spool).journal, Layout(spool).status, settings.keys_folder])
    yield host.room("spool", spool, settings.keep_free_megabytes * MEGABYTE)
    yield _rings(settings)
    need = sum(ethtool.speed(each.interface) for each in settings.streams if ethtool.exists(each.interface))
    yield host.disk_speed(spool, need)


def _rings(settings: SensorSettings) -> Finding:
    wanted = sum(each.ring_megabytes for each in settings.streams if each.owned) * MEGABYTE
    size = shutil.disk_usage(settings.spool).total - settings.keep_free_megabytes * MEGABYTE
    said = f"{wanted / 1e9:.1f} GB of chunks may be kept"
    advice = f"the disk holds {size / 1e9:.1f} GB: smaller ring_megabytes, or chunks go before that"
    return finding("rings", said, warn=advice if wanted > size else "")


def _collector(settings: SensorSettings, report: dict[str, Any]) -> Iterator[Finding]:
    address = settings.collector.address
    problem = asyncio.run(_reached(settings))
    advice = "" if not problem else "the address, a firewall, or the collector; its log names keys that it refuses"
    yield finding("collector", f"{address}: {problem or 'answers, and takes this key'}", bad=advice)
    skew = report.get("clock_skew_ms")
    if isinstance(skew, int):
        off = "set both clocks by the same servers (chrony)" if abs(skew) > SKEW_MS else ""
        yield finding("clock skew", f"{skew / 1000:+.3f} s against the collector's clock", warn=off)
    for reason in report.get("complaints", {}).values():
        yield finding("collector", f"refused: {reason}", bad="mend what it says")


async def _reached(settings: SensorSettings) -> str:
    """Dial the collector with this sensor's own keys; what stands in the way, empty when nothing does."""
    try:
        _dialled(settings.collector.address)
        link = open_link(settings)
    except OSError as error:
        return error.strerror or str(error)
    except HayrickError as error:
        return str(error)
    try:
        return await asyncio.wait_for(_answered(link), REACH_SECONDS)  # Python 3.10 has no asyncio.timeout
    except asyncio.TimeoutError:
        return f"no answer in {REACH_SECONDS:.0f} s ({link.problem})"
    finally:
        link.close()


def _dialled(address: str) -> None:
    """Whether anybody listens there at all; OSError says why not."""
    parts = urlsplit(address)
    if parts.hostname:
        port = parts.port or SSH_PORT
        socket.create_connection((parts.hostname, port), REACH_SECONDS).close()


async def _answered(link: AnyLink) -> str:
    async for event in link.events():
        if isinstance(event, Rejected):
            return "it refuses this sensor's key, or its own key is not the one in the settings"
        if isinstance(event, Connected):
            break
    return ""
