"""What a tag may be: a word that needs no quoting in a shell, an expression or an address."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hayrick_common.errors import UsageError

TAG = re.compile(r"[\w.:@/=+-]{1,100}")


def check_tags(words: Iterable[str]) -> tuple[str, ...]:
    """The tags, each once, in order; a word may hold several, separated by commas. Raises UsageError."""
    tags = dict.fromkeys(tag for word in words for tag in word.split(",") if tag)
    for tag in tags:
        if not TAG.fullmatch(tag):
            raise UsageError(f"tag {tag[:100]!r}: up to 100 letters, digits and _ - . : @ / = +, no spaces")
    return tuple(tags)
