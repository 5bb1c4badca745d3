"""Who is logged in: random secrets in browsers' cookies, of which only the SHA-256 is kept."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

from hayrick_collector.desk.people import How, Person
from hayrick_common.clock import epoch_ms

if TYPE_CHECKING:
    from hayrick_collector.desk.database import Desk

STEPS = (
    """
CREATE TABLE logins (
    digest TEXT PRIMARY KEY, name TEXT NOT NULL, how TEXT NOT NULL, address TEXT NOT NULL, created_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX logins_by_name ON logins (name);
""",
)


class Logins:
    """The logins of one desk. Each ends at its time, whatever happens meanwhile."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def start(self, name: str, how: How, *, address: str, hours: float) -> str:
        """Log a user in; returns the secret for the cookie. Forgets what has ended."""
        secret, now = secrets.token_urlsafe(32), epoch_ms()
        row = (digest(secret), name, how, address, now, now + round(hours * 3_600_000))
        with self._desk.write() as db:
            db.execute("DELETE FROM logins WHERE until_ms <= ?", (now,))
            db.execute("INSERT INTO logins VALUES (?, ?, ?, ?, ?, ?)", row)
        return secret

    def person(self, secret: str) -> Person | None:
        """Whose login this is, None when it has ended or the user may not log in any more."""
        row = self._desk.row(
            "SELECT users.name, role, expression, how FROM logins JOIN users USING (name)"
            " WHERE digest = ? AND until_ms > ? AND NOT disabled",
            (digest(secret), epoch_ms()),
        )
        return Person(row["name"], row["role"], row["expression"], how=row["how"]) if row else None

    def end(self, secret: str) -> None:
        """Log out."""
        with self._desk.write() as db:
            db.execute("DELETE FROM logins WHERE digest = ?", (digest(secret),))


def digest(secret: str) -> str:
    """What is kept of a secret. It is random and long, so that a fast hash does."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
