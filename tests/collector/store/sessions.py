"""A few sessions whose every value is known, for the contract suite."""

from __future__ import annotations

import copy
from typing import Any, TypeAlias

from tests.collector.catalogue import CATALOGUE
from tests.collector.store.batches import DocumentBatch

from hayrick_collector.expression import Node, parse_expression
from hayrick_collector.store.documents import values

Batches: TypeAlias = DocumentBatch
DAY = 86_400_000
START = 1_700_000_000_000  # 2023-11-14 22:13:20 UTC


def expression(text: str) -> Node:
    """Parsed against the small catalogue."""
    return parse_expression(text, CATALOGUE, now_ms=START)


def session(name: str, chunk: str = "one", at: int = START, **members: Any) -> dict[str, Any]:
    """A session's document; `name` becomes the last part of its id."""
    return counted(
        {
            "id": f"231114-{name}",
            "chunk": chunk,
            "node": "test",
            "firstPacket": at,
            "lastPacket": at + 1000,
            "network": {"packets": 2, "bytes": 100},
            "packetPos": [24, 124],
            "packetLen": [100, 66],
            **members,
        }
    )


def counted(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the numbers of its values, which the decoder writes too."""
    made = copy.deepcopy(document)
    for field in CATALOGUE.fields:
        number = len(values(document, field.column or "")) if field.counts else 0
        if number:
            outer, _, last = field.document.rpartition(".")
            within = made.get(outer, made) if outer else made
            within[last if within is not made else field.document] = number
    return made


def batch(*sessions: dict[str, Any]) -> DocumentBatch:
    """As the decoder would give them."""
    return DocumentBatch(sessions, CATALOGUE)


WEB = session(
    "web",
    source={"ip": "10.0.0.1", "port": 50000, "mac": ["00:11:22:33:44:55"]},
    destination={"ip": "192.0.2.1", "port": 80},
    ipProtocol=6,
    protocol=["tcp", "http"],
    tags=["seen"],
    tcpSynValidated=True,
    srcPayload8="474554202f",
    network={"packets": 10, "bytes": 5000, "vlan": {"id": [7, 9]}},
    http={
        "host": ["www.example.org"],
        "uri": ["www.example.org/Login?a=1", "www.example.org/50%_off"],
        "method": ["GET"],
        "statuscode": [200, 404],
        "xffIp": ["198.51.100.7", "2001:db8::7"],
    },
)
DNS = session(
    "dns",
    at=START + 60_000,
    source={"ip": "10.0.0.2", "port": 53000},
    destination={"ip": "2001:db8::53", "port": 53},
    ipProtocol=17,
    protocol=["udp", "dns"],
    network={"packets": 2, "bytes": 300},
    dns={"host": ["www.example.org", "example.top"], "ip": ["192.0.2.1"], "status": ["NOERROR"]},
)
BARE = session("bare", at=START + 120_000, protocol=["tcp"], ipProtocol=6, source={"ip": "10.9.0.1"})
ALL = (WEB, DNS, BARE)
