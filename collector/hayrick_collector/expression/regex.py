r"""The dialect of regexes: what RE2, Lucene and Python read alike, checked and written out in one plain form.

Literals, `.`, `[...]`, `\d \w \s`, `|`, `(...)`, `? * + {n,m}`; a match is always of the whole value and takes linear
time. No look-around, no back references, no anchors inside, no lazy or possessive repeats, no inline flags.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal as OneOf

MAX_LENGTH = 1000  # Lucene's own default limit
MAX_REPEAT = 1000  # RE2 refuses more, also when nested repeats multiply to more
MAX_NESTING = 50
_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_CONTROL_NAMES = {text: name for name, text in _CONTROLS.items()}
_REPEAT = re.compile(r"[*+?]|\{(\d{1,4})(,(\d{0,4}))?\}")
_SPECIAL = frozenset(r"\.[]{}()*+?|^$")

Kind = OneOf["literal", "any", "set", "open", "close", "or", "repeat"]


@dataclass(frozen=True, slots=True)
class Piece:
    """One element; `text` is the character itself for a literal, the canonical form otherwise."""

    kind: Kind
    text: str
    negated: bool = False
    ranges: tuple[tuple[str, str], ...] = ()


class RegexError(ValueError):
    """What is wrong with a regex, and how many characters into it."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason)
        self.offset = offset


def parse(pattern: str) -> list[Piece]:
    """The pieces of a regex; RegexError if it is none of the dialect."""
    if len(pattern) > MAX_LENGTH:
        raise RegexError(f"a regex is at most {MAX_LENGTH} characters long", MAX_LENGTH)
    start = 1 if pattern.startswith("^") else 0
    end = len(pattern) - 1 if re.search(r"(?<!\\)(?:\\\\)*\$$", pattern) else len(pattern)
    pieces: list[Piece] = []
    check = _Balance()
    for offset, piece in _scan(pattern, start, end):
        check.step(piece, offset)
        pieces.append(piece)
    check.finish(end)
    return pieces


def reread(canonical: str) -> list[Piece]:
    """The pieces of a regex that `render` wrote, for a store with a spelling of its own."""
    return [piece for _, piece in _scan(canonical, 0, len(canonical))]


def render(pieces: list[Piece]) -> str:
    """The canonical text of the pieces."""
    return "".join(_escape(piece.text) if piece.kind == "literal" else piece.text for piece in pieces)


def fold(pieces: list[Piece], *, upper: bool) -> list[Piece]:
    """The same with all literal text in one case."""

    def change(text: str) -> str:
        return text.upper() if upper else text.lower()

    folded: list[Piece] = []
    for piece in pieces:
        if piece.kind == "literal":
            folded.extend(Piece("literal", each) for each in change(piece.text))
        elif piece.kind == "set" and all(len(change(edge)) == 1 for pair in piece.ranges for edge in pair):
            folded.append(_set(_fold_ranges(piece.ranges, upper=upper), piece.negated))
        else:
            folded.append(piece)
    return folded


def _fold_ranges(ranges: tuple[tuple[str, str], ...], *, upper: bool) -> list[tuple[str, str]]:
    """Ranges kept as they are, plus the wanted case of the letters in them where they hold the other."""
    found = list(ranges)
    first, last = ("a", "z") if upper else ("A", "Z")
    for low, high in ranges:
        low, high = max(low, first), min(high, last)
        if low <= high:
            found.append((low.upper(), high.upper()) if upper else (low.lower(), high.lower()))
    return found


def _scan(pattern: str, at: int, end: int) -> Iterator[tuple[int, Piece]]:
    singles: dict[str, Kind] = {".": "any", ")": "close", "|": "or"}
    while at < end:
        start, char = at, pattern[at]
        if char == "\\":
            piece, at = _read_escape(pattern, at, end)
        elif char == "[":
            piece, at = _read_set(pattern, at, end)
        elif char == "(":
            piece, at = _read_open(pattern, at)
        elif char in "*+?{":
            piece, at = _read_repeat(pattern, at)
        elif char in "^$":
            raise RegexError("a regex fits the whole value; write \\^ or \\$ for the character", at)
        else:
            piece, at = Piece(singles.get(char, "literal"), char), at + 1
        yield start, piece


def _read_escape(pattern: str, at: int, end: int) -> tuple[Piece, int]:
    if at + 1 >= end:
        raise RegexError("a regex cannot end in a lone backslash", at)
    char = pattern[at + 1]
    if char.lower() in _CLASSES:
        return _set(_ranges(_CLASSES[char.lower()]), negated=char.isupper()), at + 2
    if char.isalnum() and char not in _CONTROLS:
        raise RegexError(f"\\{char} is not in the dialect of regexes here", at)
    return Piece("literal", _CONTROLS.get(char, char)), at + 2


def _read_open(pattern: str, at: int) -> tuple[Piece, int]:
    if pattern.startswith("(?:", at):
        return Piece("open", "("), at + 3
    if pattern.startswith("(?", at):
        raise RegexError("look-around, flags and named groups are not in the dialect of regexes here", at)
    return Piece("open", "("), at + 1


def _read_repeat(pattern: str, at: int) -> tuple[Piece, int]:
    found = _REPEAT.match(pattern, at)
    if not found:
        raise RegexError("expected a repeat such as {2} or {2,5}; write \\{ for the character", at)
    if found[1]:
        low, high = int(found[1]), int(found[3] or found[1])
        if high < low:
            raise RegexError("a repeat ends before it starts", at)
    return Piece("repeat", found[0]), found.end()


def _read_set(pattern: str, at: int, end: int) -> tuple[Piece, int]:
    start, at = at, at + 1
    negated = pattern.startswith("^", at)
    at += negated
    ranges: list[tuple[str, str]] = []
    while at < end and (pattern[at] != "]" or not ranges):
        low, at = _read_member(pattern, at, end)
        if len(low) > 1:
            ranges.extend(_ranges(low))
            continue
        high = low
        if pattern.startswith("-", at) and not pattern.startswith("-]", at):
            high, at = _read_member(pattern, at + 1, end)
        if len(high) > 1 or high < low:
            raise RegexError("a range in [...] ends before it starts", at)
        ranges.append((low, high))
    if at >= end:
        raise RegexError("expected ] to close this [", start)
    return _set(ranges, negated), at + 1


def _read_member(pattern: str, at: int, end: int) -> tuple[str, int]:
    """One character of a set, or the range text of a class such as `\\d`."""
    if at >= end:
        raise RegexError("expected ] to close a [", at)
    char = pattern[at]
    if char == "[" and pattern.startswith((":", ".", "="), at + 1):
        raise RegexError("named classes such as [:alpha:] are not in the dialect of regexes here", at)
    if char != "\\":
        return char, at + 1
    piece, after = _read_escape(pattern, at, end)
    if piece.kind == "literal":
        return piece.text, after
    if piece.negated:
        raise RegexError("a negated class cannot stand inside [...]", at)
    return _CLASSES[pattern[at + 1]], after


def _ranges(text: str) -> list[tuple[str, str]]:
    """`0-9A-Z_` and `\\t\\n` to pairs."""
    found = re.findall(r"\\(.)|(.)-(.)|(.)", text)
    pairs = []
    for control, low, high, single in found:
        one = _CONTROLS[control] if control else single
        pairs.append((low, high) if low else (one, one))
    return pairs


def _set(ranges: list[tuple[str, str]], negated: bool) -> Piece:
    unique = tuple(dict.fromkeys(ranges))
    body = "".join(_edge(low) if low == high else f"{_edge(low)}-{_edge(high)}" for low, high in unique)
    return Piece("set", f"[{'^' if negated else ''}{body}]", negated, unique)


def _edge(char: str) -> str:
    if char in _CONTROL_NAMES:
        return "\\" + _CONTROL_NAMES[char]
    return char if char.isalnum() or ord(char) > 127 or char in " _" else "\\" + char


def _escape(char: str) -> str:
    if char in _CONTROL_NAMES:
        return "\\" + _CONTROL_NAMES[char]
    return "\\" + char if char in _SPECIAL else char


class _Balance:
    """Refuses what does not nest, repeats nothing or repeats too much."""

    def __init__(self) -> None:
        self._opened: list[tuple[int, int]] = []  # where, and the largest repeat so far inside
        self._largest = 1
        self._atom = 0  # the repeats inside what stands right before; 0: nothing that can be repeated

    def step(self, piece: Piece, offset: int) -> None:
        if piece.kind == "open":
            if len(self._opened) == MAX_NESTING:
                raise RegexError(f"groups nest at most {MAX_NESTING} deep", offset)
            self._opened.append((offset, self._largest))
            self._largest, self._atom = 1, 0
        elif piece.kind == "close":
            if not self._opened:
                raise RegexError("this ) closes nothing", offset)
            self._atom = self._largest
            self._largest = max(self._atom, self._opened.pop()[1])
        elif piece.kind == "repeat":
            self._repeat(piece, offset)
        else:
            self._atom = 0 if piece.kind == "or" else 1

    def _repeat(self, piece: Piece, offset: int) -> None:
        if not self._atom:
            raise RegexError(f"{piece.text} repeats nothing; write \\{piece.text[0]} for the character", offset)
        times = max([int(number) for number in re.findall(r"\d+", piece.text)], default=1)
        if self._atom * times > MAX_REPEAT:
            raise RegexError(f"repeats multiply to more than {MAX_REPEAT}", offset)
        self._largest = max(self._largest, self._atom * max(times, 1))
        self._atom = 0

    def finish(self, end: int) -> None:
        if self._opened:
            raise RegexError("expected ) to close this (", min(self._opened[-1][0], end))
