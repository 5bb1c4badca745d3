"""Random expressions whose values come out of real documents, so that most find something and miss something."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from hypothesis import strategies as st

from hayrick_collector.expression import Catalogue, Field
from hayrick_collector.expression.fields import DATE_KINDS, TEXT_KINDS
from hayrick_collector.expression.values import split_words
from hayrick_collector.store.documents import values

MOST_VALUES = 40  # of a field
Pools = Mapping[str, Sequence[Any]]
EQUAL = st.sampled_from(["==", "==", "!=", "="])


def pools(catalogue: Catalogue, documents: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Some values of each field that has any, by its name in expressions; of a group those of its members."""
    listed = list(documents)
    found: dict[str, list[Any]] = {}
    for field in catalogue.fields:
        if field.column and not field.counts:
            every = dict.fromkeys(value for each in listed for value in values(each, field.column))
            found[field.expression] = list(every)[:: max(1, len(every) // MOST_VALUES)]
    for field in catalogue.fields:
        if field.any_of:
            members = catalogue.members(field)
            found[field.expression] = [value for each in members for value in found[each.expression]][:MOST_VALUES]
        if field.counts:
            found[field.expression] = [1, 2, 3]
    return {name: each for name, each in found.items() if each}


def expressions(catalogue: Catalogue, known: Pools) -> st.SearchStrategy[str]:
    """Texts of expressions over these fields; a few of them mean nothing and are refused."""
    fields = [field for field in catalogue.fields if field.expression in known]
    general = [field for field in fields if field.group == "general" or field.any_of]
    single = st.one_of(st.sampled_from(general), st.sampled_from(fields)).flatmap(
        lambda field: _comparison(field, known[field.expression])
    )
    whole = [field for field in catalogue.fields if field.kind == "object"]
    exists = st.sampled_from([*fields, *whole]).flatmap(
        lambda field: EQUAL.map(lambda op: f"{field.expression}{op}EXISTS!")
    )
    return st.recursive(
        st.one_of(single, single, single, exists),
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda parts: f"({' '.join(parts)})"),
            inner.map(lambda text: f"!({text})"),
        ),
        max_leaves=5,
    )


def _comparison(field: Field, pool: Sequence[Any]) -> st.SearchStrategy[str]:
    name = st.sampled_from([field.expression, *field.aliases, *([field.document] if field.document else [])])
    one = _value(field, pool)
    parts = st.lists(one, min_size=1, max_size=4).map(",".join)
    listed = st.tuples(name, EQUAL, parts, st.sampled_from(["[]", "]["])).map(
        lambda drawn: f"{drawn[0]}{drawn[1]}{drawn[3][0]}{drawn[2]}{drawn[3][1]}"
    )
    plain = st.tuples(name, EQUAL, one).map(" ".join)
    if field.kind not in ("ip", "integer", *DATE_KINDS):
        return st.one_of(plain, plain, listed)
    order = st.sampled_from(["<", "<=", ">", ">="])
    exact = st.sampled_from(pool).map(lambda value: quoted(str(value)))
    return st.one_of(plain, listed, st.tuples(name, order, exact).map(" ".join))


def _value(field: Field, pool: Sequence[Any]) -> st.SearchStrategy[str]:
    drawn = st.sampled_from(pool)
    if field.kind == "ip":
        return st.one_of(
            drawn.flatmap(_address), st.tuples(drawn, drawn).map(_range), st.sampled_from(["ipv4", "ipv6"])
        )
    if field.kind in DATE_KINDS:
        return drawn.flatmap(_time)
    if field.kind == "integer":
        return st.one_of(drawn.map(str), st.tuples(drawn, st.integers(0, 100)).map(lambda p: f"{p[0]}-{p[0] + p[1]}"))
    if field.kind == "boolean":
        return st.sampled_from(["true", "false"])
    if field.kind in TEXT_KINDS:
        return drawn.flatmap(_words)
    if field.transform == "utf8_to_hex":
        return drawn.map(bytes.fromhex).map(lambda data: quoted(data.decode("latin-1").replace("\0", "?"))) | st.just(
            "*GET*"
        )
    return drawn.map(str).filter(lambda text: "\0" not in text).flatmap(_text)


def quoted(text: str, escaped: str = '\\"*?') -> str:
    """In quotes, these characters literal."""
    return '"' + "".join("\\" + char if char in escaped else char for char in text) + '"'


def _text(value: str) -> st.SearchStrategy[str]:
    middle = st.integers(0, max(len(value) - 1, 0))

    def wild(at: int) -> st.SearchStrategy[str]:
        start, end = quoted(value[:at])[:-1], quoted(value[at + 1 :])[1:]
        rest = quoted(value[at:])[1:]
        return st.sampled_from([f'{start}*"', f'"*{rest}', f'"*{rest[:-1]}*"', f"{start}?{end}", f"{start}*{end}"])

    def regex(at: int) -> st.SearchStrategy[str]:
        start, end = _plain(value[:at]), _plain(value[at + 1 :])
        letter = _plain(value[at : at + 1])
        forms = [".*", f".{end}", f"[^a-m]{end}", f"(x|{letter})?{end}", f"[a-zA-Z0-9]+{end}", f".{{1,3}}{end}"]
        others = [f"/.*{letter}{end}/", r"/\w+/", f"/.*({letter or 'a'}|[0-9])+.*/"]
        return st.sampled_from([*(f"/{start}{form}/" for form in forms), *others])

    exact = st.sampled_from([quoted(value), quoted(value.upper()), quoted(value + "x"), '"*"'])
    return st.one_of(exact, middle.flatmap(wild), middle.flatmap(regex) if len(value) < 200 else exact)


def _plain(text: str) -> str:
    return "".join(
        "\\" + char if not char.isalnum() and ord(char) < 128 and char not in "\n\t\r\f" else char for char in text
    )


def _words(value: Any) -> st.SearchStrategy[str]:
    words = split_words(str(value)) or ["none"]
    return st.lists(st.sampled_from(words), min_size=1, max_size=3).map(lambda some: quoted(" ".join(some)))


def _address(value: str) -> st.SearchStrategy[str]:
    address = ipaddress.ip_address(value)
    bits = st.integers(0, address.max_prefixlen).map(lambda prefix: f"{value}/{prefix}")
    ports = st.sampled_from([53, 80, 443])
    if address.version == 6:
        forms = [value, f"[{value}]", address.exploded, f"{value}."]
        return st.one_of(st.sampled_from(forms), bits, ports.map(lambda port: f"[{value}]:{port}"))
    octets = value.split(".")
    forms = [value, ".".join(octets[:3]), ".".join(octets[:2]), octets[0], f"{value}:", f"::ffff:{value}"]
    return st.one_of(st.sampled_from(forms), bits, ports.map(lambda port: f"{value}:{port}"))


def _range(ends: tuple[str, str]) -> str:
    low, high = sorted(map(ipaddress.ip_address, ends), key=lambda each: (each.version, int(each)))
    return f"{low}-{high}" if low.version == high.version else str(low)


def _time(value: int) -> st.SearchStrategy[str]:
    moment = datetime.fromtimestamp(value / 1000, timezone.utc)
    forms = ["%Y/%m/%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y/%m/%d", "%Y-%m"]
    return st.sampled_from([str(value), str(value // 1000), *(quoted(moment.strftime(form)) for form in forms)]).filter(
        lambda text: not re.fullmatch(r"-?\d{1,8}", text)
    )
