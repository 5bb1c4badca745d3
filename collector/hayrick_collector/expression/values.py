"""Typed values to tests on one stored field, by the field's kind; refusals say what was expected and where."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import tzinfo

from hayrick_collector.expression import addresses, regex, times, transforms, wildcard
from hayrick_collector.expression.fields import TEXT_KINDS, Catalogue, Field
from hayrick_collector.expression.literal import Literal
from hayrick_collector.expression.tree import (
    Interval,
    Match,
    Node,
    Regex,
    Term,
    Test,
    Wildcard,
    Words,
    conjunction,
    disjunction,
)
from hayrick_common.errors import ExpressionError

INTEGER_LIMIT = 1 << 63
ORDERINGS = ("<", "<=", ">", ">=")
_WHOLE = "a whole number or a range such as 80-90"
_TEXT = 'a text, "quoted" where it holds spaces or signs, a pattern with * and ?, or a /regex/'
_EXPECTED = {
    "ip": addresses.FORMS,
    "integer": _WHOLE,
    "date": times.FORMS,
    "seconds": times.FORMS,
    "boolean": "true or false",
}


def expected_of(field: Field) -> str:
    """What a value of the field looks like, for people."""
    if field.transform == "ip_protocol":
        return f"{_WHOLE}, or a protocol such as tcp"
    return _EXPECTED.get(field.kind, "words of letters and digits" if field.kind in TEXT_KINDS else _TEXT)


class Values:
    """Builds the conditions on stored fields; holds what values depend on besides their text."""

    def __init__(self, catalogue: Catalogue, now_ms: int, zone: tzinfo) -> None:
        self._catalogue = catalogue
        self._now_ms, self._zone = now_ms, zone

    def condition(self, field: Field, operator: str, literals: Iterable[Literal]) -> Node:
        """`field` compared with any of the values; `!=` is for the caller to negate."""
        tests: list[Test] = []
        others: list[Node] = []
        for literal in literals:
            made = self._one(field, operator, literal)
            if isinstance(made, Test):
                tests.append(made)
            else:
                others.append(made)
        return disjunction([*([Match(field, tuple(tests))] if tests else []), *others])

    def _one(self, field: Field, operator: str, literal: Literal) -> Test | Node:
        if "\0" in literal.text:
            raise literal.refuse("a value cannot hold a NUL character")
        try:
            return self._maker(field)(field, operator, literal)
        except ExpressionError as error:
            error.expected = error.expected or (expected_of(field),)
            raise

    def _maker(self, field: Field) -> Callable[[Field, str, Literal], Test | Node]:
        makers: dict[str, Callable[[Field, str, Literal], Test | Node]] = {
            "ip": self._address,
            "integer": self._integer,
            "date": self._time,
            "seconds": self._time,
            "boolean": _boolean,
            "textfield": _words,
            "lotextfield": _words,
            "uptextfield": _words,
        }
        return makers.get(field.kind, _term)

    def _address(self, field: Field, operator: str, literal: Literal) -> Test | Node:
        _refuse_regex(field, literal)
        name = literal.plain.strip().lower()
        if name in ("ipv4", "ipv6"):
            return _family(field, operator, literal, name)
        try:
            span = addresses.parse_address(literal.plain.strip())
        except ValueError as error:
            raise literal.refuse(f"{field.expression}: {error}") from None
        if operator in ORDERINGS and span.port is not None:
            raise literal.refuse(f"{field.expression}: an address with a port can only be compared with == or !=")
        test = _ordered(operator, span.low, span.high, 0, addresses.LAST)
        if span.port is None:
            return test
        port = self._catalogue.port_of(field)
        if port is None:
            raise literal.refuse(f"{field.expression} has no port to compare with")
        return conjunction([Match(field, (test,)), Match(port, (Interval(span.port, span.port),))])

    def _integer(self, field: Field, operator: str, literal: Literal) -> Test:
        _refuse_regex(field, literal)
        low, high = _whole_numbers(field, literal)
        if operator in ORDERINGS and low != high:
            raise literal.refuse(f"{field.expression}: a range can only be compared with == or !=")
        return _ordered(operator, low, high, -INTEGER_LIMIT, INTEGER_LIMIT - 1)

    def _time(self, field: Field, operator: str, literal: Literal) -> Test:
        _refuse_regex(field, literal)
        try:
            first, last = times.parse_time(literal.plain, self._now_ms, self._zone)
        except ValueError as error:
            raise literal.refuse(f"{field.expression}: {error}") from None
        return _ordered(operator, first, last, -INTEGER_LIMIT, INTEGER_LIMIT - 1)


def _ordered(operator: str, low: int, high: int, least: int, most: int) -> Interval:
    """The interval that a comparison with a span means; one that cannot hold ends before it starts."""
    spans: dict[str, tuple[int | None, int | None]] = {
        "<": (None, low - 1),
        "<=": (None, high),
        ">": (high + 1, None),
        ">=": (low, None),
    }
    below, above = spans.get(operator, (low, high))
    impossible = (below is not None and below > most) or (above is not None and above < least)
    return Interval(1, 0) if impossible else Interval(below, above)


def _family(field: Field, operator: str, literal: Literal, name: str) -> Node:
    if operator in ORDERINGS:
        raise literal.refuse(f"{field.expression}: {name} can only be compared with == or !=")
    if name == "ipv4":
        return Match(field, (Interval(addresses.V4_FIRST, addresses.V4_LAST),))
    return Match(field, (Interval(0, addresses.V4_FIRST - 1), Interval(addresses.V4_LAST + 1, addresses.LAST)))


_NUMBER = re.compile(r"-?\d{1,20}|0[xX][0-9A-Fa-f]{1,16}")
_RANGE = re.compile(r"(-?\d{1,20})-(-?\d{1,20})")


def _whole_numbers(field: Field, literal: Literal) -> tuple[int, int]:
    text = literal.plain.strip()
    if found := _RANGE.fullmatch(text):
        low, high = int(found[1]), int(found[2])
    elif _NUMBER.fullmatch(text):
        low = high = int(text, 16 if text[:2].lower() == "0x" else 10)
    elif field.transform == "ip_protocol":
        number = transforms.protocol_number(text)
        if number is None:
            raise literal.refuse(f"{field.expression}: expected {expected_of(field)}")
        low = high = number
    else:
        raise literal.refuse(f"{field.expression}: expected {_WHOLE}")
    if not -INTEGER_LIMIT <= low <= high < INTEGER_LIMIT:
        raise literal.refuse(f"{field.expression}: the range is empty or too large for 64 bits")
    return low, high


def _boolean(field: Field, operator: str, literal: Literal) -> Test:
    names = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    value = names.get(literal.plain.lower()) if literal.style != "regex" else None
    if value is None or operator in ORDERINGS:
        raise literal.refuse(f"{field.expression}: expected == or != and true or false")
    return Term(value)


def _words(field: Field, operator: str, literal: Literal) -> Test:
    _refuse_order(field, operator, literal)
    _refuse_regex(field, literal)
    words = split_words(literal.plain)
    if not words:
        raise literal.refuse(f"{field.expression}: expected words of letters and digits")
    return Words(tuple(words))


def split_words(text: str) -> list[str]:
    """Runs of letters and digits, in lower case, as word searches see a value."""
    return re.findall(r"[^\W_]+", text.lower())


def _term(field: Field, operator: str, literal: Literal) -> Test:
    _refuse_order(field, operator, literal)
    if literal.style == "regex":
        return _regex(field, literal)
    parts = transforms.text(wildcard.split(_cased(field, literal.text)), field.transform)
    if any(isinstance(part, wildcard.Wild) for part in parts):
        return Wildcard(wildcard.join(parts))
    return Term("".join(part for part in parts if isinstance(part, str)))


def _cased(field: Field, text: str) -> str:
    if field.kind.startswith("lo"):
        return text.lower()
    return text.upper() if field.kind.startswith("up") else text


def _regex(field: Field, literal: Literal) -> Regex:
    try:
        parsed = regex.parse(literal.text)
        if field.kind.startswith(("lo", "up")):
            parsed = regex.fold(parsed, upper=field.kind.startswith("up"))
        return Regex(regex.render(transforms.pieces(parsed, field.transform)))
    except regex.RegexError as error:
        raise literal.refuse(f"{field.expression}: {error}", offset=1 + error.offset) from None


def _refuse_regex(field: Field, literal: Literal) -> None:
    if literal.style == "regex":
        raise literal.refuse(f"{field.expression} is of kind {field.kind}: it takes no regex")


def _refuse_order(field: Field, operator: str, literal: Literal) -> None:
    if operator in ORDERINGS:
        raise literal.refuse(f"{field.expression} is text: expected == or !=, not {operator}")
