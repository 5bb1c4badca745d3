"""How fast a sensor may ship: a token bucket. Pure; the caller brings the time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Rate:
    """`bytes_per_second` on average, 0 for no limit; a second's worth may go at once.

    What goes may be more than is there: the debt is then waited for, so that a block larger than a second's worth
    goes too.
    """

    bytes_per_second: float = 0.0
    there: float = 0.0
    at: float = 0.0

    def wait(self, now: float) -> float:
        """Seconds until something may go."""
        if self.bytes_per_second <= 0:
            return 0.0
        passed = max(0.0, now - self.at)
        self.at = now
        self.there = min(self.bytes_per_second, self.there + passed * self.bytes_per_second)
        return max(0.0, -self.there / self.bytes_per_second)

    def spend(self, size: int) -> None:
        """So many bytes went."""
        if self.bytes_per_second > 0:
            self.there -= size
