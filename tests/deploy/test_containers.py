"""Dockerfiles pass their lint, their settings are settings, and no service of the compose file may more than it must.

No container runs here: what the images install is tested with the Debian packages.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hayrick_collector.config import load_config
from hayrick_sensor.config import load_sensor_settings

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "containers"


@pytest.mark.parametrize("part", ["collector", "sensor"])
def test_dockerfiles_are_sound_and_not_root(part: str) -> None:
    path = FOLDER / f"{part}.Dockerfile"
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, path], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert "\nUSER hayrick\n" in path.read_text()


def test_settings_in_containers_are_settings() -> None:
    assert load_config(FOLDER / "collector.toml").store.urls == ("http://elasticsearch:9200",)
    assert load_sensor_settings(FOLDER / "sensor.toml").spool == Path("/var/lib/hayrick/sensor")


def test_services_are_confined() -> None:
    services = yaml.safe_load((FOLDER / "compose.yml").read_text())["services"]
    for name in ("collector", "sensor"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
        build = services[name]["build"]
        assert (FOLDER / build["context"] / build["dockerfile"]).resolve().is_file()
    assert "cap_add" not in services["collector"]
    assert services["sensor"]["cap_add"] == ["NET_RAW"]
    assert services["elasticsearch"]["networks"] == ["store"]
    assert "ports" not in services["elasticsearch"]
