"""How long chunks took from their close at the sensor to searchable, as a histogram of this process."""

from __future__ import annotations

import threading
from bisect import bisect_left
from typing import Any

BOUNDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14400.0)  # seconds


class Latency:
    """Counts by bound. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = [0] * (len(BOUNDS) + 1)
        self._sum = 0.0

    def took(self, seconds: float) -> None:
        """One chunk; a clock that is ahead of ours makes it 0."""
        seconds = max(seconds, 0.0)
        with self._lock:
            self._counts[bisect_left(BOUNDS, seconds)] += 1
            self._sum += seconds

    def report(self) -> dict[str, Any]:
        """`buckets` ([upper bound as text, chunks up to it]), `sum` (seconds), `count`."""
        with self._lock:
            counts, total = list(self._counts), self._sum
        names = [*(f"{bound:g}" for bound in BOUNDS), "+Inf"]
        buckets = [[name, sum(counts[: index + 1])] for index, name in enumerate(names)]
        return {"buckets": buckets, "sum": round(total, 3), "count": sum(counts)}
