"""Man page and shell completion of all commands, from the commands themselves.

manual.py FOLDER        writes hayrick.1, hayrick.bash and _hayrick (zsh) there
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

import shtab
from argparse_manpage.manpage import Manpage

from hayrick_common import __version__
from hayrick_common.cli import COMMANDS

ABOUT = "distributed full packet capture and search"


def parser() -> argparse.ArgumentParser:
    """The whole command line, every command in full."""
    whole = argparse.ArgumentParser(prog="hayrick", description=f"Hayrick: {ABOUT}.")
    whole.add_argument("--version", action="version", version=f"hayrick {__version__}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS.values():
        importlib.import_module(command.module).add_parser(commands)
    return whole


def pages() -> dict[str, str]:
    """File name to text; the same commands give the same text."""
    whole = parser()
    whole.man_short_description = ABOUT  # type: ignore[attr-defined]  # argparse_manpage's way of being told
    told = {"project_name": f"hayrick {__version__}", "manual_title": "Hayrick", "date": ""}
    man = str(Manpage(whole, _data=told))
    return {"hayrick.1": man, "hayrick.bash": shtab.complete(whole, "bash"), "_hayrick": shtab.complete(whole, "zsh")}


def write(folder: Path) -> None:
    """Write them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
