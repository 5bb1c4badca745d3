"""Asking a sensor for packets, and why some cannot be asked: the answer names what the operator can change."""

from __future__ import annotations

from hayrick_collector.catalog import Catalog
from hayrick_collector.ondemand.elsewhere import Pull
from hayrick_collector.ondemand.ranges import Range
from hayrick_common.errors import PacketsAwayError

BY_SFTP = "sftp"  # `transport` in a sensor's report


class Asking:
    """A `Pull` over the landing, or None where sensors cannot dial this collector."""

    def __init__(self, catalog: Catalog, landing: Pull | None) -> None:
        self._catalog, self._landing = catalog, landing

    async def __call__(self, sensor: str, key: str, ranges: list[Range]) -> bytes:
        """Raises PacketsAwayError."""
        if self._catalog.told(sensor, "transport") == BY_SFTP:
            raise PacketsAwayError(
                f"they are kept on sensor {sensor}, which delivers by SFTP and so cannot be asked for packets:"
                " take them from its ring on the host, or let it ship over ZeroMQ"
            )
        if self._landing is None:
            raise PacketsAwayError(
                f"they are kept on sensor {sensor}, and no sensor can dial this collector (landing.listen is empty)"
            )
        return await self._landing(sensor, key, ranges)
