"""The two clocks, in whole milliseconds: the time of day, which may jump, and one that never does."""

from __future__ import annotations

import time


def epoch_ms() -> int:
    """Milliseconds since 1970, by this host's clock."""
    return time.time_ns() // 1_000_000


def steady_ms() -> int:
    """Milliseconds since some moment; only differences mean anything."""
    return time.monotonic_ns() // 1_000_000
