"""Each layer, imported whole in a fresh interpreter, loads only what the table in docs/ARCHITECTURE.md lets it."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hayrick_common.cli import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("hayrick_common", "hayrick_sensor", "hayrick_collector", "hayrick_deploy", "hayrick_decode")
SENSOR_PACKAGES = {"apscheduler", "dpkt", "msgpack", "paramiko", "zmq", "tomli"}
HEAVY = {"duckdb", "elasticsearch", "fastapi", "uvicorn", "lark", "httpx", "rich", "hayrick_decode", "paramiko", "zmq"}

# Imports every module of the packages named and prints the top-level names then loaded.
IMPORT_ALL = """
import importlib, json, pkgutil, sys
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def loaded_by(*packages: str) -> set[str]:
    """Top-level names that are loaded once all modules of `packages` are, less those of a bare interpreter."""
    return _run(*packages) - _run()


def _run(*packages: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *packages], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def outside(names: set[str]) -> set[str]:
    """What is neither the standard library's nor what a compiled module registers by itself."""
    return {name for name in names if name not in sys.stdlib_module_names and "cython" not in name}


def test_common_loads_only_the_standard_library_and_msgpack() -> None:
    assert outside(loaded_by("hayrick_common")) <= {"hayrick_common", "msgpack", "tomli"}


def test_sensor_loads_no_other_layer_and_nothing_of_the_extras() -> None:
    loaded = loaded_by("hayrick_sensor")
    assert loaded & set(LAYERS) <= {"hayrick_common", "hayrick_sensor"}
    assert not loaded & (HEAVY - SENSOR_PACKAGES)


@pytest.mark.parametrize(
    ("layer", "forbidden"),
    [
        ("hayrick_collector", {"hayrick_sensor", "hayrick_deploy"}),
        ("hayrick_deploy", {"hayrick_collector", "hayrick_decode", "duckdb", "elasticsearch"}),
    ],
)
def test_layer_loads_no_layer_beside_it(layer: str, forbidden: set[str]) -> None:
    assert not loaded_by(layer) & forbidden


def test_deploy_takes_from_the_sensor_its_settings_only() -> None:
    deploy = ROOT / "deploy" / "hayrick_deploy"
    named = {
        node.module
        for path in deploy.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hayrick_sensor")
    }
    assert named == {"hayrick_sensor.config"}


def test_help_lists_every_command_and_loads_none() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "from hayrick_common.cli import main; main()", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert all(re.search(rf"^ +{name}\s+\w", done.stdout, re.MULTILINE) for name in COMMANDS)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "hayrick_common" in loaded
    assert not loaded & (HEAVY | set(LAYERS) - {"hayrick_common"})


def test_only_the_store_knows_a_store_s_dialect() -> None:
    collector = ROOT / "collector" / "hayrick_collector"
    leaks = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted(collector.rglob("*.py"))
        if "store" not in path.relative_to(collector).parts
        for name in imported(path)
        if name in {"duckdb", "elasticsearch", "elastic_transport", "opensearchpy"}
    ]
    assert leaks == []


def imported(path: Path) -> set[str]:
    """Top-level names that the file's import statements name, wherever in it they stand."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names
