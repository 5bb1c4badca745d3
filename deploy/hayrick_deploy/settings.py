"""A host's sensor.toml, made from the inventory and checked by the sensor's own rules before any host is touched."""

from __future__ import annotations

from typing import Any

import tomli_w

from hayrick_common.config import parse_settings
from hayrick_deploy.inventory import Collector, Host
from hayrick_sensor.config import SensorSettings

PATH = "/etc/hayrick/sensor.toml"
_HEAD = "# Written by `hayrick fleet up` from the fleet's inventory: change it there, or it is overwritten.\n"


def render(host: Host, collector: Collector, public_key: str) -> str:
    """The text of the host's sensor.toml; ConfigError where its settings are wrong or incomplete."""
    ours = host.sensor.get("collector", {})
    sftp = ours.get("transport") == "sftp"
    reached: dict[str, Any] = {} if sftp else {"address": collector.address, "public_key": public_key}
    table = {**host.sensor, "name": host.name, "collector": {**reached, **ours}}
    text = _HEAD + "\n" + tomli_w.dumps(table)
    settings(host, text)
    return text


def settings(host: Host, text: str) -> SensorSettings:
    """What the sensor will read in it."""
    return parse_settings(text, SensorSettings, f"hosts.{host.name}: sensor")
