"""Debian packages of a sensor and of a collector, from wheels: an environment of its own under /usr/lib/hayrick for one
Python of the system's, the command, its man page and completion, and the sensor's unit; and the decoder for a sensor's
environment. Nothing is fetched by the host.

    debian.py sensor|collector|flow WHEELS PYTHON MACHINE TARGET
    debian.py sensor dist/wheelhouse 3.11 x86_64 dist
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import manual
import sbom

from hayrick_common import __version__
from hayrick_deploy.artefact import chosen
from hayrick_deploy.host.install import unpack
from hayrick_deploy.units import systemd

ROOT = Path(__file__).resolve().parents[2]
HOME = "usr/lib/hayrick"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
GLIBC = {"3.10": (2, 35), "3.11": (2, 36), "3.12": (2, 39), "3.13": (2, 41)}  # of Ubuntu 22.04, Debian 12, ...
ABOUT = {
    "sensor": "full packet capture: the agent on a sniffing host\n"
    " It wraps tcpdump, keeps closed chunks of packets and ships them to a collector.",
    "collector": "full packet capture: the collector, and all commands\n"
    " It keeps the packets that sensors ship, decodes them into sessions, and finds them again.",
    "flow": "full packet capture: the decoder for a sensor\n"
    " With it a sensor can ship the sessions in its packets instead of the packets (ship = 'records').",
}
CLOCK = "chrony | systemd-timesyncd"
CONTROL = """\
Package: hayrick-{part}
Version: {version}
Architecture: {architecture}
Maintainer: Hayrick <hayrick@localhost>
Installed-Size: {size}
Depends: {depends}
{relations}Section: net
Priority: optional
Description: {about}
"""
COMMAND = """\
#!/usr/lib/hayrick/bin/python -I
import sys
from hayrick_common.cli import main
sys.exit(main())
"""
# Data, keys and settings stay when the package goes, and also when it is purged: they are evidence.
POSTINST = """\
#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
getent passwd hayrick >/dev/null || adduser --quiet --system --group --no-create-home --home /var/lib/hayrick hayrick
install -d -m 0755 /etc/hayrick
install -d -m 0750 -o hayrick -g hayrick /var/lib/hayrick /var/lib/hayrick/sensor
/usr/lib/hayrick/bin/python -m compileall -q /usr/lib/hayrick/lib || true
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    for unit in hayrick-sensor hayrick-collector; do systemctl try-restart $unit 2>/dev/null || true; done
fi
"""
PRERM = """\
#!/bin/sh
set -e
unit=hayrick-{part}.service
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then systemctl disable --now $unit 2>/dev/null || true; fi
find /usr/lib/hayrick/lib -name __pycache__ -type d -prune -exec rm -rf {{}} +
"""


@dataclass(frozen=True)
class Target:
    """What a package is made for."""

    part: str
    python: str
    machine: str

    @property
    def file_name(self) -> str:
        return f"hayrick-{self.part}_{self.version}_{ARCHITECTURES[self.machine]}.deb"

    @property
    def version(self) -> str:
        return f"{__version__}+py{self.python}"

    @property
    def numbers(self) -> tuple[int, int]:
        major, _, minor = self.python.partition(".")
        return int(major), int(minor)


def build(target: Target, wheels: Path, folder: Path) -> Path:
    """Build the package into `folder`; the same wheels give the same bytes."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        root.chmod(0o755)
        os.umask(0o022)  # before anything is written: what is packed has the modes that it has here
        _environment(root / HOME, target, wheels)
        if target.part == "flow":
            _write(root, f"usr/share/doc/hayrick-{target.part}/copyright", (ROOT / "LICENSE").read_bytes())
        else:
            _texts(root, target)
        _maintainer(root, target)
        file = folder / target.file_name
        environment = {**os.environ, "SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH", "0")}
        command = ["dpkg-deb", "--build", "--root-owner-group", "-Zzstd", "-z6", str(root), str(file)]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return file


def _environment(home: Path, target: Target, wheels: Path) -> None:
    """A virtual environment of the system's Python, made by hand from the wheels that fit; of `flow` the decoder only,
    which goes into the sensor's."""
    packages = home / "lib" / f"python{target.python}" / "site-packages"
    packages.mkdir(parents=True)
    fitting = list(chosen(wheels, target.numbers, target.machine, GLIBC[target.python]))
    if target.part == "flow":
        (decoder,) = (each for each in fitting if each.name.startswith("hayrick_decode-"))
        unpack(decoder, packages)
        return
    (home / "bin").mkdir()
    (home / "bin" / "python").symlink_to(f"/usr/bin/python{target.python}")
    text = f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {target.python}\n"
    (home / "pyvenv.cfg").write_text(text)
    for wheel in fitting:
        unpack(wheel, packages)


def _texts(root: Path, target: Target) -> None:
    """Command, unit, man page, completion and what a package must tell of itself."""
    made = f"Of the package hayrick-{target.part}."
    unit = systemd(made=made, hayrick="/usr/bin/hayrick", spool="/var/lib/hayrick/sensor")
    pages = manual.pages()
    share = "usr/share"
    doc = f"{share}/doc/hayrick-{target.part}"
    texts = {
        "usr/bin/hayrick": COMMAND,
        "usr/lib/systemd/system/hayrick-sensor.service": unit,
        f"{share}/bash-completion/completions/hayrick": pages["hayrick.bash"],
        f"{share}/zsh/vendor-completions/_hayrick": pages["_hayrick"],
        f"{doc}/copyright": (ROOT / "LICENSE").read_text(),
        f"{doc}/sbom.cdx.json": sbom.bill(target.part),
    }
    packed = {
        f"{share}/man/man1/hayrick.1.gz": pages["hayrick.1"],
        f"{doc}/changelog.gz": (ROOT / "CHANGELOG.md").read_text(),
    }
    files = {name: text.encode() for name, text in texts.items()}
    files |= {name: gzip.compress(text.encode(), 9, mtime=0) for name, text in packed.items()}
    for name, data in files.items():
        _write(root, name, data)
    (root / "usr/bin/hayrick").chmod(0o755)


def _write(root: Path, name: str, data: bytes) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(data)


def _relations(target: Target) -> tuple[str, str]:
    """What the package depends on, and its other lines of that kind."""
    if target.part == "flow":
        return f"hayrick-sensor (= {target.version})", ""
    major, minor = target.numbers
    python = f"python3 (>= {target.python}~), python3 (<< {major}.{minor + 1}~)"
    glibc = ".".join(map(str, GLIBC[target.python]))
    recommended, other = ("tshark", "sensor") if target.part == "collector" else (CLOCK, "collector")
    lines = f"Recommends: {recommended}\nConflicts: hayrick-{other}\n"
    return f"{python}, libc6 (>= {glibc}), tcpdump, adduser", lines


def _maintainer(root: Path, target: Target) -> None:
    size = sum(each.lstat().st_size for each in root.rglob("*")) // 1024
    depends, relations = _relations(target)
    control = CONTROL.format(
        part=target.part, version=target.version, architecture=ARCHITECTURES[target.machine], size=size,
        depends=depends, relations=relations, about=ABOUT[target.part],
    )  # fmt: skip
    folder = root / "DEBIAN"
    folder.mkdir()
    (folder / "control").write_text(control)
    scripts = {"postinst": POSTINST, "prerm": PRERM.format(part=target.part)}
    for name, text in scripts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


if __name__ == "__main__":
    part, wheels, python, machine, folder = sys.argv[1:]
    sys.stdout.write(f"{build(Target(part, python, machine), Path(wheels), Path(folder))}\n")
