"""What a ring's owner wrote again before it was read: known only to lie between a stream's last chunk and its next."""

from __future__ import annotations

from hayrick_sensor import tcpdump
from hayrick_sensor.journal import Journal
from hayrick_sensor.spool import OVERRUN
from hayrick_sensor.spool_events import Lose, Measured


class Gaps:
    """Told of what is missed by `turned` and `lapped`, tells of it once the next chunk is measured."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._turned: dict[str, int] = {}
        self._lapped: dict[str, int] = {}

    def turned(self, stream: str) -> None:
        """The ring turned while no sensor looked."""
        self._turned[stream] = self._journal.last_closed(stream)

    def lapped(self, stream: str) -> None:
        """Files were written again, or deleted, while a sensor looked."""
        self._lapped.setdefault(stream, self._journal.last_closed(stream))

    def before(self, found: Measured) -> int:
        """For how many milliseconds nothing was captured before the file: tcpdump was started anew, or a ring turned
        unseen."""
        if not found.stamp:
            return self._journal.gap_before(found.stream, tcpdump.launch_of(found.source))
        if found.measure is None or not found.measure.packets:
            return 0
        since = self._turned.pop(found.stream, 0)
        return max(0, found.measure.first_ms - since) if since else 0

    def lost_before(self, found: Measured) -> Lose | None:
        """What was missed between the chunk before and this one."""
        if found.stream not in self._lapped or found.measure is None or not found.measure.packets:
            return None
        since = self._lapped.pop(found.stream)
        return Lose(found.stream, 0, since, max(since, found.measure.first_ms), OVERRUN)
