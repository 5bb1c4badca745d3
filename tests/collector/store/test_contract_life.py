"""Every store: a chunk is seen whole or not at all, once however often it is indexed, until it is deleted."""

from __future__ import annotations

import pytest
from tests.collector.store.conftest import Subject
from tests.collector.store.sessions import ALL, BARE, DAY, DNS, START, WEB, batch, session

from hayrick_collector.store import Positions, Query, Store


def test_an_empty_store_answers_everything(subject: Subject) -> None:
    assert subject.found() == subject.found("protocols==tcp && http.uri!=a") == []
    assert subject.ask(lambda store: store.facets(Query(), "protocols")) == []
    assert subject.ask(lambda store: store.histogram(Query(), 1000)) == []

    async def walked(store: Store) -> list[Positions]:
        return [each async for each in store.positions(Query())]

    assert subject.ask(walked) == []
    assert subject.ask(lambda store: store.get(WEB["id"])) is None
    assert subject.ask(lambda store: store.delete_before(START)) == 0
    assert subject.tag("", ["a"]) == 0
    health = subject.ask(lambda store: store.health())
    assert (health["ok"], health["sessions"], health["chunks"]) == (True, 0, 0)


def test_nothing_is_seen_before_the_commit_and_nothing_is_left_of_an_abort(subject: Subject) -> None:
    writer = subject.store().writer("one")
    writer.add(batch(WEB))
    assert subject.found() == []
    writer.abort()
    assert subject.found() == []
    assert not subject.ask(lambda store: store.has_chunk("one"))


def test_a_failing_block_aborts(subject: Subject) -> None:

    def fails() -> None:
        with subject.store().writer("one") as writer:
            writer.add(batch(WEB))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert subject.found() == []


def test_batches_of_a_chunk_are_one(subject: Subject) -> None:
    assert subject.index("one", batch(WEB), batch(DNS), batch(BARE)) == 3
    assert subject.found() == sorted(each["id"] for each in ALL)
    assert subject.found("http.method==GET || dns.status==NOERROR") == [DNS["id"], WEB["id"]]
    assert subject.get("dns")["dns"] == DNS["dns"]


def test_indexing_again_replaces_and_never_doubles(subject: Subject) -> None:
    subject.index("one", batch(*ALL))
    subject.index("two", batch(session("other", "two")))
    changed = {**WEB, "http": {"method": ["POST"]}}
    subject.index("one", batch(changed, DNS))
    assert subject.found() == ["231114-dns", "231114-other", "231114-web"]
    assert subject.found("http.method==GET || http.statuscode==200") == []
    assert subject.found("http.method==POST") == [WEB["id"]]


def test_a_chunk_without_sessions_is_known(subject: Subject) -> None:
    subject.index("one", batch(*ALL))
    assert subject.index("one") == 0
    assert subject.found() == []
    assert subject.ask(lambda store: store.has_chunk("one"))


def test_a_deleted_chunk_is_gone_and_can_come_back(subject: Subject) -> None:
    subject.index("one", batch(*ALL))
    subject.index("two", batch(session("other", "two")))
    assert subject.ask(lambda store: store.delete_chunk("one"))
    assert not subject.ask(lambda store: store.delete_chunk("one"))
    assert subject.found() == ["231114-other"]
    assert not subject.ask(lambda store: store.has_chunk("one"))
    subject.ask(lambda store: store.maintain())
    assert subject.found() == ["231114-other"]
    subject.index("one", batch(WEB))
    assert subject.found() == ["231114-other", WEB["id"]]


def test_old_sessions_go_and_do_not_come_back(subject: Subject) -> None:
    subject.index("old", batch(session("old", "old", START - 9 * DAY)))
    subject.index("old", batch(session("old", "old", START - 9 * DAY), session("old2", "old", START - 9 * DAY)))
    subject.index("one", batch(WEB))
    assert subject.ask(lambda store: store.delete_before(START - DAY)) == 2
    assert subject.found() == [WEB["id"]]
    subject.ask(lambda store: store.maintain())
    assert subject.found() == [WEB["id"]]


def test_tags_change_at_once_and_the_last_change_counts(subject: Subject) -> None:
    subject.index("one", batch(*ALL))
    assert subject.tag("protocols==tcp", ["case", "case", "x"]) == 2
    assert subject.found("tags==case") == [BARE["id"], WEB["id"]]
    assert subject.found("tags.cnt==3") == [WEB["id"]]
    assert subject.tag("http.method==GET", ["y"], ["case", "seen"]) == 1
    assert subject.found("tags==case") == [BARE["id"]]
    assert subject.get("web")["tags"] == ["x", "y"]
    assert [facet.value for facet in subject.ask(lambda store: store.facets(Query(), "tags"))] == ["x", "case", "y"]
    subject.tag("", [], ["case", "x", "y"])
    assert subject.found("tags==EXISTS!") == []
    assert "tags" not in subject.get("web")


def test_tags_outlive_indexing_again_and_maintenance(subject: Subject) -> None:
    subject.index("one", batch(*ALL))
    for number in range(12):
        subject.tag("http.method==GET", [f"t{number}"])
    subject.tag("", [], ["t3", "seen"])
    wanted = sorted({f"t{number}" for number in range(12)} - {"t3"})
    for _ in range(3):
        subject.ask(lambda store: store.maintain())
        subject.index("one", batch(*ALL))
        assert subject.get("web")["tags"] == wanted
        assert subject.found("tags==t11") == [WEB["id"]]


def test_an_empty_tag_is_refused(subject: Subject) -> None:
    with pytest.raises(ValueError):
        subject.tag("", [""])


def test_sessions_of_another_chunk_are_refused(subject: Subject) -> None:
    with pytest.raises(ValueError):
        subject.index("two", batch(WEB))
    assert subject.found() == []
