"""Sessions as a table for people: when, what, who, how much, and the most telling words of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hayrick_collector.cli import text

HOSTS = ("http.host", "dns.host", "quic.host", "dhcp.host", "email.host", "smb.host", "socks.host")
INFO = (
    "http.method", "http.uri", "http.statuscode", "dns.qt", "dns.status", "tls.version",
    "cert.subjectCN", "ssh.version", "email.subject", "smb.filename", "user", "tags", "anomaly",
)  # fmt: skip
FIELDS = (
    "id", "firstPacket", "lastPacket", "protocol", "ipProtocol", "source.ip", "source.port", "destination.ip",
    "destination.port", "network.packets", "network.bytes", *HOSTS, *INFO,
)  # fmt: skip
_NAMED_IP_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp"}
_WIDE_CELL = 60
_PIPE_WIDTH = 200
_NARROW = 150  # columns of a terminal that has no room for everything


def show(items: Sequence[dict[str, Any]], fields: Sequence[str] = ()) -> None:
    """Print the table, with the columns named or the usual ones."""
    if not items:
        return
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    console.print(_named(items, fields) if fields else _usual(items, narrow=console.width < _NARROW))


def _named(items: Sequence[dict[str, Any]], fields: Sequence[str]) -> Table:
    table = _table()
    for name in fields:
        table.add_column(name, overflow="fold")
    for item in items:
        table.add_row(*(Text(text.shown_field(item, name)) for name in fields))
    return table


def _usual(items: Sequence[dict[str, Any]], *, narrow: bool) -> Table:
    table = _table(expand=True)
    table.add_column("start (UTC)", no_wrap=True)
    table.add_column("protocols", overflow="fold", max_width=24)
    table.add_column("source", no_wrap=True)
    table.add_column("destination", no_wrap=True)
    table.add_column("hosts", no_wrap=True, overflow="ellipsis", ratio=1 if narrow else None, max_width=40)
    table.add_column("packets", justify="right", no_wrap=True)
    if not narrow:
        table.add_column("bytes", justify="right", no_wrap=True)
        table.add_column("info", no_wrap=True, overflow="ellipsis", ratio=1, min_width=10)
    for item in items:
        table.add_row(*map(Text, _row(item)[: len(table.columns)]))
    return table


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    return (
        text.shown_field(item, "firstPacket"),
        _protocols(item),
        _end(item, "source"),
        _end(item, "destination"),
        _cut(", ".join(_words(item, HOSTS))),
        text.shown_field(item, "network.packets"),
        text.shown_field(item, "network.bytes"),
        _cut(", ".join(_words(item, INFO))),
    )


def _protocols(item: dict[str, Any]) -> str:
    names = text.shown(text.field_value(item, "protocol"))
    number = text.field_value(item, "ipProtocol")
    return names or _NAMED_IP_PROTOCOLS.get(number, text.shown(number))


def _end(item: dict[str, Any], side: str) -> str:
    address = text.shown(text.field_value(item, f"{side}.ip"))
    port = text.field_value(item, f"{side}.port")
    if not port:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _words(item: dict[str, Any], names: Sequence[str]) -> list[str]:
    """Values of several fields, each once, in order."""
    words: dict[str, None] = {}
    for name in names:
        value = text.field_value(item, name)
        for each in value if isinstance(value, list) else [] if value is None else [value]:
            words[text.shown(each)] = None
    return list(words)


def _cut(value: str) -> str:
    return value if len(value) <= _WIDE_CELL * 2 else value[: _WIDE_CELL * 2 - 1] + "…"


def _table(*, expand: bool = False) -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=expand, padding=(0, 1))
