"""Every store: an expression finds the same sessions, pages meet without gap or overlap, sums are of what was found."""

from __future__ import annotations

import pytest
from tests.collector.store.conftest import Subject
from tests.collector.store.sessions import BARE, DNS, START, WEB, batch, expression, session

from hayrick_collector.store import Facet, Positions, Query

FINDS = [
    ("", "bare dns web"),
    ("node==test && node==EXISTS!", "bare dns web"),
    ("node!=EXISTS!", ""),
    ("protocols==http", "web"),
    ("protocols==[http,dns]", "dns web"),
    ("protocols==]tcp,http[", "web"),
    ("protocols!=tcp", "dns"),
    ("protocols==/.*t.?p/", "bare web"),
    ("protocols.cnt==1", "bare"),
    ("protocols.cnt>1", "dns web"),
    ("tags==seen", "web"),
    ("tags!=seen", "bare dns"),
    ("tags.cnt==EXISTS!", "web"),
    ("ip.src==10.0", "dns web"),
    ("ip.src==10.0.0.1", "web"),
    ("ip.src!=10.0.0.1", "bare dns"),
    ("ip.src>10.0.0.1", "bare dns"),
    ("ip.src<=10.0.0.1", "web"),
    ("ip.dst==ipv6", "dns"),
    ("ip.dst==2001:db8::/32", "dns"),
    ("ip.dst==2001:db8::53.53", "dns"),
    ("ip.dst==192.0.2.1:80", "web"),
    ("ip.dst==192.0.2.1:81", ""),
    ("ip.dst==EXISTS!", "dns web"),
    ("ip==192.0.2.1", "dns web"),
    ("ip==198.51.100/24", "web"),
    ("ip.xff==2001:db8::7", "web"),
    ("ip.xff==ipv4", "web"),
    ("ip.xff!=198.51.100.7", "bare dns"),
    ("ip==10.0.0.2:53000", "dns"),
    ("port==[53,80]", "dns web"),
    ("port.src>=53000", "dns"),
    ("port.dst==50-60", "dns"),
    ("ip.protocol==udp", "dns"),
    ("mac.src==00:11:22:33:44:55", "web"),
    ("vlan==9", "web"),
    ("vlan>7", "web"),
    ("vlan==[1,2]", ""),
    ("host==www.example.org", "dns web"),
    ("host.dns==*.top", "dns"),
    ("host.dns==*.org && host.dns==*.top", "dns"),
    ("host.http==WWW*", "web"),
    ("http.uri==*/login*", ""),
    ("http.uri==*/Login*", "web"),
    ('http.uri=="*Login?a=?"', "web"),
    ('http.uri=="*50%_off"', "web"),
    ('http.uri=="*50_%off"', ""),
    (r'http.uri=="*Login\?a=1"', "web"),
    ("http.uri.tokens==login", "web"),
    ('http.uri.tokens=="off 50"', "web"),
    ("http.uri==/.*Login.*/", "web"),
    ("http.uri==/Login/", ""),
    ("http.uri!=/.*Login.*/", "bare dns"),
    ("http.statuscode==404 && http.method==GET", "web"),
    ("http.statuscode>404", ""),
    ("http.method==GET || dns.status==noerror", "dns web"),
    ("!(http.method==GET || dns.status==noerror)", "bare"),
    ("http.method!=POST", "bare dns web"),
    ("http.method==EXISTS! && !(dns.status==EXISTS!)", "web"),
    ("tcp.synValidated==true", "web"),
    ("payload8.src.utf8==GET*", "web"),
    ("payload8.hex==47*", "web"),
    ("starttime==1700000060", "dns"),
    ("starttime>1700000060", "bare"),
    ("socks.user==EXISTS!", ""),
    ("socks.user!=EXISTS!", "bare dns web"),
    ("port.socks!=1 && ip.socks!=10", "bare dns web"),
    ("cert==EXISTS!", ""),
]


def test_expressions_find_what_they_mean(filled: Subject) -> None:
    wanted = {text: sorted(f"231114-{name}" for name in names.split()) for text, names in FINDS}
    assert {text: filled.found(text) for text, _ in FINDS} == wanted


def test_time_takes_sessions_that_overlap_it(filled: Subject) -> None:
    assert filled.found(start_ms=START + 1001) == [BARE["id"], DNS["id"]]
    assert filled.found(stop_ms=START + 59_999) == [WEB["id"]]
    assert filled.found(start_ms=START + 500, stop_ms=START + 600) == [WEB["id"]]
    assert filled.found(start_ms=START + 200_000) == []


def test_documents_come_back_as_they_went_in_without_positions(filled: Subject) -> None:
    page = filled.find(Query(expression("http.method==GET")))
    assert page.items == [{**{k: v for k, v in WEB.items() if k not in ("packetPos", "packetLen")}, "tagsCnt": 1}]
    assert filled.ask(lambda store: store.get(WEB["id"])) == page.items[0]
    assert filled.ask(lambda store: store.get("231114-none")) is None
    some = filled.find(Query(expression("http.method==GET"), fields=("http.host", "tags")))
    assert some.items == [{"id": WEB["id"], "http": {"host": ["www.example.org"]}, "tags": ["seen"]}]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ([("firstPacket", "desc")], "bare dns web"),
        ([("starttime", "asc")], "web dns bare"),
        ([("bytes", "desc"), ("id", "asc")], "web dns bare"),
        ([("port.dst", "asc")], "dns web bare"),
        ([("http.statuscode", "desc")], "web bare dns"),
        ([("ip.dst", "asc")], "web dns bare"),
        ([("protocols.cnt", "asc"), ("ip.src", "desc")], "bare dns web"),
        ([("socks.user", "desc")], "bare dns web"),
    ],
)
def test_any_field_sorts_and_pages_meet(filled: Subject, sort: list, order: str) -> None:
    seen, cursor = [], None
    for _ in range(4):
        query = Query(sort=sort, limit=1, cursor=cursor)
        page = filled.find(query)
        seen += [item["id"].removeprefix("231114-") for item in page.items]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == order.split()


def test_pages_of_equal_values_meet(subject: Subject) -> None:
    subject.index("one", batch(*(session(f"{number:03d}") for number in range(25))))
    seen, cursor = [], None
    while True:
        query = Query(sort=[("node", "asc"), ("bytes", "desc")], limit=7, cursor=cursor, total=False)
        page = subject.find(query)
        assert page.total is None
        seen += [item["id"] for item in page.items]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == [f"231114-{number:03d}" for number in range(25)]


def test_questions_that_are_wrong_in_themselves_are_refused(filled: Subject) -> None:
    for wrong in (Query(sort=[("absent", "asc")]), Query(sort=[("ip", "asc")]), Query(cursor="!"), Query(cursor="W10")):
        with pytest.raises(ValueError):
            filled.find(wrong)
    with pytest.raises(ValueError):
        filled.ask(lambda store: store.histogram(Query(), 60_000, "host.dns"))


def test_positions_are_of_the_sessions_found(filled: Subject) -> None:
    async def gathered(store):
        return [each async for each in store.positions(Query(expression("protocols==tcp"), limit=1))]

    assert filled.ask(gathered) == [Positions("one", each["id"], [24, 124], [100, 66]) for each in (BARE, WEB)]

    async def named(store):
        return [each async for each in store.positions_of([DNS["id"], "231114-none"])]

    assert filled.ask(named) == [Positions("one", DNS["id"], [24, 124], [100, 66])]


def test_facets_count_a_session_once_for_each_value(filled: Subject) -> None:
    def facets(field: str, **more):
        return filled.ask(lambda store: store.facets(Query(), field, **more))

    assert facets("protocols", limit=2) == [Facet("tcp", 2, 12, 5100), Facet("dns", 1, 2, 300)]
    assert facets("protocols", order="bytes")[0] == Facet("tcp", 2, 12, 5100)
    assert facets("ip.dst") == [Facet("192.0.2.1", 1, 10, 5000), Facet("2001:db8::53", 1, 2, 300)]
    assert facets("host")[0] == Facet("www.example.org", 2, 12, 5300)
    assert facets("ip")[0] == Facet("192.0.2.1", 2, 12, 5300)
    assert facets("http.statuscode") == [Facet(200, 1, 10, 5000), Facet(404, 1, 10, 5000)]
    assert facets("protocols.cnt") == [Facet(2, 2, 12, 5300), Facet(1, 1, 2, 100)]
    assert facets("socks.user") == []
