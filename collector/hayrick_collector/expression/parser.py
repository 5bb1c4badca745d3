"""Text to tree: the grammar drives, the catalogue names the fields, and every refusal names its column."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timezone, tzinfo
from fnmatch import fnmatchcase

from lark import Token, Tree
from lark.exceptions import UnexpectedInput

from hayrick_collector.expression.fields import OBJECT, Catalogue, Field
from hayrick_collector.expression.grammar import grammar, refusal
from hayrick_collector.expression.literal import Literal, from_token
from hayrick_collector.expression.tree import EVERYTHING, Exists, Node, conjunction, depth, disjunction, negation
from hayrick_collector.expression.values import ORDERINGS, Values
from hayrick_common.clock import epoch_ms
from hayrick_common.errors import ExpressionError

MAX_LENGTH = 100_000  # characters: thousands of addresses in a list, and no more
MAX_DEPTH = 200
MAX_VIEWS = 10
VIEW = "view"
MOST_VALUES = 100_000  # of saved lists in one expression


@dataclass(frozen=True, slots=True)
class Context:
    """What an expression means depends on these besides its text."""

    catalogue: Catalogue
    now_ms: int
    zone: tzinfo = timezone.utc
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    views: Mapping[str, str] = field(default_factory=dict)
    views_left: int = MAX_VIEWS


def parse_expression(
    text: str,
    catalogue: Catalogue,
    *,
    now_ms: int | None = None,
    zone: tzinfo = timezone.utc,
    lists: Mapping[str, Sequence[str]] | None = None,
    views: Mapping[str, str] | None = None,
) -> Node:
    """The tree of an expression; blank text means every session.

    `now_ms`: what relative times count from. `zone`: of times that name none. `lists`: saved lists of values by name,
    written `$name`. `views`: saved expressions by name, written `view==name`; both are asked for what the text names
    and no more. Raises ExpressionError, whose column counts from 1.
    """
    now = epoch_ms() if now_ms is None else now_ms
    try:
        return _parse(text, Context(catalogue, now, zone, lists or {}, views or {}))
    except ExpressionError as error:
        error.found = error.found or word_at(text, error.column - 1)
        raise


def word_at(text: str, position: int) -> str:
    """What stands there up to the next blank, bracket or comma; at most 100 characters."""
    found = re.match(r'"(?:[^"\\]|\\.)*"|[^\s()\[\],"&|=<>!]+|\S', text[position : position + 100])
    return found[0] if found else ""


def _parse(text: str, context: Context) -> Node:
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"an expression is at most {MAX_LENGTH} characters long", MAX_LENGTH + 1)
    try:
        tree = grammar().parse(text)
    except UnexpectedInput as error:
        raise refusal(text, error) from None
    node = _build(tree, context)
    if depth(node) > MAX_DEPTH:
        raise ExpressionError(f"an expression nests at most {MAX_DEPTH} deep", 1)
    return node


def _build(tree: Tree[Token], context: Context) -> Node:
    """Bottom up without recursion, comparisons first and in the order of the text: the leftmost mistake is told."""
    builder = _Comparisons(context)
    comparisons = sorted(tree.find_data("comparison"), key=lambda each: _token(each.children[0]).start_pos or 0)
    built: dict[int, Node] = {id(each): builder.build(each) for each in comparisons}
    for each in tree.iter_subtrees():
        below = [built[id(child)] for child in each.children if id(child) in built]
        match str(each.data):
            case "negation":
                built[id(each)] = negation(below[0])
            case "conjunction":
                built[id(each)] = conjunction(below)
            case "disjunction":
                built[id(each)] = disjunction(below)
            case "start":
                built[id(each)] = below[0] if below else EVERYTHING
    return built[id(tree)]


def _token(child: Tree[Token] | Token) -> Token:
    if not isinstance(child, Token):
        raise TypeError("the grammar puts a terminal here")
    return child


def unknown_field(catalogue: Catalogue, name: str, column: int) -> ExpressionError:
    """The refusal of a name that no field has, with those it may have meant."""
    similar = catalogue.similar(name)
    hint = f"; did you mean {', '.join(similar)}?" if similar else ""
    return ExpressionError(f"unknown field {name}{hint}", column, found=name, expected=("a field",), similar=similar)


class _Comparisons:
    """Builds the node of one `FIELD OPERATOR value`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._values = Values(context.catalogue, context.now_ms, context.zone)

    def build(self, tree: Tree[Token]) -> Node:
        name, operator, value = tree.children
        if not isinstance(value, Tree):
            raise TypeError("the grammar puts a rule here")
        node = self._compare(_token(name), str(operator), str(value.data), [_token(each) for each in value.children])
        return negation(node) if operator == "!=" else node

    def _compare(self, name: Token, operator: str, shape: str, tokens: list[Token]) -> Node:
        column = (name.start_pos or 0) + 1
        if operator in ORDERINGS and shape != "single":
            what = "EXISTS!" if shape == "exists" else "a list"
            raise ExpressionError(f"{what} can only be compared with == or !=", (tokens[0].start_pos or 0) + 1)
        literals = [from_token(token.type, str(token), token.start_pos or 0) for token in tokens]
        if name == VIEW:
            return self._views(operator, shape, literals)
        members = self._members(str(name), column, exists=shape == "exists")
        if shape == "exists":
            return disjunction(Exists(member) for member in members)
        literals = [each for literal in literals for each in self._listed(literal)]
        if shape == "all_of":
            return conjunction(self._any_member(members, operator, [literal]) for literal in literals)
        return self._any_member(members, operator, literals)

    def _members(self, name: str, column: int, *, exists: bool) -> tuple[Field, ...]:
        found = self._context.catalogue.find(name)
        members = self._context.catalogue.members(found) if found is not None else ()
        if found is not None and found.kind == OBJECT and not exists:
            raise ExpressionError(
                f"{name} holds other fields; name one of them, such as {members[0].expression}", column
            )
        if found is not None and not members:
            raise ExpressionError(f"{name} is not kept where it could be searched", column)
        if members:
            return members
        raise unknown_field(self._context.catalogue, name, column)

    def _any_member(self, members: tuple[Field, ...], operator: str, literals: list[Literal]) -> Node:
        """Any member of a group that can hold the values; a refusal only if none can."""
        made: list[Node] = []
        refused: list[ExpressionError] = []
        for member in members:
            try:
                made.append(self._values.condition(member, operator, literals))
            except ExpressionError as error:
                refused.append(error)
        if refused and not made:
            raise refused[0]
        return disjunction(made)

    def _listed(self, literal: Literal) -> list[Literal]:
        """The values of the saved lists where `$name` was written, else the literal itself."""
        if literal.style != "bare" or not literal.text.startswith("$"):
            return [literal]
        name, lists = literal.text[1:], self._context.lists
        named = [lists[each] for each in lists if fnmatchcase(each, name)] if "*" in name else [lists.get(name)]
        values = [replace(literal, text=value, style="quoted") for saved in named for value in saved or ()]
        if not named or named == [None]:
            raise literal.refuse(f"no saved list {literal.text}")
        if len(values) > MOST_VALUES:
            raise literal.refuse(f"saved lists of more than {MOST_VALUES} values in all")
        return values

    def _views(self, operator: str, shape: str, literals: list[Literal]) -> Node:
        if operator in ORDERINGS or shape == "exists":
            raise literals[0].refuse(
                "view is compared with == or !=, and with names of saved views", expected=("a name",)
            )
        return (conjunction if shape == "all_of" else disjunction)(self._view(each) for each in literals)

    def _view(self, literal: Literal) -> Node:
        saved = self._context.views.get(literal.plain)
        if saved is None:
            raise literal.refuse(f"no saved view {literal.plain}")
        if not self._context.views_left:
            raise literal.refuse("views may not stand inside each other this deep")
        try:
            return _parse(saved, replace(self._context, views_left=self._context.views_left - 1))
        except ExpressionError as error:
            raise literal.refuse(
                f"the saved view {literal.plain} is wrong at its column {error.column}: {error}"
            ) from None
