"""One condition on one field to SQL over its columns; true or not, NULL counting as not."""

from __future__ import annotations

from collections.abc import Iterable

from hayrick_collector.expression import wildcard
from hayrick_collector.expression.addresses import LAST
from hayrick_collector.expression.fields import Field
from hayrick_collector.expression.tree import Exists, Interval, Match, Regex, Term, Test, Wildcard, Words
from hayrick_collector.expression.wildcard import Wild
from hayrick_collector.store.embedded import columns
from hayrick_collector.store.embedded.sql import TRUE, Sql, all_of, any_of, name

_LOW_MASK = (1 << 64) - 1


def exists(condition: Exists) -> Sql:
    """The field has a value."""
    field = condition.field
    first = name(next(iter(columns.columns(field))))
    return Sql(f"len({first}) > 0" if columns.is_list(field) else f"{first} IS NOT NULL")


def match(condition: Match) -> Sql:
    """Some value of the field passes some of the tests."""
    field = condition.field
    tests = [test for test in condition.tests if not _impossible(test)]
    if field.counts:
        length = f"nullif(len({name(field.column or '')}), 0)"
        return any_of(_passes(field, length, test) for test in tests)
    if field.kind == "ip" and not field.multi:
        high, low = (name(column) for column in columns.columns(field))
        return any_of(_address(high, low, test) for test in tests if isinstance(test, Interval))
    column = name(field.column or "")
    return _in_list(field, column, tests) if field.multi else _in_value(field, column, tests)


def _impossible(test: Test) -> bool:
    return isinstance(test, Interval) and test.low is not None and test.high is not None and test.low > test.high


def _in_value(field: Field, column: str, tests: list[Test]) -> Sql:
    exact, others = _split(field, tests)
    found = [Sql(f"{column} IN ?", (exact,))] if exact else []
    return any_of([*found, *(_passes(field, column, test) for test in others)])


def _in_list(field: Field, column: str, tests: list[Test]) -> Sql:
    exact, others = _split(field, tests)
    found = []
    if len(exact) == 1:
        found.append(Sql(f"list_contains({column}, ?)", (exact[0],)))
    elif exact:
        found.append(Sql(f"list_has_any({column}, ?)", (exact,)))
    if others:
        inner = any_of(_passes(field, "each", test) for test in others)
        found.append(f"len(list_filter({column}, lambda each: " + inner + ")) > 0")
    return any_of(found)


def _split(field: Field, tests: Iterable[Test]) -> tuple[list[str | int | bool | bytes], list[Test]]:
    """Values to be equal to, and the tests that are more than that."""
    exact: list[str | int | bool | bytes] = []
    others: list[Test] = []
    for test in tests:
        if isinstance(test, Term):
            exact.append(test.value)
        elif isinstance(test, Interval) and test.low is not None and test.low == test.high:
            exact.append(columns.address_bytes(test.low) if field.kind == "ip" else test.low)
        else:
            others.append(test)
    return exact, others


def _passes(field: Field, value: str, test: Test) -> Sql:
    """`value` is the SQL of one stored value."""
    match test:
        case Term(wanted):
            return Sql(f"{value} = ?", (wanted,))
        case Interval(low, high):
            return _between(value, _edge(field, low), _edge(field, high))
        case Wildcard(pattern):
            return _wild(value, wildcard.split(pattern))
        case Regex(pattern):
            return Sql(f"regexp_full_match({value}, ?, 's')", (pattern,))
        case Words(words):
            return Sql(f"list_has_all(string_split_regex(lower({value}), ?), ?)", (r"[^\pL\pN]+", list(words)))


def _edge(field: Field, number: int | None) -> int | bytes | None:
    if number is None or field.kind != "ip":
        return number
    return columns.address_bytes(max(0, min(number, LAST)))


def _between(value: str, low: int | bytes | None, high: int | bytes | None) -> Sql:
    edges = []
    if low is not None:
        edges.append(Sql(f"{value} >= ?", (low,)))
    if high is not None:
        edges.append(Sql(f"{value} <= ?", (high,)))
    return all_of(edges) if edges else Sql(f"{value} IS NOT NULL")


def _wild(value: str, parts: list[wildcard.Part]) -> Sql:
    """The quick forms where a pattern has one, LIKE otherwise."""
    match parts:
        case [Wild.RUN]:
            return Sql(f"{value} IS NOT NULL")
        case [str() as text, Wild.RUN]:
            return Sql(f"starts_with({value}, ?)", (text,))
        case [Wild.RUN, str() as text]:
            return Sql(f"suffix({value}, ?)", (text,))
        case [Wild.RUN, str() as text, Wild.RUN]:
            return Sql(f"contains({value}, ?)", (text,))
        case _:
            return Sql(f"{value} LIKE ? ESCAPE '\\'", ("".join(_like(part) for part in parts),))


def _like(part: wildcard.Part) -> str:
    if isinstance(part, Wild):
        return "%" if part is Wild.RUN else "_"
    return part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _address(high: str, low: str, test: Interval) -> Sql:
    """A span of addresses over two halves; one half is enough where the span allows it."""
    first, last = test.low or 0, LAST if test.high is None else test.high
    first_high, first_low = first >> 64, first & _LOW_MASK
    last_high, last_low = last >> 64, last & _LOW_MASK
    if first_high == last_high:
        same = Sql(f"{high} = ?", (first_high,))
        return same if (first_low, last_low) == (0, _LOW_MASK) else all_of([same, _half(low, first_low, last_low)])
    outer = _half(high, first_high, last_high)
    above = TRUE if first_low == 0 else Sql(f"({high} > ? OR {low} >= ?)", (first_high, first_low))
    below = TRUE if last_low == _LOW_MASK else Sql(f"({high} < ? OR {low} <= ?)", (last_high, last_low))
    return all_of([outer, above, below])


def _half(column: str, low: int, high: int) -> Sql:
    if low == high:
        return Sql(f"{column} = ?", (low,))
    return Sql(f"{column} BETWEEN ? AND ?", (low, high))
