"""The features of the desk and their tables. Each feature counts its own versions, so that two can grow at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from hayrick_collector.desk import audit, cases, hunts, lists, logins, notes, schedules, shares, tokens, users, views
from hayrick_common.errors import ConfigError

FEATURES: dict[str, Sequence[str]] = {
    "users": users.STEPS,
    "logins": logins.STEPS,
    "tokens": tokens.STEPS,
    "audit": audit.STEPS,
    "views": views.STEPS,
    "lists": lists.STEPS,
    "notes": notes.STEPS,
    "cases": cases.STEPS,
    "shares": shares.STEPS,
    "hunts": hunts.STEPS,
    "schedules": schedules.STEPS,
}
_VERSIONS = "CREATE TABLE IF NOT EXISTS versions (feature TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT"


def prepare(db: sqlite3.Connection, features: Mapping[str, Sequence[str]]) -> None:
    """Make each feature's tables, or bring older ones to this version, all in one transaction. Raises ConfigError for
    a database that a newer Hayrick wrote. `db` is in autocommit mode."""
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute(_VERSIONS)
        known = dict(db.execute("SELECT feature, version FROM versions").fetchall())
        for feature, steps in features.items():
            _renew(db, feature, known.get(feature, 0), steps)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _renew(db: sqlite3.Connection, feature: str, version: int, steps: Sequence[str]) -> None:
    if version > len(steps):
        raise ConfigError(f"the desk's {feature} have version {version}, this Hayrick knows {len(steps)}: update it")
    if version == len(steps):  # a start writes nothing, which a full disk would refuse
        return
    for step in steps[version:]:
        for statement in _statements(step):
            db.execute(statement)
    db.execute("INSERT OR REPLACE INTO versions VALUES (?, ?)", (feature, len(steps)))


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
