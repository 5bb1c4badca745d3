"""systemd itself finds no fault with the unit, and rates what it may do."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from hayrick_deploy.units import unit

MOST_EXPOSED = 2.0


def test_the_unit_is_sound_and_confined(tmp_path: Path) -> None:
    path = tmp_path / "hayrick-sensor.service"
    path.write_text(
        unit("systemd", "/var/lib/hayrick/sensor")[1].replace("/opt/hayrick/current/bin/hayrick", "/bin/true")
    )
    verified = subprocess.run(
        ["systemd-analyze", "verify", path], capture_output=True, text=True, timeout=60, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    command: list[str | Path] = ["systemd-analyze", "security", "--offline=true", "--no-pager", path]
    rated = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", rated)
    assert found is not None
    assert float(found[1]) < MOST_EXPOSED
