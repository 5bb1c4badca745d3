"""The OpenAPI document that is checked in, from which the page's types are made, is that of the application."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts" / "lib"))
import openapi  # noqa: E402


def test_checked_in_openapi_is_that_of_the_application() -> None:
    assert openapi.FILE.read_text("utf-8") == openapi.text(), "run: .venv/bin/python scripts/lib/openapi.py --write"


def test_every_operation_says_what_it_does_and_has_a_name_of_its_own() -> None:
    operations = [each for methods in json.loads(openapi.text())["paths"].values() for each in methods.values()]
    assert len(operations) > 30
    assert [each["operationId"] for each in operations if not each.get("description")] == []
    names = [each["operationId"] for each in operations]
    assert len(names) == len(set(names))
