"""The way out that the settings name: ZeroMQ or SFTP, alike for the agent; only the one in use is loaded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from hayrick_common import wire
from hayrick_common.keys import read_pair
from hayrick_sensor import shipper_events as ev
from hayrick_sensor.config import SensorSettings


class AnyLink(Protocol):
    """What the agent needs of a transport; `problem` is for the operator, empty when all is well."""

    problem: str
    bytes_sent: int

    def events(self) -> AsyncIterator[ev.Event]:
        """Connections, messages and ticks, for ever."""

    async def send(self, message: wire.Message) -> bool:
        """Send; False when the connection would not take it."""

    def reconnect(self) -> None:
        """Begin with a fresh connection."""

    def close(self) -> None:
        """Let go of everything."""


def open_link(settings: SensorSettings) -> AnyLink:
    """The link, dialling; raises KeyFileError where a key is not as it must be."""
    if settings.collector.transport == "sftp":
        from hayrick_sensor.sftp_link import SftpLink

        return SftpLink(settings.name, settings.collector, settings.shipping.kilobytes_per_second * 1000)
    from hayrick_sensor.link import Link

    keys = read_pair(settings.keys_folder, "sensor")
    return Link(settings.collector.address, settings.collector.key(), keys)
