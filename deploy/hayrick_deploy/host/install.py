"""Runs on a sniffing host, as root, with nothing but its Python: makes a release out of the tar it was sent.

    python3 install.py TAR SHA256 RELEASE

The tar and every file in it are held against their hashes before anything is unpacked, a release is tried before it
gets its name, and one that is there already is left alone. It becomes the running one elsewhere, by a symbolic link.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

RELEASES = Path("/opt/hayrick/releases")
COMMAND = """#!{python}
import sys
from hayrick_common.cli import main
sys.exit(main())
"""
TRIAL = "import apscheduler, asyncinotify, hayrick_common.cli, hayrick_sensor.agent, msgpack, paramiko, zmq, zstandard"


def main() -> None:
    """Install, and print the release's folder."""
    tar_path, sha256, release = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    final = RELEASES / release
    if not final.exists():
        files = checked(tar_path, sha256)
        hidden = RELEASES / f".{release}.part"
        shutil.rmtree(hidden, ignore_errors=True)
        try:
            build(hidden, final, files)
            os.sync()
            hidden.rename(final)
        except BaseException:
            shutil.rmtree(hidden, ignore_errors=True)
            raise
    print(final)


def checked(tar_path: Path, sha256: str) -> dict[str, bytes]:
    """The files of the tar, all of them as the manifest says."""
    data = tar_path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        sys.exit(f"{tar_path}: arrived damaged")
    with tarfile.open(tar_path) as tar:
        files = {each.name: (tar.extractfile(each) or io.BytesIO()).read() for each in tar if each.isfile()}
    for name, wanted in json.loads(files["MANIFEST.json"])["files"].items():
        if hashlib.sha256(files[name]).hexdigest() != wanted:
            sys.exit(f"{name}: is not what the manifest says")
    return files


def build(hidden: Path, final: Path, files: dict[str, bytes]) -> None:
    """A virtual environment, made by hand: not every host has Python's venv and ensurepip."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    packages = hidden / "lib" / f"python{version}" / "site-packages"
    packages.mkdir(parents=True)
    (hidden / "bin").mkdir()
    base = Path(sys.executable).resolve()
    (hidden / "bin" / "python").symlink_to(base)
    home = f"home = {base.parent}\ninclude-system-site-packages = false\nversion = {version}\n"
    (hidden / "pyvenv.cfg").write_text(home)
    for name, data in files.items():
        if name.startswith("wheels/"):
            wheel = hidden / "wheel"
            wheel.write_bytes(data)
            unpack(wheel, packages)
            wheel.unlink()
    python = hidden / "bin" / "python"
    subprocess.run([python, "-m", "compileall", "-q", "-s", hidden, "-p", final, packages], check=False)
    tried = subprocess.run([python, "-Ic", TRIAL], stderr=subprocess.PIPE, text=True, check=False)
    if tried.returncode:
        sys.exit(f"the new release does not start: {tried.stderr.strip().splitlines()[-1]}")
    (hidden / "bin" / "hayrick").write_text(COMMAND.format(python=final / "bin" / "python"))
    (hidden / "bin" / "hayrick").chmod(0o755)
    (hidden / "supervise.py").write_bytes(files["supervise.py"])
    (hidden / "MANIFEST.json").write_bytes(files["MANIFEST.json"])


def unpack(wheel: Path, packages: Path) -> None:
    """A wheel is a zip file; what it would put elsewhere (scripts, data) a sensor does not need."""
    with zipfile.ZipFile(wheel) as archive:
        for each in archive.infolist():
            parts = PurePosixPath(each.filename).parts
            if each.is_dir() or parts[0].endswith(".data"):
                continue
            if each.filename.startswith("/") or ".." in parts:
                sys.exit(f"{wheel}: {each.filename}: leads out of its folder")
            target = packages.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(each))


if __name__ == "__main__":
    os.umask(0o022)
    main()
