"""The dialect of regexes written out as Lucene reads it: no escaped letters, quotes escaped, no empty alternative."""

from __future__ import annotations

from hayrick_collector.expression import regex
from hayrick_collector.expression.regex import Piece

_EMPTY = "()"
_NOTHING_BETWEEN = {("open", "or"), ("or", "or"), ("or", "close")}


def pattern(canonical: str) -> str:
    """Lucene's text of a regex of the dialect (to be used without Lucene's optional operators)."""
    pieces = regex.reread(canonical)
    written: list[str] = []
    before = "or"
    for piece in pieces:
        if (before, piece.kind) in _NOTHING_BETWEEN:
            written.append(_EMPTY)
        written.append(_piece(piece))
        before = piece.kind
    if before == "or" and pieces:
        written.append(_EMPTY)
    return "".join(written)


def _piece(piece: Piece) -> str:
    if piece.kind == "literal":
        return _escaped(piece.text)
    if piece.kind == "set":
        inner = "".join(_range(low, high) for low, high in piece.ranges)
        return f"[{'^' if piece.negated else ''}{inner}]"
    return piece.text


def _range(low: str, high: str) -> str:
    return _escaped(low) if low == high else f"{_escaped(low)}-{_escaped(high)}"


def _escaped(char: str) -> str:
    return char if char.isalnum() or char.isspace() or ord(char) > 127 else "\\" + char
