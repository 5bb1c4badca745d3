"""The desk: private to its owner, grown by numbered steps, and nobody's things are another's."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from hayrick_collector.desk.database import Desk
from hayrick_collector.desk.lists import Lists, ValueList
from hayrick_collector.desk.people import Person
from hayrick_collector.desk.schema import prepare
from hayrick_collector.desk.views import View, Views
from hayrick_common.errors import ConfigError, UsageError

ANN, BOB, ROOT = Person("ann", "viewer"), Person("bob", "packets"), Person("root", "admin")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "desk.sqlite3")
    yield desk
    desk.close()


def test_file_is_closed_to_other_users(desk: Desk, tmp_path: Path) -> None:
    Views(desk).add(View("x", "ann"))
    files = list(tmp_path.iterdir())
    assert len(files) == 3
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}


def test_each_feature_grows_by_its_own_steps_and_a_broken_step_leaves_everything(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "x", isolation_level=None)
    first = "CREATE TABLE a (n INTEGER) STRICT;\nINSERT INTO a VALUES (1);\n"
    prepare(db, {"a": (first,)})
    with pytest.raises(sqlite3.OperationalError):
        prepare(db, {"a": (first, "ALTER TABLE a ADD COLUMN m INTEGER;\nINSERT INTO nowhere VALUES (1);\n")})
    prepare(db, {"b": ("CREATE TABLE b (n INTEGER) STRICT;\n",), "a": (first, "UPDATE a SET n = 2;\n")})
    prepare(db, {"a": (first, "UPDATE a SET n = 2;\n")})
    assert db.execute("SELECT * FROM a").fetchall() == [(2,)]
    with pytest.raises(ConfigError, match="a have version 2"):
        prepare(db, {"a": (first,)})
    db.close()


def test_undone_by_an_exception_and_open_to_readers_meanwhile(desk: Desk) -> None:
    def features() -> int:
        return len(desk.rows("SELECT feature FROM versions"))

    def broken() -> None:
        with desk.write() as db:
            db.execute("DELETE FROM versions")
            assert features() > 1
            raise KeyError

    with pytest.raises(KeyError):
        broken()
    assert features() > 1


def test_name_is_ones_own_first_then_the_shared_one(desk: Desk) -> None:
    lists = Lists(desk)
    theirs = lists.add(ValueList("bad", "bob", shared=True, values=("10.0.0.1",)))
    assert lists.named("bad", "ann") == theirs
    own = lists.add(ValueList("bad", "ann", values=("10.0.0.2", "x y")))
    assert lists.named("bad", "ann") == own
    assert lists.named("bad", "bob") == theirs
    assert lists.named("none", "bob") is None
    assert lists.seen_by(ANN) == [own, theirs]
    assert lists.seen_by(BOB) == [theirs]


def test_only_the_owner_and_administrators_change_things(desk: Desk) -> None:
    views = Views(desk)
    mine = views.add(View("x", "ann", expression="port == 53", columns=("dns.host",), shared=True))
    with pytest.raises(PermissionError):
        views.change(mine, BOB)
    with pytest.raises(PermissionError):
        views.remove(mine.id, BOB)
    changed = views.change(View("y", "nobody", id=mine.id, expression="port == 80"), ROOT)
    assert (changed.owner, changed.name, changed.expression) == ("ann", "y", "port == 80")
    with pytest.raises(LookupError):
        views.get(mine.id, BOB)
    views.remove(mine.id, ANN)
    with pytest.raises(LookupError):
        views.get(mine.id, ANN)


def test_name_is_taken_once_by_each_owner(desk: Desk) -> None:
    views = Views(desk)
    views.add(View("x", "ann"))
    views.add(View("x", "bob"))
    second = views.add(View("y", "ann"))
    with pytest.raises(UsageError):
        views.add(View("x", "ann"))
    with pytest.raises(UsageError):
        views.change(View("x", "ann", id=second.id), ANN)
