"""Members of session documents by their dotted names, whether nested or written flat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any


def values(document: Any, name: str) -> list[Any]:
    """All values at a dotted name, lists and lists of objects flattened; empty if there are none."""
    return list(_walk(document, name))


def _walk(at: Any, name: str) -> Iterator[Any]:
    if isinstance(at, list):
        for each in at:
            yield from _walk(each, name)
    elif not name:
        if at is not None:
            yield at
    elif isinstance(at, dict):
        for key, below in at.items():
            if key == name:
                yield from _walk(below, "")
            elif name.startswith(f"{key}."):
                yield from _walk(below, name[len(key) + 1 :])


def pick(document: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The document with these members only, nested as it was."""
    kept: dict[str, Any] = _pick(document, tuple(names))
    return kept


def _pick(at: Any, names: tuple[str, ...]) -> Any:
    if isinstance(at, list):
        return [_pick(each, names) for each in at]
    if not isinstance(at, dict):
        return at
    kept: dict[str, Any] = {}
    for key, below in at.items():
        rest = tuple(name[len(key) + 1 :] for name in names if name.startswith(f"{key}."))
        if key in names:
            kept[key] = below
        elif rest and (inner := _pick(below, rest)):
            kept[key] = inner
    return kept


def put(document: dict[str, Any], name: str, value: Any) -> None:
    """Set a top-level member, or take it away if the value is None."""
    if value is None:
        document.pop(name, None)
    else:
        document[name] = value
