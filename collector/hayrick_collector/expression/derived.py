"""What expressions know beyond the decoder's own list: words of texts, payload as text, how typed values are brought
into stored form, and the members that a group names by pattern. All by rule, so that a new protocol needs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from hayrick_collector.expression.fields import COUNT_SUFFIX, TERM_KINDS, Field

TOKENS = ".tokens"
_WORDED = ("http.uri", "http.user-agent", "dhcp.host", "oracle.host")
_TRANSFORMS = {"ip.protocol": "ip_protocol", "http.uri": "remove_protocol"}


def completed(fields: Iterable[Field]) -> list[Field]:
    """The fields with their transforms, followed by those derived from them; groups with their members' names."""
    listed = [_transformed(field) for field in fields]
    named = {field.expression for field in listed}
    extra = [
        each for field in listed for each in (*_words(field), *_payload_text(field)) if each.expression not in named
    ]
    whole = [*listed, *extra]
    return [replace(field, any_of=_members(field, whole)) if field.any_of else field for field in whole]


def _transformed(field: Field) -> Field:
    if field.transform or field.kind not in (*TERM_KINDS, "integer"):
        return field
    host = field.expression.startswith("host.") and field.kind in TERM_KINDS
    return replace(field, transform=_TRANSFORMS.get(field.expression) or ("remove_protocol_and_uri" if host else None))


def _words(field: Field) -> list[Field]:
    """`host.http.tokens`: a search for words in the values of `host.http`."""
    name = field.expression
    texts = field.kind in TERM_KINDS and field.column is not None
    if not texts or not (name in _WORDED or (name.startswith("host.") and not name.endswith(TOKENS))):
        return []
    help_text = f"Words in {name}"
    return [replace(field, expression=name + TOKENS, document=f"{field.document}Tokens", kind="lotextfield", count=None,
                    transform=None, aliases=(), help=help_text)]  # fmt: skip


def _payload_text(field: Field) -> list[Field]:
    """`payload8.src.utf8`: the same bytes as `payload8.src.hex`, typed as text."""
    if not (field.expression.startswith("payload8.") and field.expression.endswith(".hex")):
        return []
    name = field.expression.removesuffix("hex") + "utf8"
    members = tuple(member.removesuffix("hex") + "utf8" for member in field.any_of)
    transform = None if members else "utf8_to_hex"
    help_text = field.help.replace("in hex", "as text")
    return [replace(field, expression=name, kind="termfield", transform=transform, any_of=members, aliases=(),
                    help=help_text)]  # fmt: skip


def _members(group: Field, fields: Sequence[Field]) -> tuple[str, ...]:
    """Names as they are; `*ip` is every `ip.*` of its kind, other patterns fit the names of plain fields."""
    found: dict[str, None] = {}
    for name in group.any_of:
        pattern = f"{name[1:]}.*" if name.startswith("*") else name
        if "*" not in pattern:
            found[name] = None
            continue
        for field in fields:
            plain = field.column is not None and not field.expression.endswith((TOKENS, COUNT_SUFFIX))
            if plain and fnmatchcase(field.expression, pattern) and _same_kind(field, group):
                found[field.expression] = None
    return tuple(found)


def _same_kind(field: Field, group: Field) -> bool:
    return field.kind == group.kind or (field.kind in TERM_KINDS and group.kind in TERM_KINDS)
