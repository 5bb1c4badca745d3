"""Who asks: a name, a role, and the sessions that this person may see at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["shared", "viewer", "packets", "tagger", "admin"]
"""From the least to the most: `shared` reads what one link shows, `viewer` searches and reads sessions, `packets` gets
packets too, `tagger` changes tags, notes and cases, `admin` does everything. Each may what those before it may."""
How = Literal["local", "password", "token", "oidc", "proxy", "share"]
ROLES: tuple[Role, ...] = get_args(Role)
GIVEN: tuple[Role, ...] = ROLES[1:]


def as_role(word: str) -> Role:
    """The role of that name, which is one of them."""
    return next(role for role in ROLES if role == word)


@dataclass(frozen=True, slots=True)
class Person:
    """`expression` (and the times, epoch ms) is ANDed to whatever the person asks for; empty: everything is seen.
    `how` tells by what the person was known."""

    name: str
    role: Role
    expression: str = ""
    start_ms: int | None = None
    stop_ms: int | None = None
    how: How = "local"

    def may(self, role: Role) -> bool:
        """Whether the person has this role or one above it."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def within(self, start_ms: int | None, stop_ms: int | None) -> tuple[int | None, int | None]:
        """What of a time range (epoch ms, None is unbounded) the person may see."""
        starts = [each for each in (start_ms, self.start_ms) if each is not None]
        stops = [each for each in (stop_ms, self.stop_ms) if each is not None]
        return max(starts, default=None), min(stops, default=None)

    @property
    def limited(self) -> bool:
        """Whether some sessions are hidden from the person."""
        return bool(self.expression.strip()) or self.start_ms is not None or self.stop_ms is not None


PEER = Person("collectors", "packets", how="token")
"""Any other collector of the cluster."""

LOCAL = Person("local", "admin")
"""Whoever has the data folder, or reaches a collector on loopback that has no accounts yet."""
