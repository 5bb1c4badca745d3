"""What `scripts/build` makes besides wheels: Debian packages that install and run, man page, completion, SBOM."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from tests.deploy.overlay import inside

from hayrick_common.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "lib"))
import debian  # noqa: E402
import manual  # noqa: E402
import sbom  # noqa: E402

SETTINGS = """\
name = "gate1"
[collector]
address = "tcp://127.0.0.1:8006"
public_key = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
[[streams]]
name = "lo"
interface = "lo"
"""
USE = """
set -e
dpkg --install /given/*.deb >&2
hayrick --version
cp /given/sensor.toml /etc/hayrick/
runuser -u hayrick -- hayrick sensor keygen >&2
stat -c '%U %a' /var/lib/hayrick/sensor/keys/sensor.secret
systemd-analyze verify /usr/lib/systemd/system/hayrick-sensor.service
timeout --signal TERM 3 runuser -u hayrick -- hayrick sensor run 2>&1 | grep -c . >&2 || true
hayrick doctor 2>&1 | grep -c '^ok' >&2
MANPAGER=cat man -w hayrick
bash -c '. /usr/share/bash-completion/completions/hayrick
    COMP_WORDS=(hayrick sen); COMP_CWORD=1; _shtab_hayrick; echo "${COMPREPLY[@]}"'
dpkg --remove hayrick-sensor >&2
[ ! -e /usr/lib/hayrick ] && [ -e /var/lib/hayrick/sensor/keys/sensor.secret ] && echo kept
"""


def target_of(wheelhouse: Path) -> debian.Target:
    python = next(path.name.split("-")[2] for path in wheelhouse.glob("msgpack-*"))
    return debian.Target("sensor", f"3.{python.removeprefix('cp3')}", platform.machine())


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_same_wheels_give_the_same_package(wheelhouse: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    built = [debian.build(target_of(wheelhouse), wheelhouse, tmp_path / name).read_bytes() for name in ("one", "two")]
    assert built[0] == built[1]


def test_the_sensor_s_package_installs_runs_and_leaves_its_data(wheelhouse: Path, tmp_path: Path) -> None:
    target = target_of(wheelhouse)
    (tmp_path / "sensor.toml").write_text(SETTINGS)
    debian.build(target, wheelhouse, tmp_path)
    told = inside(tmp_path, USE).splitlines()
    assert told[0].startswith("hayrick ")
    assert told[1:] == ["hayrick 600", "/usr/share/man/man1/hayrick.1.gz", "sensor", "kept"]


@pytest.mark.parametrize("part", ["sensor", "collector"])
def test_the_bill_of_materials_is_valid_and_names_every_pin(part: str) -> None:
    told = sbom.bill(part)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(told) is None
    assert told == sbom.bill(part)
    purls = {each["purl"] for each in json.loads(told)["components"]}
    pins = re.findall(r"(?m)^([\w.-]+)==([\w.]+)", (ROOT / "requirements" / f"{part}.txt").read_text())
    assert len(pins) > 10
    assert {f"pkg:pypi/{name}@{version}" for name, version in pins} <= purls
    assert any(each.startswith("pkg:cargo/") for each in purls) == (part == "collector")
    assert any(each.startswith("pkg:npm/") for each in purls) == (part == "collector")


def test_man_page_and_completion_know_every_command(tmp_path: Path) -> None:
    pages = manual.pages()
    for name, text in pages.items():
        (tmp_path / name).write_text(text)
    for command in COMMANDS:
        assert f"hayrick {command}" in pages["hayrick.1"].replace("\\-", "-")
    warned = subprocess.run(
        ["groff", "-k", "-man", "-Tutf8", "-ww", "-z", tmp_path / "hayrick.1"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert warned.stderr == ""
    script = (
        f'. {tmp_path}/hayrick.bash; COMP_WORDS=(hayrick ""); COMP_CWORD=1; _shtab_hayrick; echo "${{COMPREPLY[@]}}"'
    )
    offered = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert set(COMMANDS) <= set(offered)
