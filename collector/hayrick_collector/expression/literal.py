"""A value as it was typed, with the place it stands at, so that every refusal can point there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal as OneOf

from hayrick_common.errors import ExpressionError

Style = OneOf["bare", "quoted", "regex"]


@dataclass(frozen=True, slots=True)
class Literal:
    """`text` is without its quotes or slashes, escapes still in it; `column` counts from 1."""

    text: str
    style: Style
    column: int

    @property
    def plain(self) -> str:
        """The text with its escapes resolved."""
        return resolved(self.text)

    def refuse(self, reason: str, offset: int = 0, *, expected: tuple[str, ...] = ()) -> ExpressionError:
        """The error that points at this value, `offset` characters into it."""
        return ExpressionError(reason, self.column + offset, expected=expected)


def from_token(kind: str, text: str, position: int) -> Literal:
    """The literal of one terminal of the grammar; `position` counts from 0."""
    if kind == "QUOTED":
        return Literal(text[1:-1], "quoted", position + 1)
    if kind == "REGEX":
        return Literal(text[1:-1], "regex", position + 1)
    return Literal(text, "bare", position + 1)


_PLAIN = re.compile(r"[^\s()\[\]\"&|,!<>=\\*?/$][^\s()\[\]\"&|,!<>=\\*?]*")


def resolved(text: str) -> str:
    """What is left of a typed text when each `\\` has made the next character literal."""
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def written(value: str, ending: str = "") -> str:
    """How a value that means itself is typed: in quotes where it must be, with wildcards escaped. `ending`: a pattern
    that goes on behind it."""
    if _PLAIN.fullmatch(value):
        return value + ending
    return '"' + re.sub(r'([\\"*?])', r"\\\1", value) + ending + '"'
