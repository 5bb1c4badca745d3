"""The catalog's tables, and how a catalog of an older version becomes one of this.

What would take a scan of all chunks (totals, missing numbers, anomalies) is kept beside them by triggers, so that a
million chunks are asked as fast as a thousand. docs/FORMAT.md says what each table holds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from hayrick_common.errors import ConfigError

VERSION = 3

V1 = """
CREATE TABLE chunks (
    key TEXT PRIMARY KEY, sensor TEXT NOT NULL, stream TEXT NOT NULL, sequence INTEGER NOT NULL, sha256 TEXT NOT NULL,
    size INTEGER NOT NULL, original_name TEXT NOT NULL, path TEXT NOT NULL, tags TEXT NOT NULL DEFAULT '[]',
    state TEXT NOT NULL, landed_at REAL NOT NULL, indexed_at REAL, packets INTEGER, sessions INTEGER,
    first_packet INTEGER, last_packet INTEGER, summary TEXT, error TEXT, attempts INTEGER NOT NULL DEFAULT 0,
    owner TEXT, meta TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE INDEX chunks_by_state ON chunks (state, landed_at);
CREATE INDEX chunks_by_stream ON chunks (sensor, stream, sequence);
CREATE TABLE sensors (name TEXT PRIMARY KEY, public_key TEXT, last_seen REAL, heartbeat TEXT) STRICT;
CREATE TABLE forgotten (
    sensor TEXT NOT NULL, stream TEXT NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (sensor, stream)
) STRICT;
"""

_V2 = """
ALTER TABLE chunks ADD COLUMN starts_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE chunks ADD COLUMN ends_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE chunks ADD COLUMN packets_removed_at REAL;
UPDATE chunks SET
    starts_ms = coalesce(nullif(json_extract(meta, '$.first_ms'), 0), first_packet, 0),
    ends_ms = coalesce(nullif(json_extract(meta, '$.last_ms'), 0), last_packet, 0);
DROP INDEX chunks_by_state;
CREATE INDEX chunks_by_state ON chunks (state, landed_at, key);
CREATE INDEX chunks_by_landing ON chunks (landed_at);
CREATE INDEX chunks_by_time ON chunks (sensor, stream, ends_ms);
CREATE INDEX chunks_by_end ON chunks (state, last_packet);
CREATE INDEX chunks_by_start ON chunks (first_packet);
CREATE INDEX chunks_with_packets ON chunks (last_packet) WHERE state = 'indexed' AND packets_removed_at IS NULL;

CREATE TABLE tally (
    sensor TEXT NOT NULL, stream TEXT NOT NULL, state TEXT NOT NULL, chunks INTEGER NOT NULL, bytes INTEGER NOT NULL,
    packets INTEGER NOT NULL, sessions INTEGER NOT NULL, PRIMARY KEY (sensor, stream, state)
) STRICT, WITHOUT ROWID;
INSERT INTO tally SELECT sensor, stream, state, count(*), sum(size), sum(coalesce(packets, 0)),
    sum(coalesce(sessions, 0)) FROM chunks GROUP BY sensor, stream, state;
CREATE TRIGGER tally_more AFTER INSERT ON chunks BEGIN
    INSERT INTO tally VALUES (new.sensor, new.stream, new.state, 1, new.size, coalesce(new.packets, 0),
        coalesce(new.sessions, 0)) ON CONFLICT (sensor, stream, state) DO UPDATE SET chunks = chunks + 1,
        bytes = bytes + excluded.bytes, packets = packets + excluded.packets, sessions = sessions + excluded.sessions;
END;
CREATE TRIGGER tally_less AFTER DELETE ON chunks BEGIN
    UPDATE tally SET chunks = chunks - 1, bytes = bytes - old.size, packets = packets - coalesce(old.packets, 0),
        sessions = sessions - coalesce(old.sessions, 0)
        WHERE sensor = old.sensor AND stream = old.stream AND state = old.state;
END;
CREATE TRIGGER tally_other AFTER UPDATE OF state, size, packets, sessions ON chunks BEGIN
    UPDATE tally SET chunks = chunks - 1, bytes = bytes - old.size, packets = packets - coalesce(old.packets, 0),
        sessions = sessions - coalesce(old.sessions, 0)
        WHERE sensor = old.sensor AND stream = old.stream AND state = old.state;
    INSERT INTO tally VALUES (new.sensor, new.stream, new.state, 1, new.size, coalesce(new.packets, 0),
        coalesce(new.sessions, 0)) ON CONFLICT (sensor, stream, state) DO UPDATE SET chunks = chunks + 1,
        bytes = bytes + excluded.bytes, packets = packets + excluded.packets, sessions = sessions + excluded.sessions;
END;

CREATE TABLE anomalies (name TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO anomalies SELECT each.key, sum(each.value) FROM chunks, json_each(chunks.summary, '$.anomalies') AS each
    WHERE chunks.summary IS NOT NULL GROUP BY each.key;
CREATE TRIGGER anomalies_other AFTER UPDATE OF summary ON chunks BEGIN
    UPDATE anomalies SET count = count - (SELECT value FROM json_each(old.summary, '$.anomalies') WHERE key = name)
        WHERE name IN (SELECT key FROM json_each(old.summary, '$.anomalies'));
    INSERT INTO anomalies SELECT key, value FROM json_each(new.summary, '$.anomalies') WHERE true
        ON CONFLICT (name) DO UPDATE SET count = count + excluded.count;
END;
CREATE TRIGGER anomalies_less AFTER DELETE ON chunks BEGIN
    UPDATE anomalies SET count = count - (SELECT value FROM json_each(old.summary, '$.anomalies') WHERE key = name)
        WHERE name IN (SELECT key FROM json_each(old.summary, '$.anomalies'));
END;

CREATE TABLE streams (
    sensor TEXT NOT NULL, stream TEXT NOT NULL, highest INTEGER NOT NULL, PRIMARY KEY (sensor, stream)
) STRICT, WITHOUT ROWID;
INSERT INTO streams SELECT sensor, stream, max(sequence) FROM (
    SELECT sensor, stream, sequence FROM chunks WHERE sequence > 0 UNION ALL SELECT * FROM forgotten WHERE sequence > 0
) GROUP BY sensor, stream;
CREATE TABLE missing (
    sensor TEXT NOT NULL, stream TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (sensor, stream, first)
) STRICT, WITHOUT ROWID;
INSERT INTO missing SELECT sensor, stream, before + 1, sequence - 1 FROM (
    SELECT chunks.sensor, chunks.stream, chunks.sequence, max(coalesce(forgotten.sequence, 0),
        lag(chunks.sequence, 1, 0) OVER (PARTITION BY chunks.sensor, chunks.stream ORDER BY chunks.sequence)) AS before
    FROM chunks LEFT JOIN forgotten USING (sensor, stream) WHERE chunks.sequence > 0
) WHERE sequence > before + 1;
DROP TABLE forgotten;

CREATE TABLE removed (
    key TEXT PRIMARY KEY, sensor TEXT NOT NULL, stream TEXT NOT NULL, sequence INTEGER NOT NULL, sha256 TEXT NOT NULL,
    starts_ms INTEGER NOT NULL, ends_ms INTEGER NOT NULL, packets INTEGER, sessions INTEGER, size INTEGER NOT NULL,
    state TEXT NOT NULL, why TEXT NOT NULL, removed_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX removed_by_stream ON removed (sensor, stream, sequence);
CREATE INDEX removed_by_time ON removed (sensor, stream, ends_ms);
CREATE TABLE retention (
    what TEXT NOT NULL, why TEXT NOT NULL, chunks INTEGER NOT NULL, packets INTEGER NOT NULL, bytes INTEGER NOT NULL,
    first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, PRIMARY KEY (what, why)
) STRICT, WITHOUT ROWID;

CREATE TABLE launches (
    sensor TEXT NOT NULL, stream TEXT NOT NULL, launch TEXT NOT NULL, started_ms INTEGER NOT NULL,
    stopped_ms INTEGER NOT NULL, captured INTEGER NOT NULL, received INTEGER NOT NULL, dropped INTEGER NOT NULL,
    interface_dropped INTEGER NOT NULL, lost INTEGER NOT NULL, why TEXT NOT NULL, heard_ms INTEGER NOT NULL,
    PRIMARY KEY (sensor, stream, launch)
) STRICT, WITHOUT ROWID;
CREATE TABLE drops (
    sensor TEXT NOT NULL, stream TEXT NOT NULL, minute INTEGER NOT NULL, start_ms INTEGER NOT NULL,
    stop_ms INTEGER NOT NULL, dropped INTEGER NOT NULL, interface_dropped INTEGER NOT NULL,
    PRIMARY KEY (sensor, stream, minute)
) STRICT, WITHOUT ROWID;
CREATE TABLE lost (
    sensor TEXT NOT NULL, stream TEXT NOT NULL, at_ms INTEGER NOT NULL, first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL, chunks INTEGER NOT NULL, packets INTEGER NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (sensor, stream, at_ms, first_ms)
) STRICT, WITHOUT ROWID;
"""

_V3 = """
CREATE INDEX chunks_by_indexing ON chunks (indexed_at, key) WHERE state = 'indexed';
"""


def prepare(db: sqlite3.Connection) -> None:
    """Make the tables, or bring an older catalog to this version, in one transaction. Raises ConfigError for a newer
    one. `db` is in autocommit mode."""
    if _version(db) == VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        version = _version(db)
        if version > VERSION:
            raise ConfigError(f"the catalog has version {version}, this Hayrick knows {VERSION}: update it")
        for step in (V1, _V2, _V3)[version:]:
            for statement in _statements(step):
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
