"""Accounts: names, roles, the sessions each may see, and passwords as argon2 hashes."""

from __future__ import annotations

import re
import sqlite3
import threading
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from hayrick_collector.desk.people import GIVEN, How, Person, Role
from hayrick_common.clock import epoch_ms
from hayrick_common.errors import UsageError

if TYPE_CHECKING:
    from hayrick_collector.desk.database import Desk

STEPS = (
    """
CREATE TABLE users (
    name TEXT PRIMARY KEY, role TEXT NOT NULL, expression TEXT NOT NULL, password TEXT NOT NULL, made_by TEXT NOT NULL,
    disabled INTEGER NOT NULL, created_ms INTEGER NOT NULL, seen_ms INTEGER
) STRICT, WITHOUT ROWID;
""",
)
NAME = re.compile(r"[\w.@+-]{1,64}")
RESERVED = frozenset(("local", "api.token", "share", "collectors"))
LEAST_PASSWORD = 10
MOST_PASSWORD = 1024
_HASHER = PasswordHasher()
_TURN = threading.BoundedSemaphore(2)  # 64 MiB each
_COLUMNS = "name, role, expression, password <> '' AS password, made_by, disabled, created_ms, seen_ms"


@dataclass(frozen=True, slots=True)
class User:
    """`password`: whether there is one. `made_by`: `local` (by an administrator), `oidc` or `proxy` (at first sight).
    Times are epoch ms."""

    name: str
    role: Role
    expression: str
    password: bool
    made_by: How
    disabled: bool
    created_ms: int
    seen_ms: int | None

    def person(self, how: How) -> Person:
        """The user as who asks."""
        return Person(self.name, self.role, self.expression, how=how)


class Users:
    """The accounts of one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def any(self) -> bool:
        """Whether there are accounts at all."""
        return self._desk.row("SELECT 1 FROM users") is not None

    def administered(self) -> bool:
        """Whether somebody can log in as an administrator."""
        return self._desk.row("SELECT 1 FROM users WHERE role = 'admin' AND NOT disabled") is not None

    def all(self) -> list[User]:
        """All, by name."""
        return [_user(row) for row in self._desk.rows(f"SELECT {_COLUMNS} FROM users ORDER BY name")]

    def get(self, name: str) -> User:
        """One. Raises LookupError."""
        row = self._desk.row(f"SELECT {_COLUMNS} FROM users WHERE name = ?", (name,))
        if row is None:
            raise LookupError(f"no user {name[:64]!r}")
        return _user(row)

    def add(
        self, name: str, role: Role, *, expression: str = "", password: str | None = None, made_by: How = "local"
    ) -> User:
        """A new account; without a password it can only be used through OIDC, a proxy or tokens. Raises UsageError."""
        if not may_be_named(name):
            raise UsageError(f"user name {name[:64]!r}: 1 to 64 letters, digits and _ . @ + -, not a reserved one")
        hashed = "" if password is None else _hashed(name, password)
        values = (name, _role(role), expression, hashed, made_by, epoch_ms())
        with self._desk.write() as db:
            try:
                db.execute("INSERT INTO users VALUES (?, ?, ?, ?, ?, 0, ?, NULL)", values)
            except sqlite3.IntegrityError:
                raise UsageError(f"there is a user {name!r} already") from None
        return self.get(name)

    def change(
        self,
        name: str,
        *,
        role: Role | None = None,
        expression: str | None = None,
        password: str | None = None,
        disabled: bool | None = None,
        vouched: bool = False,
    ) -> User:
        """Change what is given. All logins of the user end, except by a change of the expression alone. Raises
        LookupError, and UsageError for the last administrator unless somebody else, who `vouched`, says so."""
        self.get(name)
        given: dict[str, Any] = {"role": _role(role) if role else None, "expression": expression, "disabled": disabled}
        given["password"] = None if password is None else _hashed(name, password)
        changes = {column: value for column, value in given.items() if value is not None}
        with self._desk.write() as db:
            before = _administrators(db)
            for column, value in changes.items():
                db.execute(f"UPDATE users SET {column} = ? WHERE name = ?", (value, name))
            if changes.keys() - {"expression"}:
                db.execute("DELETE FROM logins WHERE name = ?", (name,))
            if not vouched:
                _keep_an_administrator(db, before)
        return self.get(name)

    def remove(self, name: str) -> None:
        """Forget the account with its logins and tokens. Raises LookupError, UsageError."""
        self.get(name)
        with self._desk.write() as db:
            before = _administrators(db)
            db.execute("DELETE FROM logins WHERE name = ?", (name,))
            db.execute("DELETE FROM tokens WHERE owner = ?", (name,))
            db.execute("DELETE FROM users WHERE name = ?", (name,))
            _keep_an_administrator(db, before)

    def verified(self, name: str, password: str) -> User | None:
        """The user whose password this is; takes as long for a name that there is not."""
        row = self._desk.row("SELECT password FROM users WHERE name = ? AND NOT disabled", (name,))
        hashed = row["password"] if row and row["password"] else _dummy()
        if len(password) > MOST_PASSWORD or not _fits(hashed, password) or row is None or not row["password"]:
            return None
        if _HASHER.check_needs_rehash(hashed):
            with self._desk.write() as db:
                db.execute("UPDATE users SET password = ? WHERE name = ?", (_hash(password), name))
        return self.get(name)

    def seen(self, name: str) -> None:
        """Note that the user logged in."""
        with self._desk.write() as db:
            db.execute("UPDATE users SET seen_ms = ? WHERE name = ?", (epoch_ms(), name))


def may_be_named(name: str) -> bool:
    """Whether an account can have the name."""
    return NAME.fullmatch(name) is not None and name not in RESERVED


def _administrators(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM users WHERE role = 'admin' AND NOT disabled").fetchone()[0])


def _keep_an_administrator(db: sqlite3.Connection, before: int) -> None:
    if before and not _administrators(db):
        raise UsageError("this would leave no administrator: give somebody else the role first")


def _user(row: sqlite3.Row) -> User:
    return User(**{**dict(row), "password": bool(row["password"]), "disabled": bool(row["disabled"])})


def _role(role: Role) -> Role:
    if role not in GIVEN:
        raise UsageError(f"role {role!r}: one of {', '.join(GIVEN)}")
    return role


def _hashed(name: str, password: str) -> str:
    if not LEAST_PASSWORD <= len(password) <= MOST_PASSWORD or password.casefold() == name.casefold():
        raise UsageError(f"a password has at least {LEAST_PASSWORD} characters and is not the name")
    return _hash(password)


def _hash(password: str) -> str:
    with _TURN:
        return _HASHER.hash(password.encode("utf-8", "surrogatepass"))


def _fits(hashed: str, password: str) -> bool:
    with _TURN:
        try:
            return _HASHER.verify(hashed, password.encode("utf-8", "surrogatepass"))
        except (Argon2Error, InvalidHashError):
            return False


@cache
def _dummy() -> str:
    return _hash("nobody's password")
