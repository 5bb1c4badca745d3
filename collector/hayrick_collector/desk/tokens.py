"""API tokens: for programs, each with a role, a time to end at, and perhaps a user whose limits it has too."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass

from hayrick_collector.desk.issued import Issued
from hayrick_collector.desk.logins import digest
from hayrick_collector.desk.people import GIVEN, ROLES, Person, Role
from hayrick_common.clock import epoch_ms
from hayrick_common.errors import UsageError

STEPS = (
    """
CREATE TABLE tokens (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, owner TEXT NOT NULL, role TEXT NOT NULL, digest TEXT NOT NULL UNIQUE,
    created_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, used_ms INTEGER
) STRICT;
CREATE INDEX tokens_by_owner ON tokens (owner);
""",
)
PREFIX = "hayrick_"
DAY_MS = 86_400_000
MOST_DAYS = 3650
_USED_EVERY_MS = 60_000


@dataclass(frozen=True, slots=True)
class Token:
    """`owner`: the user it acts for, with no more than that user's role and sessions; empty: for nobody."""

    id: int
    name: str
    owner: str
    role: Role
    created_ms: int
    until_ms: int
    used_ms: int | None


class Tokens(Issued[Token]):
    """The API tokens of one desk."""

    table, one = "tokens", "token"

    def given(self, row: sqlite3.Row) -> Token:
        return Token(**{name: row[name] for name in Token.__slots__})

    def add(self, name: str, role: Role, *, owner: str = "", days: float = 90) -> tuple[Token, str]:
        """A new token and its secret, which is told this once. Raises UsageError."""
        if role not in GIVEN or not 0 < days <= MOST_DAYS or not 0 < len(name) <= 100:
            raise UsageError(f"a token has a name, a role ({', '.join(GIVEN)}) and 1 to {MOST_DAYS} days")
        secret, now = PREFIX + secrets.token_urlsafe(32), epoch_ms()
        with self._desk.write() as db:
            number = db.execute(
                "INSERT INTO tokens (name, owner, role, digest, created_ms, until_ms) VALUES (?, ?, ?, ?, ?, ?)",
                (name, owner, role, digest(secret), now, now + round(days * DAY_MS)),
            ).lastrowid
        return self.get(int(number or 0)), secret

    def person(self, secret: str) -> Person | None:
        """Whom the token stands for, None when it is unknown, has ended, or its user may not log in."""
        now = epoch_ms()
        row = self._desk.row(
            "SELECT tokens.*, users.role AS most, expression, disabled FROM tokens"
            " LEFT JOIN users ON users.name = owner WHERE digest = ? AND until_ms > ?",
            (digest(secret), now),
        )
        if row is None or row["disabled"] or (row["owner"] and row["most"] is None):
            return None
        if now - (row["used_ms"] or 0) > _USED_EVERY_MS:
            with self._desk.write() as db:
                db.execute("UPDATE tokens SET used_ms = ? WHERE id = ?", (now, row["id"]))
        role = min(row["role"], row["most"] or row["role"], key=ROLES.index)
        return Person(row["owner"] or f"token:{row['name']}", role, row["expression"] or "", how="token")
