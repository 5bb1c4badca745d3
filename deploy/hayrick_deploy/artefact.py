"""What a host is given: the wheels its Python needs and the two scripts it needs before it has them, in one tar.

Nothing is fetched by the host, nothing compiled there. Each file's SHA-256 is in the tar's manifest, and the manifest's
own hash names the release: the same software has the same name, and anything else another.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from hayrick_common.errors import HayrickError

HOST_SCRIPTS = ("install.py", "supervise.py")
OLDEST_GLIBC = (2, 17)
_LEGACY = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}


@dataclass(frozen=True)
class Bundle:
    """A release for one kind of host."""

    release: str
    data: bytes

    @property
    def sha256(self) -> str:
        """Of the tar, for the host to check on arrival."""
        return hashlib.sha256(self.data).hexdigest()

    def holds(self, package: str) -> bool:
        """Whether a wheel of the package is in it."""
        with tarfile.open(fileobj=io.BytesIO(self.data)) as opened:
            return any(name.startswith(f"wheels/{package}-") for name in opened.getnames())

    def file(self, name: str) -> bytes:
        """One of its files."""
        with tarfile.open(fileobj=io.BytesIO(self.data)) as opened:
            found = opened.extractfile(name)
            assert found is not None
            return found.read()


def bundle(wheelhouse: Path, python: tuple[int, int], machine: str, glibc: tuple[int, int]) -> Bundle:
    """The release for such a host; HayrickError names what the wheelhouse lacks."""
    wheels = list(chosen(wheelhouse, python, machine, glibc))
    files = {f"wheels/{each.name}": each.read_bytes() for each in wheels}
    for name in HOST_SCRIPTS:
        files[name] = resources.files("hayrick_deploy").joinpath("host", name).read_bytes()
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    version = next(parse_wheel_filename(each.name)[1] for each in wheels if each.name.startswith("hayrick-"))
    manifest = json.dumps({"python": f"{python[0]}.{python[1]}", "files": hashes}, indent=1).encode()
    release = f"{version}-{hashlib.sha256(manifest).hexdigest()[:12]}"
    return Bundle(release, tar({"MANIFEST.json": manifest, **files}))


def chosen(wheelhouse: Path, python: tuple[int, int], machine: str, glibc: tuple[int, int]) -> Iterator[Path]:
    """For each package in the wheelhouse, the wheel that fits best; HayrickError where none does."""
    rank = {tag: number for number, tag in enumerate(_tags(python, machine, glibc))}
    best: dict[str, tuple[int, Path]] = {}
    names = set()
    for path in sorted(wheelhouse.glob("*.whl")):
        try:
            name, _, _, tags = parse_wheel_filename(path.name)
        except InvalidWheelFilename as error:
            raise HayrickError(f"{path}: {error}") from error
        names.add(name)
        fit = min((rank[tag] for tag in tags if tag in rank), default=None)
        if fit is not None and (name not in best or fit < best[name][0]):
            best[name] = (fit, path)
    if canonicalize_name("hayrick") not in names:
        raise HayrickError(f"{wheelhouse}: holds no wheel of hayrick; `scripts/build` makes it")
    optional = {"tomli"} if python >= (3, 11) else set()
    if missing := sorted(names - best.keys() - optional):
        host = f"Python {python[0]}.{python[1]}, {machine}, glibc {glibc[0]}.{glibc[1]}"
        raise HayrickError(f"{wheelhouse}: no wheel of {', '.join(missing)} fits {host}")
    yield from (path for name, (_, path) in sorted(best.items()) if name not in optional)


def _tags(python: tuple[int, int], machine: str, glibc: tuple[int, int]) -> Iterator[Tag]:
    """What such a host can take, best first."""
    platforms = list(_platforms(machine, glibc))
    yield from cpython_tags(python, platforms=platforms)
    yield from compatible_tags(python, f"cp{python[0]}{python[1]}", platforms)


def _platforms(machine: str, glibc: tuple[int, int]) -> Iterator[str]:
    for minor in range(glibc[1], OLDEST_GLIBC[1] - 1, -1):
        yield f"manylinux_{glibc[0]}_{minor}_{machine}"
        if name := _LEGACY.get((glibc[0], minor)):
            yield f"{name}_{machine}"
    yield f"linux_{machine}"


def tar(files: dict[str, bytes]) -> bytes:
    """The same files give the same bytes: no times, no owners."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as made:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            entry.mode = 0o644
            made.addfile(entry, io.BytesIO(data))
    return target.getvalue()
