"""What is in a package, as CycloneDX: Python packages by their pins, for a collector also the decoder's crates and the
page's npm packages.

    sbom.py sensor|collector FILE
"""

from __future__ import annotations

import json
import os
import re
import sys
import uuid
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import tomllib
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from hayrick_common import __version__

ROOT = Path(__file__).resolve().parents[2]


def bill(part: str) -> str:
    """The bill of materials of `sensor` or `collector`, as JSON; the same pins give the same text."""
    bom = Bom()
    whole = _component("pypi", "hayrick", __version__, ComponentType.APPLICATION)
    bom.metadata.component = whole
    components = [*_python(part), *(each for found in (_crates, _page) if part == "collector" for each in found())]
    for each in components:
        bom.components.add(each)
    bom.register_dependency(whole, components)
    told = "\n".join(sorted(str(each.purl) for each in components))
    bom.metadata.timestamp = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), tz=timezone.utc)
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, f"hayrick {part} {__version__}\n{told}")
    return str(make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1))


def _component(kind: str, name: str, version: str, sort: ComponentType = ComponentType.LIBRARY) -> Component:
    space, _, base = name.rpartition("/")
    purl = PackageURL(kind, space or None, base, version)
    return Component(name=name, version=version, type=sort, purl=purl, bom_ref=str(purl))


def _python(part: str) -> Iterator[Component]:
    for name, version in re.findall(r"(?m)^([\w.-]+)==([\w.+]+)", (ROOT / "requirements" / f"{part}.txt").read_text()):
        yield _component("pypi", name, version)


def _crates() -> Iterator[Component]:
    for each in tomllib.loads((ROOT / "decode" / "Cargo.lock").read_text())["package"]:
        yield _component("cargo" if "source" in each else "pypi", each["name"], each["version"])


def _page() -> Iterator[Component]:
    """What is built into the page: all but what only builds it."""
    for place, each in json.loads((ROOT / "web" / "package-lock.json").read_text())["packages"].items():
        if place and not each.get("dev") and not each.get("link"):
            yield _component("npm", place.rpartition("node_modules/")[2], each["version"])


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(bill(sys.argv[1]) + "\n")
