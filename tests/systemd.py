"""What systemd itself says of a unit, without running it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

MOST_EXPOSED = 2.0  # of 10


def assert_sound_and_confined(path: Path, text: str) -> None:
    """systemd finds no fault with the unit, and rates what it may do as little."""
    path.write_text(text)
    verified = subprocess.run(
        ["systemd-analyze", "verify", path], capture_output=True, text=True, timeout=60, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    command: list[str | Path] = ["systemd-analyze", "security", "--offline=true", "--no-pager", path]
    rated = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", rated)
    assert found is not None
    assert float(found[1]) < MOST_EXPOSED, rated
