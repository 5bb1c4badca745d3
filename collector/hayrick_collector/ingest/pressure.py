"""What the ingest queue does while the store takes nothing: pause, try with one chunk, pause for longer.

A pure state machine. Times are seconds by one clock, whichever; the pool brings it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0


class Pressure:
    """From the first sign of a store that does not keep up until a chunk is committed again."""

    def __init__(self, spread: Callable[[float, float], float] = random.uniform) -> None:
        self._spread = spread
        self._pause_s = FIRST_PAUSE_S
        self.since: float | None = None
        self.reason = ""
        self.retry_at = 0.0
        self.put_off = 0

    @property
    def paused(self) -> bool:
        """Whether chunks were refused, and none was taken since: one worker tries, the others wait."""
        return self.retry_at > 0

    def waiting(self, now: float, reason: str) -> None:
        """A worker waits for the store with a chunk in hand."""
        self.since, self.reason = self.since or now, reason

    def refused(self, now: float, reason: str) -> None:
        """The store took nothing for too long: a chunk is put off, and all wait twice as long as the time before."""
        self.waiting(now, reason)
        self.put_off += 1
        self.retry_at = now + self._pause_s * self._spread(0.75, 1.0)
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    def moved(self) -> None:
        """A worker got on with its chunk, or dropped it for reasons of the chunk's own."""
        if not self.paused:
            self.since, self.reason = None, ""

    def served(self) -> None:
        """A chunk was committed."""
        self.since, self.reason, self.retry_at, self._pause_s = None, "", 0.0, FIRST_PAUSE_S

    def as_dict(self) -> dict[str, Any]:
        """For the status: `state` is running, waiting (with chunks in hand) or paused; times as they were given."""
        state = "paused" if self.paused else "running" if self.since is None else "waiting"
        return {
            "state": state,
            "reason": self.reason,
            "since": self.since,
            "retry_at": self.retry_at or None,
            "put_off": self.put_off,
        }
