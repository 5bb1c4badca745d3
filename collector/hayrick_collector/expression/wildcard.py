r"""Patterns with `*` and `?`, where `\` takes the next character literally, split once for every store."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable


class Wild(enum.Enum):
    """A part of a pattern that is not literal text."""

    RUN = "*"
    ONE = "?"


Part = str | Wild
_PART = re.compile(r"\\(?P<escaped>.)|(?P<wild>[*?])|(?P<text>[^\\*?]+)|(?P<lone>\\)", re.DOTALL)


def split(pattern: str) -> list[Part]:
    """Literal texts (never two in a row) and wild parts, in order."""
    parts: list[Part] = []
    for found in _PART.finditer(pattern):
        if found["wild"]:
            parts.append(Wild(found["wild"]))
            continue
        text = found["escaped"] or found["text"] or "\\"
        if parts and isinstance(parts[-1], str):
            parts[-1] += text
        else:
            parts.append(text)
    return parts


def join(parts: Iterable[Part]) -> str:
    """The pattern of these parts, literal text escaped."""
    return "".join(part.value if isinstance(part, Wild) else escape(part) for part in parts)


def escape(text: str) -> str:
    """A pattern that fits exactly `text`."""
    return re.sub(r"([\\*?])", r"\\\1", text)


def is_wild(pattern: str) -> bool:
    """Whether anything in the pattern is not literal."""
    return any(isinstance(part, Wild) for part in split(pattern))
