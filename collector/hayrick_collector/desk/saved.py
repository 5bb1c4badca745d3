"""A person's lists and views as expressions look them up: by name, when a name is met."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

from hayrick_collector.desk.database import Desk
from hayrick_collector.desk.lists import Lists
from hayrick_collector.desk.named import NamedThings, Thing
from hayrick_collector.desk.people import Person
from hayrick_collector.desk.views import Views

Value = TypeVar("Value")


class _Saved(Mapping[str, Value], Generic[Thing, Value]):
    def __init__(self, things: NamedThings[Thing], person: Person, value: Callable[[Thing], Value]) -> None:
        self._things, self._person, self._value = things, person, value

    def __getitem__(self, name: str) -> Value:
        thing = self._things.named(name, self._person.name)
        if thing is None:
            raise KeyError(name)
        return self._value(thing)

    def __iter__(self) -> Iterator[str]:
        return iter(self._things.names(self._person))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def lists(desk: Desk, person: Person) -> Mapping[str, Sequence[str]]:
    """Values by the name of the list."""
    return _Saved(Lists(desk), person, lambda each: each.values)


def views(desk: Desk, person: Person) -> Mapping[str, str]:
    """Expressions by the name of the view."""
    return _Saved(Views(desk), person, lambda each: each.expression)
