"""What is done to a typed value before it meets the stored ones, for fields that are stored otherwise than typed."""

from __future__ import annotations

import re

from hayrick_collector.expression.regex import Piece, RegexError
from hayrick_collector.expression.wildcard import Part, Wild

_PROTOCOL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")

# IANA numbers of what one meets; names as in /etc/protocols, in lower case.
IP_PROTOCOLS = {
    "icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "egp": 8, "igp": 9, "pup": 12, "udp": 17, "dccp": 33, "ipv6": 41,
    "ipv6-route": 43, "ipv6-frag": 44, "idrp": 45, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51, "icmpv6": 58,
    "ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "eigrp": 88, "ospf": 89, "etherip": 97, "pim": 103,
    "ipcomp": 108, "vrrp": 112, "l2tp": 115, "isis": 124, "sctp": 132, "fc": 133, "udplite": 136, "mpls-in-ip": 137,
}  # fmt: skip


def text(parts: list[Part], transform: str | None) -> list[Part]:
    """The parts of a plain text or wildcard, transformed."""
    if transform == "utf8_to_hex":
        return [digits for part in parts for digits in _hex_part(part)]
    if transform in ("remove_protocol", "remove_protocol_and_uri") and parts and isinstance(parts[0], str):
        parts = [_PROTOCOL.sub("", parts[0]), *parts[1:]]
    return _without_uri(parts) if transform == "remove_protocol_and_uri" else parts


def pieces(parsed: list[Piece], transform: str | None) -> list[Piece]:
    """The pieces of a regex, transformed."""
    return [new for piece in parsed for new in _hex_piece(piece)] if transform == "utf8_to_hex" else parsed


def protocol_number(name: str) -> int | None:
    """The number of an IP protocol's name, None if there is no such name."""
    return IP_PROTOCOLS.get(name.lower())


def _without_uri(parts: list[Part]) -> list[Part]:
    kept: list[Part] = []
    for part in parts:
        if isinstance(part, str) and "/" in part:
            return [*kept, part.partition("/")[0]]
        kept.append(part)
    return kept


def _hex_part(part: Part) -> list[Part]:
    """Any one character is two digits."""
    if isinstance(part, str):
        return [_hex(part)]
    return [part, part] if part is Wild.ONE else [part]


def _hex(plain: str) -> str:
    return plain.encode().hex()


def _hex_piece(piece: Piece) -> list[Piece]:
    if piece.kind == "literal":
        return _grouped(_hex(piece.text))
    if piece.kind == "any":
        return [Piece("open", "("), Piece("any", "."), Piece("any", "."), Piece("close", ")")]
    return _hex_set(piece) if piece.kind == "set" else [piece]


def _hex_set(piece: Piece) -> list[Piece]:
    """A set of ASCII characters as alternatives of two hex digits."""
    if any(ord(edge) > 127 for pair in piece.ranges for edge in pair):
        raise RegexError("a set of other than ASCII characters cannot be looked for in this field", 0)
    listed = {code for low, high in piece.ranges for code in range(ord(low), ord(high) + 1)}
    codes = sorted(set(range(256)) - listed) if piece.negated else sorted(listed)
    inner: list[Piece] = []
    for code in codes:
        inner += [Piece("or", "|")] if inner else []
        inner += [Piece("literal", digit) for digit in f"{code:02x}"]
    return [Piece("open", "("), *inner, Piece("close", ")")]


def _grouped(digits: str) -> list[Piece]:
    return [Piece("open", "("), *(Piece("literal", digit) for digit in digits), Piece("close", ")")]
