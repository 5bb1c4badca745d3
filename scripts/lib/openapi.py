"""The API's OpenAPI as docs/openapi.json keeps it for the page's types: `--write` renews the file; else printed."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from hayrick_collector.api.app import routes

FILE = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


def text() -> str:
    """The OpenAPI document, the same for the same routes. The version is left out: it changes with nothing else."""
    document = routes().openapi()
    document["info"]["version"] = "0"
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"into {FILE.parent.name}/{FILE.name}")
    if parser.parse_args().write:
        FILE.write_text(text(), "utf-8")
    else:
        print(text(), end="")


if __name__ == "__main__":
    main()
