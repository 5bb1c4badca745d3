"""Writes the reference parts of the documents (settings, commands, fields) from the code, between their markers.

`tests/test_docs.py` fails when they differ; run this to bring them up to date.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from fastapi.routing import APIRoute

import hayrick_decode
from hayrick_collector.api.app import ROUTERS
from hayrick_collector.api.security import needs
from hayrick_collector.config import CollectorConfig
from hayrick_collector.expression import Catalogue, Field, candidates
from hayrick_collector.expression.values import expected_of
from hayrick_common.cli import COMMANDS, build_parser
from hayrick_deploy.inventory import Collector, Rollout, Ssh
from hayrick_sensor.config import SensorSettings

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"


def settings(kind: Any) -> str:
    """A Markdown table of every setting of a settings class, tables in it by dotted key."""
    rows = ["| key | kind | default | meaning |", "|---|---|---|---|"]
    rows += [f"| `{key}` | {sort} | {default} | {about} |" for key, sort, default, about in _settings(kind, "")]
    return "\n".join(rows)


def inventory() -> str:
    """Tables of an inventory's own parts."""
    parts = {"collector": Collector, "ssh": Ssh, "rollout": Rollout}
    return "\n\n".join(f"Under `{name}`:\n\n{settings(kind)}" for name, kind in parts.items())


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


def commands() -> str:
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


KINDS = {
    "termfield": "text", "lotermfield": "text, lower case", "uptermfield": "text, upper case", "integer": "number",
    "ip": "address", "date": "time", "boolean": "boolean", "lotextfield": "words", "object": "object",
}  # fmt: skip


def operators() -> str:
    """A Markdown table: what can be asked of a field of each kind."""
    catalogue = Catalogue.from_dicts(hayrick_decode.fields())
    rows = ["| kind | fields | operators | a value is |", "|---|---|---|---|"]
    for kind, name in KINDS.items():
        found = [field for field in catalogue.fields if field.kind == kind]
        each = next((field for field in found if not field.transform), None)
        if each is not None:
            asked = ["==", "!="] if kind == "object" else [one.text for one in candidates.operators(each, "")]
            values = "`EXISTS!` only" if kind == "object" else _cell(expected_of(each))
            rows.append(f"| {name} | {len(found)} | {' '.join(f'`{one}`' for one in asked)} | {values} |")
    return "\n".join(rows)


def fields() -> str:
    """A Markdown table of the fields of each protocol: names, kind, help."""
    by_group: dict[str, list[Field]] = {}
    for field in Catalogue.from_dicts(hayrick_decode.fields()).fields:
        if not field.counts and field.kind != "lotextfield":
            by_group.setdefault(field.group, []).append(field)
    groups = sorted(by_group.items(), key=lambda item: (item[0] != "general", item[0]))
    return "\n\n".join(_fields(group, listed) for group, listed in groups)


def _fields(group: str, listed: Sequence[Field]) -> str:
    rows = [f"### {group}", "", "| field | in documents, aliases | kind | what it is |", "|---|---|---|---|"]
    for field in sorted(listed, key=lambda each: each.expression):
        others = [name for name in (field.document, *field.aliases) if name and name != field.expression]
        many = ", many" if field.multi else ""
        also = ", ".join(f"`{name}`" for name in others) or (
            f"any of `{'`, `'.join(field.any_of)}`" if field.any_of else ""
        )
        rows.append(f"| `{field.expression}` | {also} | {KINDS[field.kind]}{many} | {_cell(field.help)} |")
    return "\n".join(rows)


def api_routes() -> str:
    """A Markdown table of every route: who may, and what it does."""
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    rows = [row for route in routes if route.include_in_schema for row in _route(route)]
    return "\n".join(["| route | role | what |", "|---|---|---|", *rows])


def _route(route: APIRoute) -> list[str]:
    role = next((each.call.role for each in route.dependant.dependencies if isinstance(each.call, needs)), "anybody")
    told = _cell((route.description or "").partition("\n\n")[0])
    return [f"| `{method} {route.path}` | {role} | {told} |" for method in sorted(route.methods or ())]


PAGES: dict[str, dict[str, Callable[[], str]]] = {
    "OPERATIONS.md": {
        "sensor": lambda: settings(SensorSettings),
        "collector": lambda: settings(CollectorConfig),
        "commands": commands,
    },
    "API.md": {"routes": api_routes},
    "FLEET.md": {"inventory": inventory},
    "EXPRESSIONS.md": {"operators": operators, "fields": fields},
}


def renewed(page: str, name_of_page: str) -> str:
    """The page with each part between its markers written anew; raises ValueError for a part without markers."""
    for name, part in PAGES[name_of_page].items():
        begin, end = f"<!-- {name}: written by scripts/lib/reference.py -->", f"<!-- end of {name} -->"
        pattern = re.compile(re.escape(begin) + r"\n.*?" + re.escape(end), re.DOTALL)
        if not pattern.search(page):
            raise ValueError(f"{name_of_page} has no markers for {name}")
        page = pattern.sub(f"{begin}\n\n{part()}\n\n{end}".replace("\\", r"\\"), page)
    return page


if __name__ == "__main__":
    for name in PAGES:
        path = DOCS / name
        path.write_text(renewed(path.read_text("utf-8"), name), "utf-8")
        sys.stdout.write(f"{path.relative_to(ROOT)} is up to date\n")
