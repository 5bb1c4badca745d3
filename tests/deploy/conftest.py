"""What the tests of whole hosts share: the wheels of this checkout, for this machine's own Python."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = {**os.environ, "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made as `scripts/build` makes it, for one Python."""
    folder = tmp_path_factory.mktemp("wheelhouse")
    told = ["sh", "-c", "for each in python3.14 python3.13 python3.12 python3.11 python3.10; do command -v $each; done"]
    newest = subprocess.run(told, env=SYSTEM, capture_output=True, text=True, timeout=20, check=False).stdout.split()[0]
    version = newest.rpartition("python")[2]
    command: list[str | Path] = [ROOT / "scripts" / "lib" / "wheelhouse", folder, platform.machine(), version]
    subprocess.run(command, check=True, timeout=110)
    return folder
