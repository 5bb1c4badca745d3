"""Text from packets never steers the terminal or deceives the eye."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from hayrick_collector.cli.text import cell, field_value, safe, shown, size


@given(st.text(st.characters(codec=None)))
def test_nothing_unprintable_is_left(text: str) -> None:
    kinds = {unicodedata.category(letter) for letter in safe(text)}
    assert not kinds & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def test_escapes_are_shown_by_their_code() -> None:
    assert safe("\x1b[2Jevil\u202egnp.exe") == "\\x1b[2Jevil\\u202egnp.exe"
    assert safe("naïve 日本") == "naïve 日本"


def test_field_is_found_in_nested_and_flat_documents() -> None:
    assert field_value({"source": {"ip": "1"}}, "source.ip") == "1"
    assert field_value({"source.ip": "1"}, "source.ip") == "1"
    assert field_value({"source": 1}, "source.ip") is None


def test_lists_are_joined() -> None:
    assert shown(["a", 2, True]) == "a, 2, true"


def test_spreadsheet_formula_stays_text() -> None:
    assert cell("=HYPERLINK(1)") == "'=HYPERLINK(1)"
    assert cell("-2+3") == "'-2+3"
    assert cell("-12.5") == "-12.5"
    assert cell("plain") == "plain"


def test_sizes_are_told_in_units_people_read() -> None:
    assert [size(number) for number in (0, 999, 1500, 2_500_000)] == ["0 B", "999 B", "1.5 kB", "2.5 MB"]
