"""Each mistake in a settings file names the file, the key and the reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from hayrick_common.config import load_settings, parse_settings, setting
from hayrick_common.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    name: str = setting(about="who")
    speed: float = setting(1.0, minimum=0)


@dataclass(frozen=True)
class Outer:
    inner: Inner = setting(about="table [inner]")
    items: list[Inner] = setting(factory=list)
    rotate_seconds: int = setting(60, minimum=1, maximum=100)
    folder: Path | None = setting(None)
    mode: Literal["a", "b"] = setting("a")
    on: bool = setting(True)

    def __post_init__(self) -> None:
        if self.rotate_seconds == 13:
            raise ValueError("thirteen is not for us")


GOOD = '[inner]\nname = "x"\n'


def test_defaults_fill_what_is_not_said() -> None:
    assert parse_settings(GOOD, Outer, "f") == Outer(Inner("x"))


def test_types_are_converted_only_where_nothing_is_lost() -> None:
    found = parse_settings('folder = "/a"\n[inner]\nname = "x"\nspeed = 2\n', Outer, "f")
    assert (found.folder, found.inner.speed) == (Path("/a"), 2.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rotate_secs = 1\n" + GOOD, "f: rotate_secs: is not a setting; did you mean 'rotate_seconds'?"),
        ("rotate_seconds = 0\n" + GOOD, "f: rotate_seconds: must be at least 1, not 0"),
        ("rotate_seconds = 101\n" + GOOD, "f: rotate_seconds: must be at most 100, not 101"),
        ("rotate_seconds = true\n" + GOOD, "f: rotate_seconds: must be a whole number, not True"),
        ("rotate_seconds = 13\n" + GOOD, "f: thirteen is not for us"),
        ('on = "yes"\n' + GOOD, "f: on: must be true or false, not 'yes'"),
        ('mode = "c"\n' + GOOD, "f: mode: must be one of 'a', 'b', not 'c'"),
        ("", "f: inner: is required (table [inner])"),
        ("[inner]\n", "f: inner.name: is required (who)"),
        ('inner = "x"\n', "f: inner: must be a table, not 'x'"),
        (
            GOOD + '[[items]]\nname = "y"\n[[items]]\nnam = "z"\n',
            "f: items[2].nam: is not a setting; did you mean 'name'?",
        ),
        ("rotate_seconds = \n", "f: not TOML: "),
    ],
)
def test_mistake_names_key_and_reason(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings(text, Outer, "f")
    assert str(caught.value).startswith(message)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.toml: No such file"):
        load_settings(tmp_path / "no.toml", Outer)
