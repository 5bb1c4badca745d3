"""How often somebody may ask or guess: small tables in memory that forget, so that nobody can fill them for good."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

MOST_KEYS = 20_000
FORGOTTEN_SECONDS = 3_600.0
MOST_WAIT_SECONDS = 300.0


class Rate:
    """A bucket for each key that holds `per_minute` requests and fills by as many a minute; 0: no limit."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = per_minute
        self._clock = clock
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def wait(self, key: Hashable) -> float:
        """Take one; 0 if there was one, else the seconds until there is."""
        if not self._most:
            return 0.0
        now = self._clock()
        left, since = self._buckets.pop(key, (float(self._most), now))
        left = min(left + (now - since) * self._most / 60, self._most)
        taken = left >= 1
        self._buckets[key] = (left - 1 if taken else left, now)
        _shrink(self._buckets)
        return 0.0 if taken else (1 - left) * 60 / self._most


@dataclass(slots=True)
class _Failures:
    count: int = 0
    until: float = 0.0
    last: float = 0.0


class Guesses:
    """Wrong passwords and the like. Beyond what a key has free, each failure doubles the wait, to five minutes."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[Hashable, _Failures] = OrderedDict()

    def wait(self, keys: Iterable[Hashable]) -> float:
        """Seconds until the next try is looked at, over all keys that it counts for."""
        now = self._clock()
        return max((self._failures[key].until - now for key in keys if key in self._failures), default=0.0)

    def failed(self, keys: Iterable[tuple[Hashable, int]]) -> None:
        """Count a failure for each key; the number is how many it has free."""
        now = self._clock()
        for key, free in keys:
            known = self._failures.pop(key, _Failures())
            if now - known.last > FORGOTTEN_SECONDS:
                known = _Failures()
            known.count, known.last = known.count + 1, now
            if known.count >= free:
                known.until = now + min(2.0 ** min(known.count - free, 20), MOST_WAIT_SECONDS)
            self._failures[key] = known
        _shrink(self._failures)

    def passed(self, key: Hashable) -> None:
        """Forget the failures of a key."""
        self._failures.pop(key, None)


def _shrink(table: OrderedDict[Hashable, Any]) -> None:
    while len(table) > MOST_KEYS:
        table.popitem(last=False)
