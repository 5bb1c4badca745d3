"""What is offered at a place fits there: each candidate, put in, leaves an expression that can go on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.collector.catalogue import CATALOGUE

from hayrick_collector.expression import parse_expression
from hayrick_collector.expression.completion import Completion, complete
from hayrick_collector.expression.literal import written

LISTS = {"bad": ["10.0.0.1", "10.0.0.2"]}
VIEWS = {"My view": "node == a"}


def completion(marked: str) -> Completion:
    """At the mark `|` (the last one), or at the end."""
    before, mark, after = marked.rpartition("‸")
    text, cursor = (before + after, len(before)) if mark else (marked, len(marked))
    return complete(text, cursor, CATALOGUE, lists=LISTS, views=VIEWS)


def texts(marked: str) -> list[str]:
    return [each.text for each in completion(marked).candidates]


def test_fields_are_found_by_name_alias_part_and_help_the_usual_first() -> None:
    assert texts("")[:3] == ["ip", "ip.src", "ip.dst"]
    assert texts("node == a && proto") == ["protocols", "protocols.cnt", "ip.protocol"]
    assert texts("sou")[0] == "ip.src"  # source.ip
    assert texts("vie") == ["view"]
    assert {each.kind for each in completion("").candidates} == {"field", "sign"}


def test_operators_are_those_of_the_kind() -> None:
    assert texts("bytes ") == ["==", "!=", ">=", "<=", ">", "<"]
    assert texts("node ") == ["==", "!="]
    assert texts("node !") == ["!="]
    assert texts("bytes >") == [">=", ">"]


def test_values_are_what_the_kind_knows_with_exists_and_saved_lists() -> None:
    assert texts("ip.src==") == ["ipv4", "ipv6", "EXISTS!", "$bad"]
    assert texts("ip.src==[10,") == ["ipv4", "ipv6", "$bad"]
    assert texts("tcp.synValidated==t") == ["true"]
    assert texts("ip.protocol==ud") == ["udp", "udplite"]
    assert texts("protocols==ht") == ["http"]
    assert texts("starttime>=-1") == ["-1h", "-1d@d"]
    assert texts("tags==$") == ["$bad"]
    assert texts("view==") == ['"My view"']
    assert "10.0, 10.0.0.0/8:80" in completion("ip.src==").expects


def test_joins_and_brackets_are_those_that_fit() -> None:
    assert texts("node==a ") == ["&&", "||"]
    assert texts("(node==a ") == ["&&", "||", ")"]
    assert texts("tags==[a ") == ["]", ","]
    assert texts("tags==]a ") == ["[", ","]
    assert texts("node==a |") == ["||"]


@pytest.mark.parametrize(
    ("marked", "replaced"),
    [
        ("ip.s‸rc==1", "ip.src"),
        ("node==a&&po‸", "po"),
        ("node==a‸b && ip==1", "ab"),
        ('http.uri=="a ‸b c" && ip==1', '"a b c"'),
        ('http.uri=="open', '"open'),
        ("http.uri==/a(b", "/a(b"),
        ("bytes =‸", "="),
        ("node == ‸ && ip==1", ""),
    ],
)
def test_the_whole_word_at_the_cursor_is_replaced(marked: str, replaced: str) -> None:
    found = completion(marked)
    assert marked.replace("‸", "")[found.start : found.stop] == replaced


@pytest.mark.parametrize(("text", "column"), [("node a && ", 6), ("nodes==", 1), ("node==a) && p", 8), ("[", 1)])
def test_after_a_mistake_nothing_is_offered_but_the_mistake(text: str, column: int) -> None:
    found = completion(text)
    assert found.candidates == ()
    assert found.error is not None
    assert found.error.column == column


@given(st.text(max_size=12))
def test_a_value_as_written_means_itself(value: str) -> None:
    if "\0" not in value:
        assert parse_expression(f"node=={written(value)}", CATALOGUE) == parse_expression(
            "node==" + '"' + "".join("\\" + char for char in value) + '"', CATALOGUE
        )


@given(
    st.lists(st.sampled_from(["ip.src", "port", "==", "!=", "10", '"', "a b", "[", "]", ",", "&&", "||", "(", ")", "!",
                              " ", "/x/", "$bad", "EXISTS!", "view", ">", "=", "&", "\\"]), max_size=9).map("".join),
    st.integers(0, 30),
)  # fmt: skip
def test_whatever_is_typed_each_candidate_leads_on(text: str, cursor: int) -> None:
    found = complete(text, cursor, CATALOGUE, lists=LISTS, views=VIEWS)
    assert 0 <= found.start <= min(cursor, len(text)) <= found.stop <= len(text)
    for each in found.candidates[:4] + found.candidates[-3:]:
        after = text[: found.start] + each.text + " "
        error = complete(after, len(after), CATALOGUE, lists=LISTS, views=VIEWS).error
        assert error is None or "unknown field" in str(error), after
