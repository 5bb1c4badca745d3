"""The dialect of regexes is what RE2, Lucene and Python read alike, and it never takes more than linear time."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayrick_collector.expression import regex


def canonical(pattern: str) -> str:
    return regex.render(regex.parse(pattern))


@pytest.mark.parametrize(
    ("pattern", "written"),
    [
        (r".*admin.*", ".*admin.*"),
        (r"^a+$", "a+"),
        (r"a\$", r"a\$"),
        (r"(?:ab|c){2,5}", "(ab|c){2,5}"),
        (r"\d\.\w", r"[0-9]\.[0-9A-Za-z_]"),
        (r"[\d.-]", r"[0-9\.\-]"),
        (r"[]a]", r"[\]a]"),
        (r"\D", "[^0-9]"),
        (r"a/b", "a/b"),
    ],
)
def test_a_regex_has_one_plain_form(pattern: str, written: str) -> None:
    assert canonical(pattern) == written
    assert canonical(written) == written


@pytest.mark.parametrize(
    ("pattern", "offset"),
    [
        ("a(b", 1),
        ("a)", 1),
        ("*a", 0),
        ("a**", 2),
        ("a+?", 2),
        (r"\1", 0),
        (r"a\b", 1),
        ("(?i)a", 0),
        ("a^b", 1),
        ("[a", 0),
        ("[z-a]", 4),
        ("[[:alpha:]]", 1),
        ("a{3,1}", 1),
        ("a{x}", 1),
        ("(a{1000}){1000}", 9),
        ("a\\", 1),
        (r"[\D]", 1),
        ("(" * 60 + ")" * 60, 50),
        ("a" * 1001, 1000),
    ],
)
def test_what_is_not_in_the_dialect_is_refused_where_it_stands(pattern: str, offset: int) -> None:
    with pytest.raises(regex.RegexError) as refused:
        regex.parse(pattern)
    assert refused.value.offset == offset


@given(st.text(alphabet=r"ab01.*+?|()[]^${},\dws-", max_size=20), st.text(alphabet="ab01.-", max_size=6))
def test_the_plain_form_means_what_the_typed_one_does(pattern: str, value: str) -> None:
    try:
        written = canonical(pattern)
    except regex.RegexError:
        return
    typed = pattern.removeprefix("^")
    assert bool(re.fullmatch(written, value, re.DOTALL)) == bool(re.fullmatch(typed, value, re.DOTALL | re.ASCII))


@given(st.text(max_size=8))
def test_a_literal_fits_itself(text: str) -> None:
    try:
        pieces = regex.parse("".join("\\" + char if not char.isalnum() else char for char in text))
    except regex.RegexError:
        return
    assert re.fullmatch(regex.render(pieces), text, re.DOTALL)
