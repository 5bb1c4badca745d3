"""What a schedule does with the sessions it finds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from hayrick_collector.schedules import webhook
from hayrick_collector.tags import check_tags
from hayrick_common.errors import UsageError

Export = Literal["", "ndjson", "pcapng"]
LEAST_SECONDS = 10
MOST_SECONDS = 31 * 86_400


@dataclass(frozen=True, slots=True)
class Action:
    """One or more of: `tags` to give; a `webhook` to tell; a format to `export` in."""

    tags: tuple[str, ...] = ()
    webhook: str = ""
    export: Export = ""

    def check(self, allowed: Iterable[str]) -> None:
        """Raises UsageError when it does nothing, or what it may not."""
        check_tags(self.tags)
        if self.export not in get_args(Export):
            raise UsageError("export is ndjson or pcapng")
        if self.webhook:
            webhook.check(self.webhook, allowed)
        if not (self.tags or self.webhook or self.export):
            raise UsageError("say what the schedule does: tag, tell a webhook, or export")


def check_interval(seconds: int) -> int:
    """Raises UsageError."""
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise UsageError(f"a schedule runs every {LEAST_SECONDS} seconds to {MOST_SECONDS // 86_400} days")
    return seconds
