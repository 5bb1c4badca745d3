"""A sensor for people: when it was heard, how far each of its streams is behind, and whatever is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hayrick_collector.cli import coverage, text

_SKEW_WORTH_TELLING_MS = 1000
_MOST_GAPS = 5
_LOSSES = {"lost_chunks": "chunks were given up unshipped because the disk was full", "refused": "offers were refused"}


def lines(
    sensor: dict[str, Any], streams: Sequence[dict[str, Any]] = (), *, now: float, colour: bool = False
) -> Iterator[str]:
    """One sensor of a status: a line of its own, two a stream, one a trouble, one a gap of the last day. `streams` are
    their time lines; `now` is in seconds since 1970."""
    beat = sensor["heartbeat"]
    heard = f"last seen {now - sensor['last_seen']:.0f} s ago" if sensor["last_seen"] else "never seen"
    yield f"sensor     {text.safe(sensor['name'])}: {', '.join((heard, *_told(beat)))}"
    for name, stream in sorted(_mapping(beat.get("streams")).items()):
        yield from _stream(text.safe(name), _mapping(stream))
    if beat.get("link_problem"):
        yield f"  PROBLEM  link: {text.safe(str(beat['link_problem']))}"
    for name, why in _LOSSES.items():
        if count := _number(_mapping(beat.get("counters")).get(name)):
            yield f"  PROBLEM  {count} {why}"
    yield from _gaps(sensor["gaps"])
    for each in streams:
        yield from _coverage(each, colour)


def _told(beat: dict[str, Any]) -> Iterator[str]:
    if beat.get("version"):
        yield f"version {text.safe(str(beat['version']))}"
    if free := _mapping(beat.get("disk")).get("free_bytes"):
        yield f"{text.size(_number(free))} free"
    skew = _number(beat.get("clock_skew_ms"))
    if abs(skew) >= _SKEW_WORTH_TELLING_MS:
        yield f"CLOCK {skew / 1000:+.1f} s off"
    if "bytes_sent" in beat:
        yield f"{text.size(_number(beat['bytes_sent']))} sent"


def _stream(name: str, stream: dict[str, Any]) -> Iterator[str]:
    behind = (
        f"{_number(stream.get('backlog_chunks'))} chunks behind ({text.size(_number(stream.get('backlog_bytes')))})"
    )
    capture = _mapping(stream.get("capture"))
    packets = _mapping(capture.get("packets"))
    dropped = _number(packets.get("dropped")) + _number(packets.get("interface_dropped"))
    counted = f", {_number(packets.get('received'))} packets received, {dropped} dropped" if packets else ""
    yield f"  stream   {name}: {behind}{counted}"
    yield from _records(name, _mapping(stream.get("records")))
    if capture.get("problem"):
        yield f"  PROBLEM  {name}: {text.safe(str(capture['problem']))}"


def _records(name: str, records: dict[str, Any]) -> Iterator[str]:
    """What records saved on the wire, once any were sent; packets would have been compressed as well."""
    if packets := _number(records.get("packet_bytes")):
        sent = _number(records.get("bytes"))
        yield (
            f"  records  {name}: {_number(records.get('chunks'))} chunks, {text.size(sent)} sent instead of "
            f"{text.size(packets)} of packets ({100 * sent / packets:.1f}%)"
        )


def _coverage(stream: dict[str, Any], colour: bool) -> Iterator[str]:
    """The last day of a stream, and what of it was not seen. What is on its way is no gap yet."""
    name = text.safe(stream["stream"])
    yield f"  last 24h {name}: {coverage.summary(stream)}"
    gaps = [gap for gap in stream["gaps"] if not gap["waiting"] and gap["state"] != "unknown"]
    for gap in gaps[-_MOST_GAPS:]:
        line = f"  GAP      {name}: {coverage.gap_words(gap)}"
        yield f"{coverage.RED}{line}{coverage.PLAIN}" if colour else line
    if more := len(gaps[:-_MOST_GAPS]) + stream["gaps_left_out"]:
        yield f"  GAP      {name}: and {more} more: `hayrick coverage {text.safe(stream['sensor'])}/{name}` lists them"


def _gaps(gaps: dict[str, list[tuple[int, int]]]) -> Iterator[str]:
    for stream, ranges in gaps.items():
        if ranges:
            shown = ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in ranges[:10])
            more = f" and {len(ranges) - 10} more ranges" if len(ranges) > 10 else ""
            yield f"  MISSING  {text.safe(stream)}: chunks {shown}{more} never arrived"


def _mapping(value: Any) -> dict[str, Any]:
    """A heartbeat comes from another machine and perhaps another version: what is not a mapping is an empty one."""
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
