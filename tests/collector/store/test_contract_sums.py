"""Every store: sums are of what was found, a session counting once for each of its values."""

from __future__ import annotations

from typing import Any

import pytest
from tests.collector.store.conftest import Subject
from tests.collector.store.sessions import START, batch, expression, session

from hayrick_collector.store import Bucket, Graph, GraphNode, Link, Query

MINUTE = 60_000
FIRST = START - START % MINUTE


def unique(subject: Subject, field: str, text: str = "", limit: int | None = None) -> list:
    async def gathered(store):
        return [each async for each in store.unique(Query(expression(text)), field, limit)]

    return subject.ask(gathered)


def histogram(subject: Subject, metric: str, split: str | None = None, **more: int) -> list[Bucket]:
    return subject.ask(lambda store: store.histogram(Query(), MINUTE, metric, split, **more))


def graph(subject: Subject, source: str = "ip.src", destination: str = "ip.dst", **more: Any) -> Graph:
    return subject.ask(lambda store: store.graph(Query(), source, destination, **more))


def test_unique_values_come_in_order(filled: Subject) -> None:
    assert unique(filled, "host.dns", "ip.src==10.0") == [("example.top", 1), ("www.example.org", 1)]
    assert unique(filled, "port.dst", "ip.src==10.0") == [(53, 1), (80, 1)]
    assert unique(filled, "ip.dst") == [("192.0.2.1", 1), ("2001:db8::53", 1)]
    assert unique(filled, "host") == [("example.top", 1), ("www.example.org", 2)]
    assert unique(filled, "protocols", limit=2) == [("dns", 1), ("http", 1)]
    assert unique(filled, "protocols", limit=0) == unique(filled, "socks.user") == []


def test_a_value_that_a_session_has_twice_counts_once(subject: Subject) -> None:
    codes = {"statuscode": [200, 200, 404], "host": ["a.example", "a.example"]}
    subject.index("one", batch(session("twice", http=codes), session("once", http={"statuscode": [200]})))
    assert unique(subject, "http.statuscode") == [(200, 2), (404, 1)]
    assert unique(subject, "host.http") == [("a.example", 1)]
    found = graph(subject, "http.statuscode", "host.http").links
    assert [(link.source, link.destination, link.sessions) for link in found] == [
        (200, "a.example", 1),
        (404, "a.example", 1),
    ]
    facets = subject.ask(lambda store: store.facets(Query(), "http.statuscode"))
    assert [(each.value, each.sessions) for each in facets] == [(200, 2), (404, 1)]


def test_portions_of_unique_values_meet(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hayrick_collector.store.embedded.summaries._PORTION_VALUES", 4)
    monkeypatch.setattr("hayrick_collector.store.elasticsearch.search._PORTION_VALUES", 4)
    made = [
        session(f"{at:02d}", source={"ip": f"10.0.0.{at}", "port": at}, protocol=[f"p{at:02d}"]) for at in range(20)
    ]
    subject.index("one", batch(*made))
    assert unique(subject, "ip.src") == [(f"10.0.0.{at}", 1) for at in range(20)]
    assert unique(subject, "port.src") == [(at, 1) for at in range(20)]
    assert unique(subject, "protocols", limit=9) == [(f"p{at:02d}", 1) for at in range(9)]


def test_histograms_add_up_by_first_packet(filled: Subject) -> None:
    assert histogram(filled, "sessions") == [Bucket(FIRST + step * MINUTE, 1) for step in range(3)]
    assert [bucket.value for bucket in histogram(filled, "bytes")] == [5000, 300, 100]
    assert [bucket.value for bucket in histogram(filled, "packets")] == [10, 2, 2]
    assert [bucket.value for bucket in histogram(filled, "databytes")] == [0, 0, 0]


def test_any_field_of_whole_numbers_is_a_metric(filled: Subject) -> None:
    assert [bucket.value for bucket in histogram(filled, "network.packets")] == [10, 2, 2]
    assert [bucket.value for bucket in histogram(filled, "http.statuscode")] == [604, 0, 0]
    assert [bucket.value for bucket in histogram(filled, "vlan")] == [16, 0, 0]
    assert [bucket.value for bucket in histogram(filled, "protocols.cnt")] == [2, 2, 1]


def test_histograms_split_by_the_commonest_values(filled: Subject) -> None:
    second, third = FIRST + MINUTE, FIRST + 2 * MINUTE
    assert histogram(filled, "bytes", "protocols", limit=2) == [
        Bucket(FIRST, 5000, "tcp"),
        Bucket(second, 300, "dns"),
        Bucket(third, 100, "tcp"),
    ]
    assert histogram(filled, "sessions", "host.dns") == [
        Bucket(second, 1, "example.top"),
        Bucket(second, 1, "www.example.org"),
    ]
    assert histogram(filled, "http.statuscode", "ip", limit=1) == [
        Bucket(FIRST, 604, "192.0.2.1"),
        Bucket(second, 0, "192.0.2.1"),
    ]
    assert histogram(filled, "sessions", "socks.user") == []


def test_a_graph_links_the_values_of_two_fields(filled: Subject) -> None:
    assert graph(filled) == Graph(
        nodes=[
            GraphNode("10.0.0.1", "source", 1, 1, 10, 5000),
            GraphNode("192.0.2.1", "destination", 1, 1, 10, 5000),
            GraphNode("10.0.0.2", "source", 1, 1, 2, 300),
            GraphNode("2001:db8::53", "destination", 1, 1, 2, 300),
        ],
        links=[
            Link("10.0.0.1", "192.0.2.1", 1, 10, 5000),
            Link("10.0.0.2", "2001:db8::53", 1, 2, 300),
        ],
        more=False,
    )


def test_a_session_counts_for_each_pair_of_its_values(filled: Subject) -> None:
    found = graph(filled, "host", "protocols", limit=3, order="bytes")
    assert found.links == [
        Link("www.example.org", "http", 1, 10, 5000),
        Link("www.example.org", "tcp", 1, 10, 5000),
        Link("example.top", "dns", 1, 2, 300),
    ]
    assert found.more
    assert (found.nodes[0].value, found.nodes[0].links, found.nodes[0].bytes) == ("www.example.org", 2, 10_000)
    assert graph(filled, "socks.user", "ip.dst") == Graph([], [], more=False)


def test_an_end_on_both_sides_is_one_node(subject: Subject) -> None:
    ends = [("10.0.0.1", "10.0.0.2"), ("10.0.0.2", "10.0.0.1"), ("10.0.0.3", "10.0.0.3")]
    made = [session(f"{at}", source={"ip": a}, destination={"ip": b}) for at, (a, b) in enumerate(ends)]
    subject.index("one", batch(*made))
    assert [(node.value, node.side, node.links, node.sessions) for node in graph(subject).nodes] == [
        ("10.0.0.1", "both", 2, 2),
        ("10.0.0.2", "both", 2, 2),
        ("10.0.0.3", "both", 1, 1),
    ]


def test_sums_that_are_wrong_in_themselves_are_refused(filled: Subject) -> None:
    for metric, split in (("host.dns", None), ("ip", None), ("sessions", "absent"), ("absent", None)):
        with pytest.raises(ValueError):
            histogram(filled, metric, split)
    with pytest.raises(ValueError):
        graph(filled, "absent", "ip.dst")
    with pytest.raises(ValueError):
        unique(filled, "absent")
