"""The documents name what the code has: settings, commands, scripts, files; and their links lead somewhere."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from hayrick_collector.config import CollectorConfig
from hayrick_sensor.config import SensorSettings

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])

sys.path.insert(0, str(ROOT / "scripts" / "lib"))
import reference  # noqa: E402


def page(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


@pytest.mark.parametrize("name", reference.PAGES)
def test_settings_commands_and_fields_are_documented_as_they_are(name: str) -> None:
    text = page(f"docs/{name}")
    assert text == reference.renewed(text, name), "run: .venv/bin/python scripts/lib/reference.py"


@pytest.mark.parametrize("kind", [SensorSettings, CollectorConfig])
def test_every_setting_says_what_it_means(kind: type) -> None:
    silent = [row[0] for row in reference._settings(kind, "") if not row[3]]
    assert silent == []


def test_every_script_is_told_of() -> None:
    scripts = [path.name for path in (ROOT / "scripts").iterdir() if path.is_file() and os.access(path, os.X_OK)]
    told = page("README.md") + page("CONTRIBUTING.md")
    assert [name for name in scripts if f"scripts/{name}" not in told] == []


def test_files_named_in_the_architecture_exist() -> None:
    named = re.findall(r"`([a-z_]+/[\w./-]+\.(?:py|rs|toml|lark|html))`", page("docs/ARCHITECTURE.md"))
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{path.name}: {target}"
        for path in PAGES
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text("utf-8"))
        if not (path.parent / target).exists()
    ]
    assert broken == []


def test_no_document_names_a_file_of_one_machine() -> None:
    assert [path.name for path in PAGES if re.search(r"(^|[^a-z])/(root|work)/", path.read_text("utf-8"))] == []
