"""The status in Prometheus' text format: families with help, kind and unit by its conventions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hayrick_collector.coverage.heartbeats import mapping, number
from hayrick_common import __version__

Labels = Mapping[str, str]


@dataclass
class Family:
    """One metric: its samples as (suffix of the name, labels, value)."""

    name: str
    kind: str
    help: str
    samples: list[tuple[str, Labels, float]] = field(default_factory=list)

    def add(self, value: float, suffix: str = "", **labels: str) -> Family:
        """One more sample."""
        self.samples.append((suffix, labels, value))
        return self

    def lines(self) -> Iterator[str]:
        """The family as text; nothing when it has no sample."""
        if self.samples:
            yield f"# HELP {self.name} {self.help}"
            yield f"# TYPE {self.name} {self.kind}"
        for suffix, labels, value in self.samples:
            told = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
            yield f"{self.name}{suffix}{{{told}}} {_number(value)}" if told else f"{self.name}{suffix} {_number(value)}"


def render(status: Mapping[str, Any]) -> str:
    """Every family that the status has something of."""
    families = (*_collector(status), *_ingest(status), *_arrivals(status), *_retention(status), *_sensors(status))
    return "\n".join(line for family in families for line in family.lines()) + "\n"


def _collector(status: Mapping[str, Any]) -> Iterator[Family]:
    totals = status["totals"]
    yield Family("hayrick_build_info", "gauge", "The version that runs.").add(1, version=__version__)
    chunks = Family("hayrick_chunks", "gauge", "Chunks in the catalog by state.")
    for state, count in status["chunks"].items():
        chunks.add(count, state=state)
    yield chunks
    for name in ("packets", "sessions", "bytes"):
        told = Family(f"hayrick_indexed_{name}", "gauge", f"{name.capitalize()} of all indexed chunks.")
        yield told.add(totals[name])
    yield Family("hayrick_disk_free_bytes", "gauge", "Free on the data folder's disk.").add(status["disk"]["free"])
    yield Family("hayrick_disk_size_bytes", "gauge", "Size of the data folder's disk.").add(status["disk"]["total"])
    taking = Family("hayrick_disk_taking", "gauge", "1 while chunks are taken, 0 while the disk is too full for them.")
    yield taking.add(int(status["disk"]["taking"]))
    anomalies = Family("hayrick_anomalies", "gauge", "Anomalies in all indexed chunks by name.")
    for name, count in status["anomalies"].items():
        anomalies.add(count, name=name)
    yield anomalies


def _ingest(status: Mapping[str, Any]) -> Iterator[Family]:
    ingest = status["ingest"]
    yield Family("hayrick_ingest_queue_chunks", "gauge", "Landed chunks that wait to be searchable.").add(
        status["backlog"]
    )
    yield Family("hayrick_ingest_queue_bytes", "gauge", "Bytes of those.").add(status["totals"]["backlog_bytes"])
    yield Family("hayrick_ingest_oldest_waiting_seconds", "gauge", "How long the oldest of them has waited.").add(
        ingest["oldest_waiting_seconds"]
    )
    yield Family("hayrick_store_ok", "gauge", "Whether the store answers and takes sessions.").add(
        int(status["store"]["ok"])
    )
    yield Family("hayrick_ingest_paused", "gauge", "Whether chunks wait because the store takes nothing.").add(
        int(ingest["state"] == "paused")
    )
    yield Family("hayrick_ingest_put_off_total", "counter", "Times that a chunk was put off for that.").add(
        ingest["put_off"]
    )
    yield Family("hayrick_ingest_workers", "gauge", "Worker processes that run.").add(status["workers"])
    told = Family(
        "hayrick_ingest_close_to_searchable_seconds", "histogram", "From a chunk's close at its sensor to searchable."
    )
    for bound, count in ingest["close_to_searchable"]["buckets"]:
        told.add(count, "_bucket", le=bound)
    yield told.add(ingest["close_to_searchable"]["sum"], "_sum").add(ingest["close_to_searchable"]["count"], "_count")


def _arrivals(status: Mapping[str, Any]) -> Iterator[Family]:
    helps = {
        "landing": "What came over ZeroMQ: landed, refused, garbled, stray and the like.",
        "drop": "What came by SFTP.",
        "inbox": "What was dropped into the inbox.",
    }
    for way, events in status["arrivals"].items():
        family = Family(f"hayrick_{way}_events_total", "counter", helps[way])
        for event, count in sorted(events.items()):
            family.add(count, event=event)
        yield family


def _retention(status: Mapping[str, Any]) -> Iterator[Family]:
    for name in ("chunks", "packets", "bytes"):
        told = f"{name.capitalize()} that retention took, by what went (sessions, packets, records, unindexed) and why."
        family = Family(f"hayrick_retention_removed_{name}_total", "counter", told)
        for taken in status["retention"]:
            family.add(taken[name], what=taken["what"], why=taken["why"])
        yield family


def _sensors(status: Mapping[str, Any]) -> Iterator[Family]:
    sensors: Iterable[Mapping[str, Any]] = status["sensors"]
    seen = Family("hayrick_sensor_last_seen_timestamp_seconds", "gauge", "When the sensor last spoke.")
    skew = Family("hayrick_sensor_clock_skew_seconds", "gauge", "The sensor's clock minus the collector's.")
    sent = Family("hayrick_sensor_sent_bytes_total", "counter", "Bytes that the sensor has sent since it started.")
    free = Family("hayrick_sensor_disk_free_bytes", "gauge", "Free on the disk of the sensor's spool.")
    lost = [
        Family(f"hayrick_sensor_lost_{name}_total", "counter", f"{name.capitalize()} given up before they had landed.")
        for name in ("chunks", "packets")
    ]
    for sensor in sensors:
        name, beat = sensor["name"], mapping(sensor["heartbeat"])
        seen.add(sensor["last_seen"] or 0, sensor=name)
        if isinstance(beat.get("clock_skew_ms"), int):
            skew.add(beat["clock_skew_ms"] / 1000, sensor=name)
        sent.add(number(beat.get("bytes_sent")), sensor=name)
        free.add(number(mapping(beat.get("disk")).get("free_bytes")), sensor=name)
        for family, counter in zip(lost, ("lost_chunks", "lost_packets"), strict=True):
            family.add(number(mapping(beat.get("counters")).get(counter)), sensor=name)
    yield from (seen, skew, sent, free, *lost, *_streams(sensors), *_coverage(status))


def _streams(sensors: Iterable[Mapping[str, Any]]) -> Iterator[Family]:
    chunks = Family("hayrick_stream_backlog_chunks", "gauge", "Closed at the sensor and not landed yet.")
    size = Family("hayrick_stream_backlog_bytes", "gauge", "Bytes of those.")
    packets = Family("hayrick_stream_capture_packets_total", "counter", "Packets by tcpdump's own counts.")
    missing = Family("hayrick_stream_missing_chunks", "gauge", "Numbers of chunks that never landed.")
    for sensor in sensors:
        for name, stream in mapping(mapping(sensor["heartbeat"]).get("streams")).items():
            who = {"sensor": sensor["name"], "stream": str(name)}
            chunks.add(number(mapping(stream).get("backlog_chunks")), **who)
            size.add(number(mapping(stream).get("backlog_bytes")), **who)
            for outcome, count in mapping(mapping(mapping(stream).get("capture")).get("packets")).items():
                packets.add(number(count), **who, outcome=str(outcome))
        for name, ranges in sensor["gaps"].items():
            missing.add(sum(last - first + 1 for first, last in ranges), sensor=sensor["name"], stream=name)
    yield from (chunks, size, packets, missing)


def _coverage(status: Mapping[str, Any]) -> Iterator[Family]:
    states = Family("hayrick_stream_day_seconds", "gauge", "The last 24 hours of the stream by state.")
    gaps = Family("hayrick_stream_day_gaps", "gauge", "Stretches of the last 24 hours that were not seen whole.")
    for stream in status["coverage"]:
        who = {"sensor": stream["sensor"], "stream": stream["stream"]}
        for state, length in stream["states"].items():
            states.add(length / 1000, **who, state=state)
        holes = [gap for gap in stream["gaps"] if not gap["waiting"] and gap["state"] != "unknown"]
        gaps.add(len(holes) + stream["gaps_left_out"], **who)
    yield from (states, gaps)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(float(value))


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
