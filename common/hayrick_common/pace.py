"""How much may be under way on a line at once: what is sent last must come within seconds, however slow the line is,
or heartbeats that queue behind it come too late, both ends take the other for gone, and nothing is ever finished.

Pure; the caller brings the time. A line is known only by how long what was sent on it takes.
"""

from __future__ import annotations

from dataclasses import dataclass

QUICK_MS = 1_000
SLOW_MS = 5_000
PIECES = 4  # of the credit; so that a line is not idle while the answer to one is under way


@dataclass
class Pace:
    """`credit` is how many bytes may be under way, `piece` how many of them are sent as one. Bytes, milliseconds."""

    least: int
    most: int
    piece_most: int
    credit: int = 0
    slowed_ms: int = 0

    def __post_init__(self) -> None:
        self.credit = self.credit or PIECES * self.least

    @property
    def piece(self) -> int:
        """Bytes of the next piece."""
        return min(self.piece_most, max(self.least, self.credit // PIECES))

    def room(self, under_way: int) -> bool:
        """Whether another piece may go; one always may."""
        return not under_way or under_way + self.piece <= self.credit

    def came(self, size: int, sent_ms: int, now_ms: int) -> None:
        """So many bytes have come that were sent then."""
        if now_ms - sent_ms <= QUICK_MS:
            self.credit = min(self.most, self.credit + size)
        elif now_ms - sent_ms > SLOW_MS and sent_ms >= self.slowed_ms:  # what went before was sent at the old pace
            self.slower(now_ms)

    def slower(self, now_ms: int) -> None:
        """Nothing came for too long."""
        self.credit, self.slowed_ms = max(self.least, self.credit // 2), now_ms
