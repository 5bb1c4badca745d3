"""The first command of the README, as a newcomer runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
QUICKSTART = [sys.executable, str(ROOT / "scripts" / "lib" / "quickstart.py"), "--once", "--port", "0"]


@pytest.mark.timeout(240)
def test_packets_of_real_programs_are_found_and_come_back(tmp_path: Path) -> None:
    done = subprocess.run(
        [*QUICKSTART, "--keep", str(tmp_path)], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("www.hayrick.test", "secure.hayrick.test", "needle", "GET /admin/login.php?user=needle"):
        assert name in done.stdout
    assert list(tmp_path.rglob("*.parquet"))
    assert (tmp_path / "needle.pcap").stat().st_size > 24


def test_ended_quickstart_leaves_no_process_no_namespace_no_folder() -> None:
    started = subprocess.Popen([*QUICKSTART], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert started.stdout is not None
    home = Path(started.stdout.readline().split()[-1])
    assert home.is_dir()
    while "sensor quickstart: tcpdump on" not in (line := started.stdout.readline()):
        assert line, "ended before its sensor ran"
    assert still_running(home)
    started.terminate()
    started.communicate(timeout=60)
    assert started.returncode == 143
    assert still_running(home) == []
    assert not home.exists()
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert f"hayrick-{started.pid}" not in listed.split()


def still_running(home: Path) -> list[str]:
    """Command lines that name the folder."""
    lines = (command_line(entry) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return [line for line in lines if str(home) in line]


def command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""
