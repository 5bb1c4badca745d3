"""Expressions mean what the peer's do; what means nothing is refused at its column, saying what was expected."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.collector.catalogue import CATALOGUE

from hayrick_collector.expression import (
    EVERYTHING,
    And,
    Exists,
    Interval,
    Match,
    Node,
    Not,
    Or,
    Regex,
    Term,
    Wildcard,
    Words,
    parse_expression,
)
from hayrick_collector.expression.addresses import LAST, V4_FIRST, V4_LAST
from hayrick_common.errors import ExpressionError

V4 = V4_FIRST


def parse(text: str, **more: Any) -> Node:
    return parse_expression(text, CATALOGUE, now_ms=1_700_000_000_000, **more)


def match(name: str, *tests: Any) -> Match:
    field = CATALOGUE.find(name)
    assert field is not None
    return Match(field, tests)


def refused_at(text: str) -> int:
    """The column of the refusal, 0 if there was none."""
    try:
        parse(text)
    except ExpressionError as error:
        return error.column
    return 0


def exists(name: str) -> Exists:
    field = CATALOGUE.find(name)
    assert field is not None
    return Exists(field)


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_blank_text_is_every_session(text: str) -> None:
    assert parse(text) == EVERYTHING


def test_and_binds_tighter_than_or_and_not_tightest() -> None:
    a, b, c = match("node", Term("a")), match("node", Term("b")), match("node", Term("c"))
    assert parse("node==a || node==b && !node==c") == Or((a, And((b, Not(c)))))
    assert parse("!(node==a || node==b) && node=c") == And((Not(Or((a, b))), c))


def test_nested_conjunctions_are_one_and_double_negation_is_none() -> None:
    assert parse("(node==a && (node==b && node==c))") == And(tuple(match("node", Term(x)) for x in "abc"))
    assert parse("!!node==a") == parse("!node!=a") == match("node", Term("a"))


def test_lists_are_any_and_reversed_brackets_are_all() -> None:
    assert parse('tags==[a, "b c" ,d*]') == match("tags", Term("a"), Term("b c"), Wildcard("d*"))
    assert parse("tags==]a,b[") == And((match("tags", Term("a")), match("tags", Term("b"))))
    assert parse("tags!=]a,b[") == Not(And((match("tags", Term("a")), match("tags", Term("b")))))


def test_values_take_the_case_the_field_is_stored_in() -> None:
    assert parse("host.http==WWW.Example.ORG") == match("host.http", Term("www.example.org"))
    assert parse("dns.status==noerror") == match("dns.status", Term("NOERROR"))
    assert parse("http.uri==/Path") == match("http.uri", Term("/Path"))
    assert parse(r"host.http==/WWW\.[A-C]x.*/") == match("host.http", Regex(r"www\.[A-Ca-c]x.*"))


def test_quotes_keep_spaces_and_operators_and_escapes_take_the_next_character() -> None:
    assert parse(r'http.uri=="a && \"b\" \* c"') == match("http.uri", Term('a && "b" * c'))
    assert parse(r'http.uri=="a\*b*"') == match("http.uri", Wildcard(r"a\*b*"))
    assert parse('http.uri=="/not/a/regex/"') == match("http.uri", Term("/not/a/regex/"))


def test_exists_and_its_negation() -> None:
    assert parse("node==EXISTS!") == exists("node")
    assert parse("node != exists!") == Not(exists("node"))


def test_group_fields_are_any_of_theirs() -> None:
    assert parse("port==80") == Or(tuple(match(f"port.{side}", Interval(80, 80)) for side in ("src", "dst", "socks")))
    assert parse("host==A") == Or((match("host.http", Term("a")), match("host.dns", Term("a"))))
    assert parse("ip==EXISTS!") == Or(tuple(exists(f"ip.{side}") for side in ("src", "dst", "xff", "dns", "socks")))


def test_names_are_found_by_alias_document_and_database_prefix_and_in_any_case() -> None:
    wanted = match("protocols", Term("tcp"))
    assert parse("protocol==tcp") == parse("db:protocol==tcp") == parse("PROTOCOLS==tcp") == wanted
    assert parse("source.port==1") == match("port.src", Interval(1, 1))


def test_counts_are_numbers_of_values() -> None:
    node = parse("protocols.cnt > 1")
    assert isinstance(node, Match)
    assert (node.field.counts, node.field.column, node.tests) == ("termfield", "protocol", (Interval(2, None),))
    assert parse("protocolCnt > 1") == node


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("10", V4 + 0x0A000000, V4 + 0x0AFFFFFF),
        ("10.0", V4 + 0x0A000000, V4 + 0x0A00FFFF),
        ("10.0.0.", V4 + 0x0A000000, V4 + 0x0A0000FF),
        ("10.0.0.1", V4 + 0x0A000001, V4 + 0x0A000001),
        ("10.0.0/8", V4 + 0x0A000000, V4 + 0x0AFFFFFF),
        ("10.0.0.9/24", V4 + 0x0A000000, V4 + 0x0A0000FF),
        ("0.0.0.0/0", V4_FIRST, V4_LAST),
        ("10.0.0.1-10.0.0.9", V4 + 0x0A000001, V4 + 0x0A000009),
        ("::ffff:10.0.0.1", V4 + 0x0A000001, V4 + 0x0A000001),
        ("2001:db8::/32", 0x20010DB8 << 96, (0x20010DB9 << 96) - 1),
        ("2001:db8::1", (0x20010DB8 << 96) + 1, (0x20010DB8 << 96) + 1),
        ("[2001:db8::1]", (0x20010DB8 << 96) + 1, (0x20010DB8 << 96) + 1),
        ("::/0", 0, LAST),
    ],
)
def test_addresses_short_and_long(text: str, low: int, high: int) -> None:
    assert parse(f"ip.src=={text}") == match("ip.src", Interval(low, high))


@pytest.mark.parametrize("text", ["10.0.0.1:80", "10.0.0.1/32:80", "::ffff:10.0.0.1.80", "[::ffff:10.0.0.1]:80"])
def test_a_port_on_an_address_is_its_own_port(text: str) -> None:
    wanted = And((match("ip.dst", Interval(V4 + 0x0A000001, V4 + 0x0A000001)), match("port.dst", Interval(80, 80))))
    assert parse(f"ip.dst=={text}") == wanted


@pytest.mark.parametrize("text", ["10.0.0.1:", "2001:db8::1."])
def test_an_empty_port_is_none(text: str) -> None:
    assert isinstance(parse(f"ip.dst=={text}"), Match)


def test_a_port_on_a_group_of_addresses_asks_those_that_have_one() -> None:
    node = parse("ip==10.0.0.1:80")
    assert isinstance(node, Or)
    assert [item.items[1] for item in node.items if isinstance(item, And)] == [
        match(f"port.{side}", Interval(80, 80)) for side in ("src", "dst", "socks")
    ]


def test_address_families_and_order() -> None:
    assert parse("ip.src==ipv4") == match("ip.src", Interval(V4_FIRST, V4_LAST))
    assert parse("ip.src==ipv6") == match("ip.src", Interval(0, V4_FIRST - 1), Interval(V4_LAST + 1, LAST))
    assert parse("ip.src>10.0") == match("ip.src", Interval(V4 + 0x0A010000, None))
    assert parse("ip.src<=10.0") == match("ip.src", Interval(None, V4 + 0x0A00FFFF))
    assert parse("ip.src>::/0") == match("ip.src", Interval(1, 0))


def test_numbers_ranges_and_protocol_names() -> None:
    assert parse("port.dst==[80,443,8000-8010]") == match(
        "port.dst", Interval(80, 80), Interval(443, 443), Interval(8000, 8010)
    )
    assert parse("bytes>=-5") == match("bytes", Interval(-5, None))
    assert parse("ip.protocol==[TCP,17]") == match("ip.protocol", Interval(6, 6), Interval(17, 17))


def test_texts_are_words_and_payload_is_typed_as_text() -> None:
    assert parse('http.uri.tokens=="Login form"') == match("http.uri.tokens", Words(("login", "form")))
    assert parse("payload8.src.utf8==GET*") == match("payload8.src.utf8", Wildcard("474554*"))
    assert parse("payload8.src.utf8==G?T") == match("payload8.src.utf8", Wildcard("47??54"))
    assert parse("payload8.src.utf8==/G.T/") == match("payload8.src.utf8", Regex("(47)(..)(54)"))


def test_a_scheme_is_no_part_of_a_stored_uri_or_host() -> None:
    assert parse("http.uri==http://a.b/c") == match("http.uri", Term("a.b/c"))
    assert parse("host.http==https://A.b/c") == match("host.http", Term("a.b"))


def test_saved_lists_and_views_stand_for_what_they_hold() -> None:
    assert parse("node==[$few,c]", lists={"few": ["a", "b*"]}) == match("node", Term("a"), Wildcard("b*"), Term("c"))
    views = {"mine": "node==a || view==other", "other": "node==b"}
    assert parse("view!=mine", views=views) == Not(Or((match("node", Term("a")), match("node", Term("b")))))


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("nodes==a", 1, "did you mean node"),
        ("node==a &&", 11, "found the end"),
        ("node==a node==b", 9, "expected ||, && or the end"),
        ("(node==a", 9, ")"),
        ("node a", 6, "operator"),
        ("node==", 7, "expected"),
        ("node==a)", 8, "the end"),
        ("node==[a,]", 10, "found ']'"),
        ("node==[a b]", 10, "comma"),
        ('node=="a', 7, "expected"),
        ("node>a", 6, "== or !="),
        ("node>[a]", 7, "a list"),
        ("node>EXISTS!", 6, "EXISTS!"),
        ("port.src==a", 11, "whole number"),
        ("port.src==9-1", 11, "empty"),
        ("port.src==99999999999999999999", 11, "64 bits"),
        ("port.src==/8.*/", 11, "no regex"),
        ("ip.src==1.2.3.400", 9, "255"),
        ("ip.src==1.2.3.4/33", 9, "/32"),
        ("ip.src==1.2.3.4:99999", 9, "65535"),
        ("ip.xff==1.2.3.4:80", 9, "no port"),
        ("ip.src>1.2.3.4:80", 8, "port"),
        ("ip.src==g::4", 9, "expected an address"),
        ("starttime==yesterday", 12, "expected a time"),
        ("starttime==2024/13/01", 12, "no such time"),
        ("tcp.synValidated==maybe", 19, "true or false"),
        ("http.uri==/a(b/", 13, "close this ("),
        ("host.http==/a(?=b)/", 14, "look-around"),
        ("node==$absent", 7, "no saved list"),
        ("view==absent", 7, "no saved view"),
        ("cert==a", 1, "holds other fields"),
        ("node==a\n&& nodes==b", 12, "unknown field"),
        ('node=="a\0b"', 7, "NUL"),
    ],
)
def test_refusals_name_the_column_and_what_was_expected(text: str, column: int, says: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        parse(text)
    assert (refused.value.column, says in str(refused.value)) == (column, True), str(refused.value)


def test_the_leftmost_mistake_is_told() -> None:
    with pytest.raises(ExpressionError) as refused:
        parse("(port==80 || port==x) && absent==1")
    assert refused.value.column == 20


def test_a_view_within_itself_is_refused() -> None:
    with pytest.raises(ExpressionError):
        parse("view==again", views={"again": "view==again"})


@pytest.mark.parametrize(
    "text",
    [
        "(" * 30_000,
        "!" * 30_000 + "node==a",
        "(" * 20_000 + "node==a" + ")" * 20_000,
        "!(node==a||" * 8_000,
        "a" * 200_000,
    ],
)
def test_deep_and_long_expressions_neither_crash_nor_hang(text: str) -> None:
    assert 0 <= refused_at(text) <= len(text) + 1


@given(st.text(alphabet='ab=!<>&|()[]",/\\*?.:-0159 $\n', max_size=60) | st.text(max_size=40))
def test_any_text_is_a_tree_or_a_refusal_within_it(text: str) -> None:
    for attempt in (text, f"node=={text}", f"ip.src=={text}", f"starttime=={text}", f"http.uri==/{text}/"):
        assert 0 <= refused_at(attempt) <= len(attempt) + 1
