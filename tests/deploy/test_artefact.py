"""A host gets the wheels that fit it, all of them, and a release's name changes with its content only."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from hayrick_common.errors import HayrickError
from hayrick_deploy.artefact import bundle, chosen

WHEELS = [
    "hayrick-0.1.0-py3-none-any.whl",
    "pyzmq-27.0.0-cp310-cp310-manylinux_2_26_x86_64.manylinux_2_28_x86_64.whl",
    "pyzmq-27.0.0-cp312-abi3-manylinux_2_26_x86_64.manylinux_2_28_x86_64.whl",
    "pyzmq-27.0.0-cp312-abi3-manylinux_2_26_aarch64.manylinux_2_28_aarch64.whl",
    "tomli-2.0.0-py3-none-any.whl",
]


@pytest.fixture
def wheelhouse(tmp_path: Path) -> Path:
    for name in WHEELS:
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def names(*host: Any) -> list[str]:
    return [each.name for each in chosen(*host)]


def test_the_wheels_that_fit_python_machine_and_glibc_are_chosen(wheelhouse: Path) -> None:
    assert names(wheelhouse, (3, 10), "x86_64", (2, 35)) == [WHEELS[0], WHEELS[1], WHEELS[4]]
    assert names(wheelhouse, (3, 13), "x86_64", (2, 28)) == [WHEELS[0], WHEELS[2]]
    assert names(wheelhouse, (3, 12), "aarch64", (2, 39)) == [WHEELS[0], WHEELS[3]]


@pytest.mark.parametrize(
    "host", [((3, 11), "x86_64", (2, 36)), ((3, 12), "x86_64", (2, 17)), ((3, 12), "riscv64", (2, 36))]
)
def test_what_the_wheelhouse_lacks_for_a_host_is_named(wheelhouse: Path, host: tuple) -> None:
    with pytest.raises(HayrickError, match="no wheel of pyzmq fits Python 3"):
        names(wheelhouse, *host)


def test_a_release_is_named_by_its_content(wheelhouse: Path) -> None:
    host = (3, 12), "x86_64", (2, 36)
    first = bundle(wheelhouse, *host)
    assert bundle(wheelhouse, *host) == first
    (wheelhouse / WHEELS[0]).write_bytes(b"another build")
    second = bundle(wheelhouse, *host)
    assert first.release.startswith("0.1.0-")
    assert second.release != first.release
    with tarfile.open(fileobj=io.BytesIO(second.data)) as tar:
        manifest = json.loads(second.file("MANIFEST.json"))
        assert set(tar.getnames()) == {"MANIFEST.json", *manifest["files"]}
