"""Names in expressions to fields of the catalogue; the only reader of the decoder's list of fields."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

TEXT_KINDS = frozenset({"textfield", "lotextfield", "uptextfield"})
TERM_KINDS = frozenset({"termfield", "lotermfield", "uptermfield"})
DATE_KINDS = frozenset({"date", "seconds"})
NUMBER_KINDS = frozenset({"integer"}) | DATE_KINDS
COUNT_SUFFIX = ".cnt"
OBJECT = "object"
DATABASE_PREFIX = "db:"


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name in expressions and in documents, its kind, and where a store keeps it.

    `any_of` names the members of a group field, which has no values of its own. `counts` marks the number of values
    of the multi-valued field that `column` holds, and says their kind.
    """

    expression: str
    document: str = ""
    kind: str = "termfield"
    group: str = "general"
    multi: bool = False
    table: str = "sessions"
    column: str | None = None
    count: str | None = None
    transform: str | None = None
    aliases: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    help: str = ""
    counts: str | None = None

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> Field:
        """From one dict of `hayrick_decode.fields()`; keys that are missing count as empty."""
        known = {name: entry[name] for name in cls.__slots__ if entry.get(name) is not None}
        known.setdefault("document", "")
        for name in ("aliases", "any_of"):
            known[name] = tuple(known.get(name, ()))
        return cls(**known)

    def counted(self) -> Field:
        """The field that is the number of this one's values."""
        return replace(
            self,
            expression=self.expression + COUNT_SUFFIX,
            document=self.count or "",
            kind="integer",
            multi=False,
            count=None,
            transform=None,
            aliases=(),
            help=f"Number of values of {self.expression}",
            counts=self.kind,
        )


class Catalogue:
    """All fields, found by expression name, alias or document name."""

    def __init__(self, fields: Iterable[Field]) -> None:
        listed = list(fields)
        documents = {field.document for field in listed if field.column is not None}
        counts = [field.counted() for field in listed if field.count and field.column and field.count not in documents]
        self.fields: tuple[Field, ...] = (*listed, *counts)
        self._by_expression = {field.expression: field for field in reversed(self.fields)}
        self._by_document = {field.document: field for field in reversed(self.fields) if field.document}
        self._by_alias = {alias: field for field in reversed(self.fields) for alias in field.aliases}
        names = {**self._by_document, **self._by_alias, **self._by_expression}
        self._by_lower = {name.lower(): field for name, field in names.items()}

    @classmethod
    def from_dicts(cls, entries: Iterable[Mapping[str, Any]]) -> Catalogue:
        """From the list that `hayrick_decode.fields()` returns, with what expressions derive from it."""
        from hayrick_collector.expression.derived import completed

        return cls(completed(Field.from_dict(entry) for entry in entries))

    def find(self, name: str) -> Field | None:
        """The field with this expression name, alias or document name (only the last after `db:`)."""
        if name.startswith(DATABASE_PREFIX):
            return self._by_document.get(name.removeprefix(DATABASE_PREFIX))
        exact = self._by_expression.get(name) or self._by_alias.get(name) or self._by_document.get(name)
        return exact or self._count_of(name) or self._by_lower.get(name.lower())

    def members(self, field: Field) -> tuple[Field, ...]:
        """The stored fields behind a field: itself, or those of the group, each once."""
        if field.kind == OBJECT:
            return tuple(each for each in self.fields if each.column and each.document.startswith(f"{field.document}."))
        if not field.any_of:
            return (field,) if field.column else ()
        found = (self.find(name) for name in field.any_of)
        each = (leaf for member in found if member is not None for leaf in self.members(member))
        return tuple(dict.fromkeys(each))

    def similar(self, name: str) -> list[str]:
        """Up to three expression names that look like this one."""
        return difflib.get_close_matches(name, self._by_expression, n=3, cutoff=0.6)

    def port_of(self, field: Field) -> Field | None:
        """The port that belongs to an address: `port.src` for `ip.src`."""
        side = field.expression.removeprefix("ip.")
        return self._by_expression.get(f"port.{side}") if side != field.expression else None

    def _count_of(self, name: str) -> Field | None:
        """`NAME.cnt` where NAME is an alias or a group: the counts of its members."""
        base = self.find(name.removesuffix(COUNT_SUFFIX)) if name.endswith(COUNT_SUFFIX) else None
        if base is None:
            return None
        if base.any_of:
            members = tuple(member.expression + COUNT_SUFFIX for member in self.members(base) if member.count)
            return replace(base.counted(), any_of=members) if members else None
        return self._by_document.get(base.count) if base.count else None
