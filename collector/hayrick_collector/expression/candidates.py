"""What is offered where a field, an operator, a value or a sign may stand, the likeliest first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hayrick_collector.expression.fields import DATE_KINDS, NUMBER_KINDS, Catalogue, Field
from hayrick_collector.expression.grammar import OPERATORS
from hayrick_collector.expression.literal import resolved, written
from hayrick_collector.expression.parser import VIEW
from hayrick_collector.expression.transforms import IP_PROTOCOLS

Kind = Literal["field", "operator", "value", "list", "view", "sign", "join"]
_ORDERED = (*NUMBER_KINDS, "ip")
_SHOWN_VALUES = 5
_SIGNS = {
    "&&": "and",
    "||": "or",
    "!": "not",
    "(": "begin a group",
    ")": "end the group",
    "[": "any of several values: [a, b]",
    "]": "all of several values: ]a, b[",
    ",": "another value",
}
_TIMES = {
    "now": "this moment",
    "-1h": "an hour ago",
    "-24h": "24 hours ago",
    "-7d": "a week ago",
    "now@d": "the start of today",
    "-1d@d": "the start of yesterday",
    "now@M": "the start of this month",
}
_TRANSPORTS = ("tcp", "udp", "icmp", "sctp", "esp")
_NO_PROTOCOL = ("general", "cert")
EXISTS = "EXISTS!"
_USUAL = (
    "ip", "ip.src", "ip.dst", "port", "port.src", "port.dst", "protocols", "host", "tags", "http.uri", "host.dns",
    "starttime", "bytes", "packets", "ip.protocol", "node", "file",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Candidate:
    """`text` is what is put in; `help` says what it is, for a field `detail` is the kind of its values."""

    text: str
    kind: Kind
    help: str = ""
    detail: str = ""


def fields(catalogue: Catalogue, typed: str, *, with_views: bool) -> list[Candidate]:
    """Fields by how well what was typed fits their names; the usual ones and those of every protocol first."""
    wanted = typed.lower()
    ranked = [(_rank(each, wanted), _rarity(each), each.expression, each) for each in catalogue.fields]
    found = [
        Candidate(each.expression, "field", each.help, each.kind)
        for rank, _, _, each in sorted(ranked, key=lambda item: item[:3])
        if rank < _MISSED and catalogue.members(each)
    ]
    views_too = with_views and VIEW.startswith(wanted)
    return found + ([Candidate(VIEW, "field", "A saved view", VIEW)] if views_too else [])


_MISSED = 5


def _rank(field: Field, typed: str) -> int:
    """The name begins so; another of its names does; a part of it does; it holds it; its help does."""
    name, others = field.expression.lower(), (*field.aliases, field.document)
    fits = (
        name.startswith(typed),
        any(other.lower().startswith(typed) for other in others),
        f".{typed}" in name,
        typed in name,
        typed in field.help.lower(),
    )
    return fits.index(True) if True in fits else _MISSED


def _rarity(field: Field) -> int:
    if field.expression in _USUAL:
        return _USUAL.index(field.expression)
    return len(_USUAL) + (field.group != "general")


def operators(field: Field | None, typed: str) -> list[Candidate]:
    """Those that the field's kind takes."""
    ordered = field is None or field.kind in _ORDERED
    return [
        Candidate(each, "operator", about)
        for each, about in OPERATORS.items()
        if each.startswith(typed) and (ordered or each in ("==", "!="))
    ]


def signs(allowed: Collection[str], typed: str) -> list[Candidate]:
    """Joins and brackets."""
    return [
        Candidate(each, "join" if each in ("&&", "||") else "sign", about)
        for each, about in _SIGNS.items()
        if each in allowed and each.startswith(typed)
    ]


def views(saved: Mapping[str, str], typed: str) -> list[Candidate]:
    """Names of saved views."""
    found = (name for name in sorted(saved) if name.lower().startswith(typed.lower()))
    return [Candidate(written(name), "view", saved[name][:200]) for name in found]


def values(
    catalogue: Catalogue, field: Field, typed: str, lists: Mapping[str, Sequence[str]], *, exists: bool
) -> list[Candidate]:
    """What can be said of a field without asking a store."""
    wanted, known = typed.lower(), _known(catalogue, field)
    found = [Candidate(text, "value", about) for text, about in known.items() if text.lower().startswith(wanted)]
    if exists and EXISTS.lower().startswith(wanted):
        found.append(Candidate(EXISTS, "value", "any value at all"))
    named = (name for name in sorted(lists) if f"${name}".lower().startswith(wanted))
    return found + [Candidate(f"${name}", "list", _contents(lists[name])) for name in named]


def stored(values: Iterable[tuple[object, int]], typed: str) -> list[Candidate]:
    """Values that a store has, with the sessions that have them; those that hold what was typed."""
    wanted = resolved(typed.rstrip("*")).lower()
    texts = [(_text(value), sessions) for value, sessions in values]
    fitting = [each for each in texts if wanted in each[0].lower()]
    fitting.sort(key=lambda each: not each[0].lower().startswith(wanted))
    return [Candidate(written(text), "value", f"{sessions} sessions") for text, sessions in fitting]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _known(catalogue: Catalogue, field: Field) -> dict[str, str]:
    if field.expression == "protocols":
        groups = {each.group for each in catalogue.fields}.difference(_NO_PROTOCOL)
        return dict.fromkeys(sorted(groups.union(_TRANSPORTS)), "")
    if field.kind == "boolean":
        return {"true": "", "false": ""}
    if field.kind == "ip":
        return {"ipv4": "any IPv4 address", "ipv6": "any IPv6 address"}
    if field.kind in DATE_KINDS:
        return _TIMES
    if field.transform == "ip_protocol":
        return {name: f"protocol {number}" for name, number in IP_PROTOCOLS.items()}
    return {}


def _contents(items: Sequence[str]) -> str:
    more = ", …" if len(items) > _SHOWN_VALUES else ""
    return f"{len(items)} values: {', '.join(items[:_SHOWN_VALUES])}{more}"[:200]
