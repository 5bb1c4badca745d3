"""A small catalogue in the shape of the decoder's, with every kind of field and every way a field can be stored."""

from __future__ import annotations

from typing import Any

from hayrick_collector.expression import Catalogue


def entry(expression: str, document: str, kind: str, table: str = "sessions", **more: Any) -> dict[str, Any]:
    """One dict as `hayrick_decode.fields()` gives it."""
    plain = {"group": "general" if table == "sessions" else table, "multi": False, "count": None, "help": ""}
    return {"expression": expression, "document": document, "kind": kind, "table": table, "column": document, **plain,
            "aliases": [], "any_of": [], **more}  # fmt: skip


def many(expression: str, document: str, kind: str, table: str = "sessions", **more: Any) -> dict[str, Any]:
    """A field with many values and their count."""
    return entry(expression, document, kind, table, multi=True, count=f"{document}Cnt", **more)


def group(expression: str, kind: str, *members: str) -> dict[str, Any]:
    """A field that is any of others."""
    return {**entry(expression, "", kind), "document": None, "table": None, "column": None, "any_of": list(members)}


ENTRIES = [
    entry("id", "id", "termfield"),
    entry("chunk", "chunk", "termfield"),
    entry("node", "node", "termfield"),
    entry("file", "file", "termfield"),
    many("tags", "tags", "termfield"),
    many("protocols", "protocol", "termfield", aliases=["protocol"]),
    entry("starttime", "firstPacket", "date"),
    entry("stoptime", "lastPacket", "date"),
    entry("ip.src", "source.ip", "ip"),
    entry("ip.dst", "destination.ip", "ip"),
    entry("port.src", "source.port", "integer"),
    entry("port.dst", "destination.port", "integer"),
    entry("ip.protocol", "ipProtocol", "integer"),
    entry("packets", "network.packets", "integer"),
    entry("bytes", "network.bytes", "integer"),
    entry("databytes", "totDataBytes", "integer"),
    entry("country.src", "source.geo.country_iso_code", "uptermfield"),
    entry("tcp.synValidated", "tcpSynValidated", "boolean"),
    entry("tcpflags.syn-ack", "tcpflags.syn-ack", "integer"),
    entry("payload8.src.hex", "srcPayload8", "lotermfield"),
    entry("payload8.dst.hex", "dstPayload8", "lotermfield"),
    many("mac.src", "source.mac", "lotermfield"),
    many("outerip.src", "srcOuterIp", "ip"),
    many("vlan", "network.vlan.id", "integer"),
    many("user", "user", "lotermfield"),
    many("host.http", "http.host", "lotermfield", "http"),
    many("http.uri", "http.uri", "termfield", "http"),
    many("http.method", "http.method", "termfield", "http"),
    many("http.statuscode", "http.statuscode", "integer", "http"),
    many("ip.xff", "http.xffIp", "ip", "http"),
    many("host.dns", "dns.host", "lotermfield", "dns"),
    many("ip.dns", "dns.ip", "ip", "dns"),
    many("dns.status", "dns.status", "uptermfield", "dns"),
    {**many("cert", "cert", "object", "cert"), "column": None, "table": None, "count": "certCnt"},
    many("cert.notafter", "cert.notAfter", "date", "cert"),
    many("cert.alt", "cert.alt", "lotermfield", "cert"),
    entry("socks.user", "socks.user", "termfield", "socks"),
    entry("ip.socks", "socks.ip", "ip", "socks"),
    entry("port.socks", "socks.port", "integer", "socks"),
    group("ip", "ip", "*ip"),
    group("port", "integer", "port.src", "port.dst", "port.socks"),
    group("host", "lotermfield", "host.*"),
    group("payload8.hex", "lotermfield", "payload8.src.hex", "payload8.dst.hex"),
]

CATALOGUE = Catalogue.from_dicts(ENTRIES)
