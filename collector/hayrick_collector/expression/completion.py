"""What may be typed at a place of an expression: the grammar says which kinds of thing, the catalogue says which.

Pure: what only a store knows (the values of a field) is for the caller to add, to `Completion.field`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lark import Token
from lark.exceptions import UnexpectedInput

from hayrick_collector.expression import candidates
from hayrick_collector.expression.candidates import Candidate
from hayrick_collector.expression.fields import Catalogue, Field
from hayrick_collector.expression.grammar import (
    OPERATORS,
    VALUES,
    accepted,
    expectation,
    grammar,
    listed,
    refusal,
    tokens,
)
from hayrick_collector.expression.parser import VIEW, unknown_field
from hayrick_collector.expression.values import expected_of
from hayrick_common.errors import ExpressionError

LIMIT = 100
_GROWING = ("FIELD", "OPERATOR", "BARE")  # terminals that more letters may follow
_AROUND = {"FIELD": re.compile(r"[\w.@:\-]*"), "BARE": re.compile(r"(?:[^\s()\[\]\"&|,!<>=\\]|\\.)*")}
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SIGNS = {"_AND": "&&", "_OR": "||", "_NOT": "!", "_LPAR": "(", "_RPAR": ")", "_LSQB": "[", "_RSQB": "]", "_COMMA": ","}


@dataclass(frozen=True, slots=True)
class Completion:
    """`text[start:stop]` (characters, from 0) is what a candidate replaces; `typed` the part of it before the cursor,
    without its quotes. `expects` tells people what belongs there. `field`: a value of it is being typed, and stored
    values may be offered too. `error`: a mistake before the cursor, which leaves nothing to offer."""

    start: int
    stop: int
    typed: str = ""
    expects: str = ""
    candidates: tuple[Candidate, ...] = ()
    field: Field | None = None
    error: ExpressionError | None = None


@dataclass(slots=True)
class _Place:
    """How far the text before the cursor was understood."""

    accepts: set[str] = field(default_factory=set)
    start: int = 0
    kind: str = ""  # the terminal that is being typed, if any
    name: Token | None = None  # the field last named
    error: ExpressionError | None = None


def complete(
    text: str,
    cursor: int,
    catalogue: Catalogue,
    *,
    lists: Mapping[str, Sequence[str]] | None = None,
    views: Mapping[str, str] | None = None,
    limit: int = LIMIT,
) -> Completion:
    """What may stand at `cursor` (characters, from 0; past the end: the end), at most `limit` candidates."""
    cursor = max(0, min(cursor, len(text)))
    place = _read(text[:cursor])
    if place.error is not None:
        return Completion(cursor, cursor, error=place.error)
    stop = _stop(text, place, cursor)
    typed = text[place.start : cursor].removeprefix('"')
    if place.accepts.isdisjoint(VALUES):
        found = _signs_and_names(place, typed, catalogue, with_views=views is not None)
        expects = listed(expectation(place.accepts))
        return Completion(place.start, stop, typed, expects, tuple(found[:limit]))
    if place.name == VIEW:
        saved = candidates.views(views or {}, typed)
        return Completion(place.start, stop, typed, "the name of a saved view", tuple(saved[:limit]))
    name = catalogue.find(str(place.name))
    if name is None:
        wrong = unknown_field(catalogue, str(place.name), (place.name.start_pos or 0) + 1 if place.name else 1)
        return Completion(cursor, cursor, error=wrong)
    exists, in_regex = "EXISTS" in place.accepts, typed.startswith("/")
    found = [] if in_regex else candidates.values(catalogue, name, typed, lists or {}, exists=exists)
    return Completion(place.start, stop, typed, expected_of(name), tuple(found[:limit]), field=name)


def _stop(text: str, place: _Place, cursor: int) -> int:
    """The end of what is being typed, which may go on behind the cursor."""
    around = _AROUND.get(place.kind)
    found = around.match(text, cursor) if around else _QUOTED.match(text, place.start)
    return max(cursor, found.end()) if found else cursor


def _read(before: str) -> _Place:
    """Take tokens up to the one that the cursor touches."""
    place, end, last = _Place(), 0, Token("", "")
    parser = grammar().parse_interactive(before)
    try:
        for token in tokens(parser):
            start, end_of_token = token.start_pos or 0, token.end_pos or 0
            if end_of_token == len(before) and token.type in _GROWING and _may_grow(token):
                place.accepts, place.start, place.kind = accepted(parser), start, token.type
                return place
            parser.feed_token(token)
            end, last = end_of_token, token
            place.name = token if token.type == "FIELD" else place.name
    except UnexpectedInput as error:
        rest = before[end:].lstrip()
        place.accepts, place.start = accepted(parser), len(before) - len(rest)
        if last.type == "BARE" and last.startswith("/"):  # a regex without its end reads as a value and then a mistake
            place.accepts, place.start = set(VALUES), last.start_pos or 0
        elif not _begun(rest, place.accepts):
            place.error = refusal(before, error)
        return place
    place.accepts, place.start = accepted(parser), len(before)
    return place


def _may_grow(token: Token) -> bool:
    """`==` is whole, `=` may become it."""
    return token.type != "OPERATOR" or any(each.startswith(token) and each != token for each in OPERATORS)


def _begun(rest: str, accepts: set[str]) -> bool:
    """Whether what no terminal fits may still become one: half an operator, an open quote, an open regex."""
    signs = [sign for terminal, sign in _SIGNS.items() if terminal in accepts]
    signs += OPERATORS if "OPERATOR" in accepts else ()
    opened = not accepts.isdisjoint(VALUES) and rest[:1] in ('"', "/")
    return opened or any(sign.startswith(rest) for sign in signs)


def _signs_and_names(place: _Place, typed: str, catalogue: Catalogue, *, with_views: bool) -> list[Candidate]:
    found = candidates.fields(catalogue, typed, with_views=with_views) if "FIELD" in place.accepts else []
    if "OPERATOR" in place.accepts:
        named = catalogue.find(str(place.name))
        found += candidates.operators(named, typed)
    signs = {sign for terminal, sign in _SIGNS.items() if terminal in place.accepts}
    return found + candidates.signs(signs, typed)
