"""Addresses as people type them: short (`10.0`), with a prefix, a port, a range; to spans of 128-bit numbers."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

V4_FIRST = 0xFFFF << 32
V4_LAST = V4_FIRST | 0xFFFFFFFF
LAST = (1 << 128) - 1
FORMS = "an address, such as 10.0.0.1, 10.0, 10.0.0.0/8:80, 2001:db8::/32, 2001:db8::1.80, ipv4 or ipv6"
_MAX_PORT = 65535
_V4 = re.compile(r"(?P<address>\d{1,3}(?:\.\d{1,3}){0,3})\.?(?P<prefix>/\d+)?(?P<port>:\d*)?")
_V4_SHAPE = re.compile(r"[\d.]+(?:/|:|$)")
_V6_TAIL = re.compile(
    r"(?P<address>[0-9A-Fa-f:]*:(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]*))(?P<prefix>/\d+)?(?P<port>\.\d*)?"
)
_V6_BRACKETS = re.compile(r"\[(?P<address>[0-9A-Fa-f:.]+)(?P<prefix>/\d+)?\](?P<outer>/\d+)?(?P<port>:\d*)?")


@dataclass(frozen=True, slots=True)
class Span:
    """Addresses from `low` to `high` (IPv4 as ::ffff:a.b.c.d), with a port if one was given."""

    low: int
    high: int
    port: int | None = None


def parse_address(text: str) -> Span:
    """The span that `text` stands for; ValueError says what is wrong with it."""
    if found := _V4.fullmatch(text):
        return _v4(found)
    if found := _V6_BRACKETS.fullmatch(text):
        return _v6(found["address"], found["prefix"] or found["outer"], found["port"])
    if text.count(":") >= 2 and (found := _V6_TAIL.fullmatch(text)):
        return _v6(found["address"], found["prefix"], found["port"])
    low, dash, high = text.partition("-")
    if dash and "-" not in high:
        return _range(parse_address(low), parse_address(high))
    raise ValueError(_complaint(text))


def _complaint(text: str) -> str:
    if _V4_SHAPE.match(text):
        return "expected digits in the address, its prefix (/24) and its port (:80)"
    return f"expected {FORMS}"


def _v4(found: re.Match[str]) -> Span:
    octets = [int(part) for part in found["address"].split(".")]
    if max(octets) > 255:
        raise ValueError("a part of an IPv4 address is at most 255")
    bits = _prefix(found["prefix"], 32, default=8 * len(octets))
    number = int.from_bytes(bytes(octets).ljust(4, b"\0"), "big")
    low, high = _network(number, bits, 32)
    return Span(V4_FIRST + low, V4_FIRST + high, _port(found["port"]))


def _v6(address: str, prefix: str | None, port: str | None) -> Span:
    try:
        number = int(ipaddress.IPv6Address(address))
    except ValueError as error:
        raise ValueError(f"not an IPv6 address: {error}") from None
    low, high = _network(number, _prefix(prefix, 128, default=128), 128)
    return Span(low, high, _port(port))


def _prefix(text: str | None, most: int, *, default: int) -> int:
    if text is None:
        return default
    bits = int(text[1:5])
    if bits > most:
        raise ValueError(f"a prefix is at most /{most} here")
    return bits


def _network(number: int, bits: int, width: int) -> tuple[int, int]:
    hosts = (1 << (width - bits)) - 1
    return number & ~hosts, number | hosts


def _port(text: str | None) -> int | None:
    if not text or len(text) == 1:
        return None
    port = int(text[1:7])
    if port > _MAX_PORT:
        raise ValueError(f"a port is at most {_MAX_PORT}")
    return port


def _range(low: Span, high: Span) -> Span:
    if low.port is not None or high.port is not None:
        raise ValueError("a range of addresses takes no port")
    if low.low > high.high:
        raise ValueError("the range ends before it starts")
    return Span(low.low, high.high)


def format_address(number: int) -> str:
    """Text of a 128-bit address, IPv4 in its own form."""
    if V4_FIRST <= number <= V4_LAST:
        return str(ipaddress.IPv4Address(number - V4_FIRST))
    return str(ipaddress.IPv6Address(number))
