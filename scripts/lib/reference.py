"""Writes the reference parts of docs/OPERATIONS.md (settings, commands) from the code, between its markers.

`tests/test_docs.py` fails when they differ; run this to bring them up to date.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from hayrick_collector.config import CollectorConfig
from hayrick_common.cli import COMMANDS, build_parser
from hayrick_sensor.config import SensorSettings

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "OPERATIONS.md"


def settings(kind: Any) -> str:
    """A Markdown table of every setting of a settings class, tables in it by dotted key."""
    rows = ["| key | kind | default | meaning |", "|---|---|---|---|"]
    rows += [f"| `{key}` | {sort} | {default} | {about} |" for key, sort, default, about in _settings(kind, "")]
    return "\n".join(rows)


def _settings(kind: Any, prefix: str) -> Iterator[tuple[str, str, str, str]]:
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        hint = _needed(hints[field.name])
        inner = get_args(hint)[0] if get_origin(hint) in (list, tuple) else hint
        if dataclasses.is_dataclass(inner):
            yield from _settings(inner, f"{prefix}{field.name}{'[]' if inner is not hint else ''}.")
        else:
            sort = _kind(hint) + _range(field.metadata)
            yield prefix + field.name, sort, _default(field), _cell(field.metadata.get("about", ""))


def _needed(hint: Any) -> Any:
    """`Path | None` is a path that may be left out."""
    if get_origin(hint) in (Union, types.UnionType):
        return next(each for each in get_args(hint) if each is not type(None))
    return hint


def _kind(hint: Any) -> str:
    names = {int: "whole number", float: "number", bool: "true, false", str: "text", Path: "path"}
    if hint in names:
        return names[hint]
    if get_origin(hint) in (list, tuple):
        return f"list of {_kind(get_args(hint)[0])}"
    return ", ".join(f"`{each}`" for each in get_args(hint))


def _range(limits: Mapping[str, Any]) -> str:
    low, high = limits.get("minimum"), limits.get("maximum")
    if low is None and high is None:
        return ""
    return f", {low} to {high}" if high is not None else f", {low} or more"


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return "of the machine" if field.type not in ("list[str]", "tuple[str, ...]") else "`[]`"
    if field.default is dataclasses.MISSING:
        return "required"
    value = field.default
    if value is None:
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value == ():
        return "`[]`"
    return f"`{value}`" if value != "" else '`""`'


def commands(_: Any = None) -> str:
    """A Markdown table for each command and subcommand: its arguments and what they mean."""
    return "\n\n".join(part for name in COMMANDS for part in _command(_parser(build_parser(name), name)))


def _parser(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    return _choices(parser)[name]


def _choices(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _command(parser: argparse.ArgumentParser) -> Iterator[str]:
    inner = _choices(parser)
    if not inner:
        about = " ".join((parser.description or "").split())
        rows = "\n".join(_arguments(parser))
        yield f"### `{parser.prog}`\n\n{about}" + (f"\n\n| argument | meaning |\n|---|---|\n{rows}" if rows else "")
    for each in inner.values():
        yield from _command(each)


def _arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if action.help == argparse.SUPPRESS or isinstance(action, argparse._HelpAction):
            continue
        metavar = action.metavar or (action.dest.upper() if action.option_strings else action.dest)
        metavar = "" if action.nargs == 0 else f" {metavar}"
        name = ", ".join(action.option_strings) + metavar if action.option_strings else metavar.strip()
        text = parser._get_formatter()._expand_help(action) if action.help else ""
        yield f"| `{_cell(name)}` | {_cell(text)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PARTS: dict[str, Callable[[], str]] = {
    "sensor": lambda: settings(SensorSettings),
    "collector": lambda: settings(CollectorConfig),
    "commands": commands,
}


def renewed(page: str) -> str:
    """The page with each part between its markers written anew; raises ValueError for a part without markers."""
    for name, part in PARTS.items():
        begin, end = f"<!-- {name}: written by scripts/lib/reference.py -->", f"<!-- end of {name} -->"
        pattern = re.compile(re.escape(begin) + r"\n.*?" + re.escape(end), re.DOTALL)
        if not pattern.search(page):
            raise ValueError(f"{PAGE.name} has no markers for {name}")
        page = pattern.sub(f"{begin}\n\n{part()}\n\n{end}".replace("\\", r"\\"), page)
    return page


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} is up to date\n")
