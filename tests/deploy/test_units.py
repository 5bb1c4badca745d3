"""systemd itself finds no fault with the sensor's unit, and rates what it may do."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.systemd import assert_sound_and_confined

from hayrick_deploy.units import unit


def test_the_unit_is_sound_and_confined(tmp_path: Path) -> None:
    text = unit("systemd", "/var/lib/hayrick/sensor")[1].replace("/opt/hayrick/current/bin/hayrick", "/bin/true")
    assert_sound_and_confined(tmp_path / "hayrick-sensor.service", text)


def test_openrc_s_script_is_plain_shell_and_names_what_the_release_brings(tmp_path: Path) -> None:
    """Sourced by /bin/sh as openrc-run does it, with stand-ins for what that brings."""
    path, text = unit("openrc", "/var/lib/hayrick/sensor")
    assert (path, text.splitlines()[0]) == ("/etc/init.d/hayrick-sensor", "#!/sbin/openrc-run")
    (tmp_path / "script").write_text(text)
    asked = 'use() { echo "uses $*"; }; . ./script; depend; echo "$supervisor $command $command_args $retry"'
    done = subprocess.run(["/bin/sh", "-euc", asked], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["uses net", "supervise-daemon /opt/hayrick/supervise run TERM/60/KILL/5"]
