"""Settings files: TOML into dataclasses, where every mistake names the file, the key and the reason."""

from __future__ import annotations

import dataclasses
import difflib
import re
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from hayrick_common.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Settings = TypeVar("Settings")
_NAMES: dict[Any, str] = {
    int: "a whole number", float: "a number", bool: "true or false", str: "text", Path: "a path as text",
    dict: "a table", list: "a list",
}  # fmt: skip


def setting(
    default: Any = dataclasses.MISSING,
    *,
    about: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    pattern: str | None = None,
    factory: Callable[[], Any] | None = None,
) -> Any:
    """A dataclass field with what the loader checks; with neither default nor factory it is required."""
    metadata = {"about": about, "minimum": minimum, "maximum": maximum, "pattern": pattern}
    if factory is not None:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def load_settings(path: Path, kind: type[Settings]) -> Settings:
    """Read the TOML file at `path` into the dataclass `kind`; raises ConfigError."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(f"{path}: {reason}") from error
    return parse_settings(text, kind, str(path))


def parse_settings(text: str, kind: type[Settings], where: str) -> Settings:
    """Like `load_settings`, of TOML text; `where` stands for the file in messages."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: not TOML: {error}") from error
    return read_table(table, kind, where)


def read_table(table: Any, kind: type[Settings], where: str) -> Settings:
    """Like `parse_settings`, of a table that was read already, from TOML or YAML."""
    return _Loader(where).table(table, kind, "")


@dataclasses.dataclass(frozen=True)
class _Loader:
    where: str

    def fail(self, key: str, reason: str) -> ConfigError:
        return ConfigError(f"{self.where}: {key}: {reason}" if key else f"{self.where}: {reason}")

    def table(self, table: Any, kind: type[Settings], prefix: str) -> Settings:
        if not isinstance(table, dict):
            raise self.fail(prefix.rstrip("."), f"must be a table, not {_said(table)}")
        hints = get_type_hints(kind)
        fields = {each.name: each for each in dataclasses.fields(kind)}  # type: ignore[arg-type]
        for key in table:
            if key not in fields:
                raise self.fail(prefix + key, _unknown(key, list(fields)))
        values = {
            name: self.value(table[name], hints[name], fields[name].metadata, prefix + name)
            for name in fields
            if name in table
        }
        self.require(fields, values, prefix)
        try:
            return kind(**values)
        except ValueError as error:
            raise self.fail(prefix.rstrip("."), str(error)) from error

    def require(self, fields: dict[str, dataclasses.Field[Any]], values: dict[str, Any], prefix: str) -> None:
        for name, field in fields.items():
            optional = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
            if name not in values and not optional:
                raise self.fail(prefix + name, f"is required ({field.metadata.get('about') or 'no default'})")

    def value(self, value: Any, hint: Any, limits: Any, key: str) -> Any:
        if get_origin(hint) in (Union, types.UnionType):
            hint = next(each for each in get_args(hint) if each is not type(None))
        if get_origin(hint) in (list, tuple):
            return self.sequence(value, hint, limits, key)
        if get_origin(hint) is Literal:
            return self.choice(value, get_args(hint), key)
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            return self.table(value, hint, key + ".")
        return self.scalar(value, hint, limits, key)

    def sequence(self, value: Any, hint: Any, limits: Any, key: str) -> Any:
        if not isinstance(value, list):
            raise self.fail(key, f"must be a list, not {_said(value)}")
        item = get_args(hint)[0]
        items = [self.value(each, item, limits, f"{key}[{index}]") for index, each in enumerate(value, 1)]
        return items if get_origin(hint) is list else tuple(items)

    def choice(self, value: Any, choices: Sequence[Any], key: str) -> Any:
        if value not in choices:
            raise self.fail(key, f"must be one of {', '.join(map(repr, choices))}, not {value!r}")
        return value

    def scalar(self, value: Any, hint: Any, limits: Any, key: str) -> Any:
        if hint is float and type(value) is int:
            value = float(value)
        if hint is Path and isinstance(value, str):
            return Path(value).expanduser()
        if type(value) is not hint:
            raise self.fail(key, f"must be {_wanted(hint)}, not {_said(value)}")
        self.check(value, limits, key)
        return value

    def check(self, value: Any, limits: Any, key: str) -> None:
        low, high, pattern = (limits.get(each) for each in ("minimum", "maximum", "pattern"))
        if low is not None and value < low:
            raise self.fail(key, f"must be at least {low}, not {value}")
        if high is not None and value > high:
            raise self.fail(key, f"must be at most {high}, not {value}")
        if pattern and not re.fullmatch(pattern, value):
            raise self.fail(key, f"{value!r} does not fit {pattern}")


def _unknown(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, 1, 0.5)
    return f"is not a setting; did you mean {near[0]!r}?" if near else f"is not a setting; known: {', '.join(known)}"


def _wanted(hint: Any) -> str:
    return _NAMES.get(hint, str(hint))


def _said(value: Any) -> str:
    return _NAMES[type(value)] if isinstance(value, (dict, list)) else f"{value!r}"[:60]
