"""What a sensor says of itself: in heartbeats, and in status.json for `hayrick sensor status`."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hayrick_common import __version__
from hayrick_common.clock import epoch_ms
from hayrick_common.files import write_file
from hayrick_sensor.spool_events import CLOSED, OFFERED

if TYPE_CHECKING:
    from hayrick_sensor.agent import Agent


def build_report(agent: Agent) -> dict[str, Any]:
    """Text, numbers and maps only; docs/FORMAT.md lists the keys."""
    clock = agent.clock
    return {
        "sensor": agent.settings.name,
        "version": __version__,
        "time_ms": epoch_ms(),
        "pid": os.getpid(),
        "online": agent.shipper.online,
        "transport": agent.settings.collector.transport,
        "shipping": {
            "open": agent.shipper.open,
            "windows": list(agent.settings.shipping.windows),
            "kilobytes_per_second": agent.settings.shipping.kilobytes_per_second,
        },
        "link_problem": agent.link.problem,
        "complaints": dict(agent.complaints),
        "clock_skew_ms": clock.skew_ms if clock else None,
        "round_trip_ms": clock.round_trip_ms if clock else None,
        "bytes_sent": agent.link.bytes_sent,
        "disk": {"free_bytes": free_bytes(agent.layout.root), "total_bytes": _total_bytes(agent.layout.root)},
        "counters": {**agent.journal.counters(), **agent.counters},
        "lost": agent.journal.losses(),
        "streams": {each.name: _stream(agent, each.name) for each in agent.settings.streams},
    }


def _stream(agent: Agent, name: str) -> dict[str, Any]:
    mine = [each for each in agent.spool.entries.values() if each.manifest.chunk.stream == name]
    unlanded = [each for each in mine if each.state in (CLOSED, OFFERED)]
    capture = agent.captures.get(name)
    return {
        "backlog_chunks": len(unlanded),
        "backlog_bytes": sum(each.manifest.size for each in unlanded),
        "oldest_ms": min((each.manifest.first_ms for each in unlanded if each.manifest.first_ms), default=0),
        "kept_chunks": len(mine),
        "kept_bytes": sum(each.manifest.size for each in mine),
        "launches": [each.report() for each in agent.journal.launches(name)],
        "records": _records(agent, name),
        "next_sequence": agent.spool.next_sequence.get(name, 1),
        "capture": {
            "pid": capture.pid,
            "problem": capture.problem,
            "restarts": capture.restarts,
            "quiet_cuts": capture.quiet_cuts,
            "packets": asdict(capture.counts()),
        }
        if capture
        else None,
    }


def _records(agent: Agent, name: str) -> dict[str, int] | None:
    """What was shipped in place of how many bytes of packets; None where packets travel."""
    if not agent.records.serves(name):
        return None
    counters = agent.journal.counters()
    return {each: counters.get(f"records_{each}:{name}", 0) for each in ("chunks", "bytes", "packet_bytes")}


def free_bytes(folder: Path) -> int:
    """Bytes that this process may still write there."""
    return shutil.disk_usage(folder).free


def _total_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).total


def write_status(path: Path, report: dict[str, Any]) -> None:
    """Replace status.json."""
    write_file(path, json.dumps(report, indent=1).encode() + b"\n", 0o644)
