"""The status in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def render(status: Mapping[str, Any]) -> str:
    """One sample a line, each family with its type."""
    return "\n".join(_lines(status)) + "\n"


def _lines(status: Mapping[str, Any]) -> Iterator[str]:
    yield "# TYPE hayrick_chunks gauge"
    for state, count in status["chunks"].items():
        yield f'hayrick_chunks{{state="{state}"}} {count}'
    totals = status["totals"]
    for name in ("packets", "sessions", "bytes", "backlog_bytes"):
        yield f"# TYPE hayrick_{name} gauge"
        yield f"hayrick_{name} {totals[name]}"
    for name in ("free", "total"):
        yield f"# TYPE hayrick_disk_{name}_bytes gauge"
        yield f"hayrick_disk_{name}_bytes {status['disk'][name]}"
    yield "# TYPE hayrick_anomalies gauge"
    for name, count in status["anomalies"].items():
        yield f'hayrick_anomalies{{name="{_escaped(name)}"}} {count}'
    yield "# TYPE hayrick_sensor_last_seen_seconds gauge"
    for sensor in status["sensors"]:
        yield f'hayrick_sensor_last_seen_seconds{{sensor="{_escaped(sensor["name"])}"}} {sensor["last_seen"] or 0}'


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
