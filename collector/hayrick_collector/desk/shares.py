"""Shares: a link that shows one search, or one session, to whoever has it, read-only and until a time."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass

from hayrick_collector.desk.issued import Issued
from hayrick_collector.desk.logins import digest
from hayrick_collector.desk.people import Person
from hayrick_collector.expression.literal import written
from hayrick_common.clock import epoch_ms
from hayrick_common.errors import UsageError

STEPS = (
    """
CREATE TABLE shares (
    id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, title TEXT NOT NULL,
    expression TEXT NOT NULL, start_ms INTEGER, stop_ms INTEGER, session TEXT NOT NULL, shown TEXT NOT NULL,
    created_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX shares_by_owner ON shares (owner);
""",
)
HOUR_MS = 3_600_000
MOST_HOURS = 24 * 366


@dataclass(frozen=True, slots=True)
class Share:
    """`session`: the id of the one session shown, empty for a search. `expression` and the times (epoch ms): what was
    shared, as the page shows it."""

    id: int
    owner: str
    title: str
    expression: str
    start_ms: int | None
    stop_ms: int | None
    session: str
    created_ms: int
    until_ms: int


class Shares(Issued[Share]):
    """The shares of one desk. What each lets see (`shown`) is settled when it is made: what was asked for, of what its
    owner could see then. Those that ended stay for a month."""

    table, one = "shares", "share"

    def given(self, row: sqlite3.Row) -> Share:
        return Share(**{name: row[name] for name in Share.__slots__})

    def add(
        self,
        person: Person,
        *,
        title: str = "",
        expression: str = "",
        start_ms: int | None = None,
        stop_ms: int | None = None,
        session: str = "",
        hours: float = 24,
    ) -> tuple[Share, str]:
        """A new share and the secret of its link, which is told this once. Raises UsageError. The expressions must
        have been checked: each parses by itself."""
        if not 0 < hours <= MOST_HOURS:
            raise UsageError(f"a share ends after some hours, {MOST_HOURS} at most")
        secret, now = secrets.token_urlsafe(24), epoch_ms()
        limits = [expression, person.expression, f"id == {written(session)}" if session else ""]
        shown = " && ".join(f"({each})" for each in limits if each.strip())
        row = (digest(secret), person.name, title, expression, *person.within(start_ms, stop_ms))
        with self._desk.write() as db:
            db.execute("DELETE FROM shares WHERE until_ms < ?", (now - 30 * 24 * HOUR_MS,))
            number = db.execute(
                "INSERT INTO shares (digest, owner, title, expression, start_ms, stop_ms, session, shown, created_ms,"
                " until_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, session, shown, now, now + round(hours * HOUR_MS)),
            ).lastrowid
        return self.get(int(number or 0)), secret

    def opened(self, secret: str) -> tuple[Share, Person] | None:
        """What a link shows, and who asks by it; None when it has ended or its owner's account is gone or closed."""
        row = self._desk.row(
            "SELECT * FROM shares WHERE digest = ? AND until_ms > ?"
            " AND NOT EXISTS (SELECT 1 FROM users WHERE name = owner AND disabled)",
            (digest(secret), epoch_ms()),
        )
        if row is None:
            return None
        share = self.given(row)
        limits = {"expression": row["shown"], "start_ms": share.start_ms, "stop_ms": share.stop_ms}
        return share, Person(f"share:{share.id}", "shared", **limits, how="share")
