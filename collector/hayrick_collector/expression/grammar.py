"""The grammar as a parser, and what its terminals are called when one of them was expected."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

from lark import Lark, Token
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from hayrick_common.errors import ExpressionError

OPERATORS = {
    "==": "some value is this",
    "!=": "no value is this",
    ">=": "this or more",
    "<=": "this or less",
    ">": "more than this",
    "<": "less than this",
}
VALUES = ("QUOTED", "REGEX", "BRACKETED", "BARE")
_NAMES = {
    "FIELD": "a field",
    "OPERATOR": "an operator (== != < <= > >=)",
    "EXISTS": "EXISTS!",
    "QUOTED": 'a "quoted" value',
    "REGEX": "a /regex/",
    "BARE": "a value",
    "_OR": "||",
    "_AND": "&&",
    "_NOT": "!",
    "_LPAR": "(",
    "_RPAR": ")",
    "_LSQB": "[",
    "_RSQB": "]",
    "_COMMA": "a comma",
    "$END": "the end",
}


@cache
def grammar() -> Lark:
    """The parser, made once."""
    text = Path(__file__).with_name("grammar.lark").read_text("utf-8")
    return Lark(text, parser="lalr", lexer="contextual", maybe_placeholders=False)


def refusal(text: str, error: UnexpectedInput) -> ExpressionError:
    """What stands where something else was expected."""
    position, found = len(text), ""
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        position, found = error.token.start_pos or 0, str(error.token)
    elif isinstance(error, UnexpectedCharacters):
        position = _offset(text, error.line, error.column)
        found = text[position : position + 1]
    names = expectation(_accepted_after(text[:position]))
    shown = repr(found) if found else "the end of the expression"
    return ExpressionError(f"expected {listed(names)}, found {shown}", position + 1, found=found, expected=names)


def expectation(terminals: Collection[str]) -> tuple[str, ...]:
    """What these terminals are called, in the order of the table."""
    return tuple(name for terminal, name in _NAMES.items() if terminal in terminals)


def listed(names: tuple[str, ...]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return " or ".join(names) if len(names) < 3 else ", ".join(names[:-1]) + " or " + names[-1]


def accepted(parser: InteractiveParser) -> set[str]:
    """The terminals that may come next."""
    return set(parser.accepts())  # type: ignore[no-untyped-call]


def tokens(parser: InteractiveParser) -> Iterator[Token]:
    """The tokens of the parser's text, each to be fed or not."""
    yield from parser.lexer_thread.lex(parser.parser_state)  # type: ignore[no-untyped-call]


def _accepted_after(before: str) -> set[str]:
    """What may follow this text; the lexer's own error knows only what might follow somewhere."""
    parser = grammar().parse_interactive(before)
    parser.exhaust_lexer()
    return accepted(parser)


def _offset(text: str, line: int, column: int) -> int:
    """Characters before the place that lark counts in lines and columns from 1."""
    return sum(len(each) for each in text.splitlines(keepends=True)[: line - 1]) + column - 1
