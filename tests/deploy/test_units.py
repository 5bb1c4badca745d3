"""systemd itself finds no fault with the sensor's unit, and rates what it may do."""

from __future__ import annotations

from pathlib import Path

from tests.systemd import assert_sound_and_confined

from hayrick_deploy.units import unit


def test_the_unit_is_sound_and_confined(tmp_path: Path) -> None:
    text = unit("systemd", "/var/lib/hayrick/sensor")[1].replace("/opt/hayrick/current/bin/hayrick", "/bin/true")
    assert_sound_and_confined(tmp_path / "hayrick-sensor.service", text)
