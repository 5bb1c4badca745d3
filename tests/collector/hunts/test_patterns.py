"""Patterns are refused with their reason, find what they say, and take linear time whatever a user writes."""

from __future__ import annotations

import time

import pytest

from hayrick_collector.hunts import bpf
from hayrick_collector.hunts.match import matcher
from hayrick_collector.hunts.spec import Kind, Spec
from hayrick_common.errors import UsageError


@pytest.mark.parametrize(
    ("kind", "pattern", "reason"),
    [
        ("hex", "abc", "no hex bytes"),
        ("hex", "zz", "no hex bytes"),
        ("text", "  ", "find everything"),
        ("text", "x" * 5000, "longer than 4096"),
        ("regex", "(a", r"missing \)"),
        ("regex", "(?=a)b", "invalid perl operator"),
        ("regex", "((a{900}){900}){900}", "repetition|too large"),
        ("yara", "rule x {\n  condition: $b }", r"line 2, column \d+: unknown pattern"),
        ("yara", 'include "/etc/passwd"', "include"),
        ("yara", "import 'x'", "line 1"),
        ("yara", "// nothing", "no rule"),
    ],
)
def test_a_pattern_that_cannot_work_is_refused_with_its_reason(kind: Kind, pattern: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        matcher(Spec(kind, pattern))


@pytest.mark.parametrize(
    ("spec", "data", "found"),
    [
        (Spec("text", "Needle"), b"..nEEDLE..", True),
        (Spec("text", "Needle", case=True), b"..nEEDLE..", False),
        (Spec("text", "a.b"), b"axb", False),
        (Spec("text", "GRÜN"), "grün".encode(), True),
        (Spec("text", "é"), b"\xe3\xa9", False),
        (Spec("hex", "0xDE:ad be-ef"), b"\0\xde\xad\xbe\xef", True),
        (Spec("regex", r"\x00\xff+\n."), b"\x00\xff\xff\nx", True),
        (Spec("regex", "abc"), b"xABCx", True),
        (Spec("regex", "abc", case=True), b"xABCx", False),
        (Spec("yara", 'rule r { strings: $a = "needle" condition: $a }'), b"a needle", True),
    ],
)
def test_a_pattern_finds_what_it_says(spec: Spec, data: bytes, found: bool) -> None:
    assert bool(matcher(spec)(data)) is found


def test_a_hostile_regex_takes_no_longer_than_a_kind_one() -> None:
    match = matcher(Spec("regex", "(a|aa|a*)*(b|a)*c$"))
    started = time.monotonic()
    assert not match(b"a" * 1_000_000)
    assert time.monotonic() - started < 10


def test_names_of_yara_rules_are_told() -> None:
    rules = "rule one { condition: filesize > 2 } rule two { condition: filesize > 5 } rule no { condition: false }"
    assert matcher(Spec("yara", rules))(b"1234") == ("one",)
    assert set(matcher(Spec("yara", rules))(b"123456")) == {"one", "two"}


@pytest.mark.parametrize(
    "filter_",
    [
        "host evil.example", "port 80 and src cafe", "tcp evil", "port http or host dead.beef", "net faraway",
        "gateway x", "src or dst evil", "ether host router",
    ],
)  # fmt: skip
def test_a_filter_never_asks_a_name_server(filter_: str) -> None:
    with pytest.raises(UsageError, match="names are not looked up"):
        bpf.check(filter_)


@pytest.mark.parametrize(
    "filter_",
    [
        "tcp port http or https", "ip6 host fe80::1 and not port 53", "ether src 02:00:00:00:00:01", "tcp[13] & 2 != 0",
        "tcp[tcpflags] & tcp-syn != 0", "net 10.0.0.0/8", "icmp[icmptype] = icmp-echo", "portrange 1-1024", "vlan 5",
        "ip proto \\tcp", "(udp || sctp) && greater 100", "ether[0x0c:2] = 0x0800",
    ],
)  # fmt: skip
def test_usual_filters_compile(filter_: str) -> None:
    bpf.check(filter_)


@pytest.mark.parametrize("filter_", ["tcp port", "-w /tmp/x", "tcp; reboot", "((tcp)", "-r /etc/passwd"])
def test_a_filter_that_is_none_is_refused(filter_: str) -> None:
    with pytest.raises(UsageError, match="filter"):
        bpf.check(filter_)
