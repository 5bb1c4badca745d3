"""What is known of each start of tcpdump, also once it or the sensor was killed: when, how many, why it ended."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hayrick_sensor.tcpdump import Counts

RING_MS = 1000  # what the kernel may hold for a tcpdump that is killed


@dataclass(frozen=True)
class Launch:
    """One start of tcpdump. Times are epoch milliseconds; `stopped_ms` is 0 while it runs.

    `seen_ms` is when it was last known to run, `gap_ms` for how long nothing had captured before it started, `lost`
    how many packets the kernel had for it that it did not write, `sure_ms` until when all it was given is written.
    """

    stream: str
    launch: str
    started_ms: int
    stopped_ms: int = 0
    seen_ms: int = 0
    gap_ms: int = 0
    counts: Counts = field(default_factory=Counts)
    lost: int = 0
    sure_ms: int = 0
    why: str = ""

    def seen(self, now_ms: int, counts: Counts) -> Launch:
        """Still there; counts never fall, since tcpdump may not have said any for a while."""
        return replace(self, seen_ms=max(now_ms, self.seen_ms), counts=self.counts.at_least(counts))

    def ended(
        self,
        now_ms: int,
        why: str,
        written_ms: int,
        *,
        drained: bool = False,
        told: bool = False,
        loopback: bool = False,
    ) -> Launch:
        """It has ended; what it had received and not written is lost, unless it was drained.

        Where it has not `told` its last counts that may be all since `written_ms`, when it last wrote.
        """
        now_ms, counts = max(now_ms, self.started_ms), self.counts
        received = counts.received // 2 if loopback else counts.received  # libpcap leaves out one of two there
        unknown = not (drained or told)
        lost = 0 if drained or unknown else max(0, received - counts.dropped - counts.captured)
        sure = now_ms if drained or not (lost or unknown) else now_ms - RING_MS
        sure = min(sure, written_ms or sure) if unknown else sure
        return replace(self, stopped_ms=now_ms, why=why[:300], lost=lost, sure_ms=sure)

    def gap_from(self) -> int:
        """From when on packets may be missing after it."""
        return self.sure_ms or self.stopped_ms

    def report(self) -> dict[str, int | str]:
        """As it stands in a report."""
        counts = self.counts
        return {
            "launch": self.launch, "started_ms": self.started_ms, "stopped_ms": self.stopped_ms,
            "captured": counts.captured, "received": counts.received, "dropped": counts.dropped,
            "interface_dropped": counts.interface_dropped, "gap_ms": self.gap_ms, "lost": self.lost, "why": self.why,
        }  # fmt: skip
