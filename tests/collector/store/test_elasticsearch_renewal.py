"""What an operator does with a cluster: is told what is amiss, and has indices made anew under readers' eyes."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from tests.collector.catalogue import CATALOGUE, ENTRIES
from tests.collector.conftest import Hayrick
from tests.collector.elasticsearch import START_S
from tests.collector.store.sessions import ALL, DNS, WEB, batch, session
from tests.collector.store.test_elasticsearch import ask, ids, put, settings, stored

from hayrick_collector.expression import Catalogue
from hayrick_collector.store import Query
from hayrick_collector.store.elasticsearch import Cluster, ElasticsearchWriter
from hayrick_collector.store.elasticsearch.checkup import advice
from hayrick_collector.store.elasticsearch.connection import connected
from hayrick_collector.store.elasticsearch.prepare import prepare
from hayrick_collector.store.elasticsearch.renewal import renew
from hayrick_common.errors import StoreAwayError, StoreError

pytestmark = pytest.mark.timeout(START_S + 120)
# As if an older version had taken a port for a text.
OLDER = Catalogue.from_dicts(
    [{**each, "kind": "text"} if each["expression"] == "port.dst" else dict(each) for each in ENTRIES]
)


def made_by_an_older_version(cluster: Cluster) -> None:
    with ElasticsearchWriter(cluster, OLDER, "one") as writer:
        writer.add(batch(*ALL))
        writer.commit()


def test_an_index_of_an_older_mapping_is_made_anew_and_readers_never_miss_or_double(cluster: Cluster) -> None:
    made_by_an_older_version(cluster)
    with pytest.raises(StoreError, match="hayrick store reindex"):
        prepare(cluster, CATALOGUE)
    assert any("reindex" in each for each in advice(cluster, CATALOGUE))
    day, whole = cluster.day(WEB["id"]), sorted(each["id"] for each in ALL)
    seen: list[list[str]] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            with suppress(StoreAwayError):  # in the moment in which an index goes: refused, not answered wrong
                seen.append(ids(cluster))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert renew(cluster, CATALOGUE) == {day: 3}
        assert renew(cluster, CATALOGUE) == {}
        assert renew(cluster, CATALOGUE, everything=True) == {day: 3}
    finally:
        done.set()
        reader.join(30)
    assert len(seen) > 1
    assert all(each == whole for each in seen)
    assert ids(cluster, "port.dst >= 53 && port.dst < 54") == [DNS["id"]]
    assert not any("reindex" in each for each in advice(cluster, CATALOGUE))


def test_what_was_made_anew_takes_chunks_again_and_goes_as_one(cluster: Cluster) -> None:
    made_by_an_older_version(cluster)
    renew(cluster, CATALOGUE)
    ask(cluster, lambda store: store.tag(Query(), ["kept"]))
    put(cluster, "one", batch(WEB, DNS))
    put(cluster, "two", batch(session("two", "two")))
    assert ids(cluster) == sorted([WEB["id"], DNS["id"], "231114-two"])
    assert ids(cluster, "tags==kept") == sorted([WEB["id"], DNS["id"]])
    assert stored(cluster) == 3
    assert ask(cluster, lambda store: store.delete_before(WEB["lastPacket"] + 86_400_000)) == 3
    assert not connected(cluster).indices.get(index=f"{cluster.prefix}anew*")
    put(cluster, "one", batch(WEB))
    assert ids(cluster) == [WEB["id"]]


def test_the_check_says_what_to_do(cluster: Cluster, hayrick: Hayrick, tmp_path: Path) -> None:
    put(cluster, "one", batch(WEB))
    assert [each for each in advice(cluster, CATALOGUE) if "disk" not in each] == []
    many = replace(cluster, replicas=3)
    told = " ".join(advice(many, CATALOGUE))
    assert "needs 4 nodes" in told
    assert "another number of copies" in told
    assert "hayrick store init" in told
    prepare(many, CATALOGUE)
    assert "another number of copies" not in " ".join(advice(many, CATALOGUE))
    connected(cluster).indices.put_settings(
        index=cluster.sessions, settings={"index.blocks.read_only_allow_delete": True}
    )
    assert "a disk is full" in advice(many, CATALOGUE)[0]
    config = settings(tmp_path, cluster, tmp_path / "data")
    assert "to do: a disk is full" in hayrick("store", "check", "--config", config, code=1).stdout
