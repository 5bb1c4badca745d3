"""The facts of a stream out of the catalog, by indices only: as fast with a million chunks as with a thousand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from hayrick_collector.coverage.facts import Facts, Piece
from hayrick_collector.coverage.heartbeats import Drop, Launch, Lost, mapping, number
from hayrick_common.errors import UsageError

MOST_CHUNKS = 100_000
PAUSE_MS = 5_000  # a longer one without packets is told as quiet
_LONGEST_CHUNK_MS = 2 * 86_400_000

Read = Callable[..., list[tuple[Any, ...]]]

_PIECES = """
SELECT sequence, starts_ms, ends_ms,
    iif(packets_removed_at IS NULL OR json_extract(meta, '$.content') = 'records', state, 'packets_removed') AS state,
    coalesce(packets, json_extract(meta, '$.packets'), 0), coalesce(json_extract(meta, '$.gap_ms'), 0),
    coalesce(error, '') FROM chunks WHERE sensor = ?1 AND stream = ?2 AND {0}
UNION ALL SELECT sequence, starts_ms, ends_ms, 'removed', coalesce(packets, 0), 0, 'removed by ' || why FROM removed
    WHERE sensor = ?1 AND stream = ?2 AND {0} ORDER BY sequence {1} LIMIT {2}
"""


def streams(read: Read) -> list[tuple[str, str]]:
    """(sensor, stream) of every stream that was heard of or had a chunk, by name."""
    found = {(sensor, stream) for sensor, stream in read("SELECT sensor, stream FROM streams")}
    for name, heartbeat in read("SELECT name, heartbeat FROM sensors WHERE heartbeat IS NOT NULL"):
        found.update((name, str(stream)[:64]) for stream in mapping(json.loads(heartbeat).get("streams")))
    return sorted(found)


def facts(read: Read, sensor: str, stream: str, start_ms: int, stop_ms: int, *, now_ms: int) -> Facts:
    """All that is known of a stream between two times; `now_ms` is the collector's. Raises UsageError when the stream
    has more than 100,000 chunks then."""
    who = (sensor, stream)
    seen = read("SELECT last_seen, heartbeat FROM sensors WHERE name = ?", (sensor,))
    report = json.loads(seen[0][1]) if seen and seen[0][1] else {}
    mine = mapping(mapping(report.get("streams")).get(stream))
    skew = report.get("clock_skew_ms")
    skew = skew if isinstance(skew, int) else 0
    highest = read("SELECT highest FROM streams WHERE sensor = ? AND stream = ?", who)
    return Facts(
        sensor,
        stream,
        now_ms + skew,
        pieces=list(_pieces(read, who, start_ms, stop_ms)),
        launches=_launches(read, who, start_ms, stop_ms),
        drops=[Drop(stream, *row) for row in read(_DROPS, (*who, start_ms, stop_ms))],
        lost=[
            Lost(stream, *row) for row in read(_LOST, (*who, start_ms - _LONGEST_CHUNK_MS, stop_ms + _LONGEST_CHUNK_MS))
        ],
        highest=highest[0][0] if highest else 0,
        heard_ms=round((seen[0][0] or 0) * 1000) + skew if mine else 0,
        next_sequence=number(mine.get("next_sequence")),
        backlog_chunks=number(mine.get("backlog_chunks")),
        oldest_ms=number(mine.get("oldest_ms")),
    )


_DROPS = """SELECT minute, start_ms, stop_ms, dropped, interface_dropped FROM drops WHERE sensor = ?1 AND stream = ?2
AND minute BETWEEN ?3 / 60000 - 1 AND ?4 / 60000 + 1440 AND stop_ms > ?3 AND start_ms < ?4 ORDER BY minute"""
_LOST = """SELECT at_ms, first_ms, last_ms, chunks, packets, reason FROM lost
WHERE sensor = ?1 AND stream = ?2 AND last_ms >= ?3 AND first_ms < ?4 ORDER BY first_ms"""
_LAUNCHES = """SELECT launch, started_ms, stopped_ms, captured, received, dropped, interface_dropped, lost, why,
heard_ms FROM launches WHERE sensor = ? AND stream = ? ORDER BY started_ms"""


def _launches(read: Read, who: tuple[str, str], start_ms: int, stop_ms: int) -> list[Launch]:
    """The launches of the time, with one before and one after."""
    found = [Launch(who[1], *row) for row in read(_LAUNCHES, who)]
    first = max((index for index, each in enumerate(found) if each.started_ms <= start_ms), default=0)
    last = min((index for index, each in enumerate(found) if each.started_ms >= stop_ms), default=len(found))
    return found[max(first - 1, 0) : last + 1]


def _pieces(read: Read, who: tuple[str, str], start_ms: int, stop_ms: int) -> Iterator[Piece]:
    within = "ends_ms BETWEEN ?3 AND ?4 AND starts_ms < ?5"
    times = (start_ms, stop_ms + _LONGEST_CHUNK_MS, stop_ms)
    rows = read(_PIECES.format(within, "", MOST_CHUNKS + 1), (*who, *times))
    if len(rows) > MOST_CHUNKS:
        raise UsageError(f"more than {MOST_CHUNKS} chunks of {who[0]}/{who[1]} are of that time: ask for a shorter one")
    before = _before(read, who, start_ms, rows)
    reached = rows[-1][0] if rows else before[0][0] if before else 0
    after = read(_PIECES.format("sequence > ?3", "", 1), (*who, reached))
    return _joined((*before, *rows, *after))


def _joined(rows: Iterable[tuple[Any, ...]]) -> Iterator[Piece]:
    """Neighbours in the same state with hardly a pause between them as one piece: a day is a handful of them."""
    run: list[Any] = []
    for sequence, start, stop, state, packets, gap, reason in rows:
        joins = run and sequence == run[0] + run[7] and state == run[3] and reason == run[6] and not gap
        if joins and start and 0 <= start - run[2] < PAUSE_MS:
            run[2], run[4], run[7] = max(run[2], stop), run[4] + packets, run[7] + 1
            continue
        if run:
            yield Piece(*run)
        run = [sequence, start, stop, state, packets, gap, reason, 1]
    if run:
        yield Piece(*run)


def _before(read: Read, who: tuple[str, str], start_ms: int, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    if rows:
        return read(_PIECES.format("sequence < ?3", "DESC", 1), (*who, rows[0][0]))
    last = read(
        "SELECT max(ends) FROM (SELECT max(ends_ms) AS ends FROM chunks WHERE sensor = ?1 AND stream = ?2"
        " AND ends_ms < ?3 UNION ALL"
        " SELECT max(ends_ms) FROM removed WHERE sensor = ?1 AND stream = ?2 AND ends_ms < ?3)",
        (*who, start_ms),
    )
    if last[0][0] is None:
        return []
    return read(_PIECES.format("ends_ms = ?3", "DESC", 1), (*who, last[0][0]))
