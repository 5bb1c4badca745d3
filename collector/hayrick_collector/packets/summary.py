"""One line a packet, as far as its addresses, ports and TCP flags go; Wireshark's tree tells the rest."""

from __future__ import annotations

import socket
from dataclasses import dataclass

import dpkt

from hayrick_collector.archive.write import Packet

_FLAGS = ((0x02, "SYN"), (0x01, "FIN"), (0x04, "RST"), (0x08, "PSH"), (0x10, "ACK"), (0x20, "URG"))
_LAYERS = {
    0: dpkt.loopback.Loopback, 1: dpkt.ethernet.Ethernet, 101: dpkt.ip.IP, 113: dpkt.sll.SLL, 228: dpkt.ip.IP,
    229: dpkt.ip6.IP6, 276: dpkt.sll2.SLL2,
}  # fmt: skip
_BROKEN = (dpkt.Error, ValueError, IndexError, KeyError, TypeError, AttributeError)  # what dpkt raises on hostile bytes


@dataclass(frozen=True, slots=True)
class Line:
    """Ends as text, what the packet is, and its payload's bytes."""

    source: str = ""
    destination: str = ""
    info: str = ""
    payload: int = 0


def line(packet: Packet) -> Line:
    """What can be told of the packet; an empty line where nothing can."""
    layer = _LAYERS.get(packet.linktype)
    try:
        inner = layer(packet.data) if layer else None
        ip = _innermost(inner)
        return _told(ip) if ip is not None else Line(info=type(inner).__name__ if inner is not None else "")
    except _BROKEN:
        return Line()


def _innermost(packet: object) -> object | None:
    """The last IP header: inside tunnels is the session."""
    found = None
    for _ in range(16):
        if isinstance(packet, (dpkt.ip.IP, dpkt.ip6.IP6)):
            found = packet
        packet = getattr(packet, "data", None)
        if not isinstance(packet, dpkt.Packet):
            break
    return found


def _told(ip: object) -> Line:
    source, destination = _address(getattr(ip, "src", b"")), _address(getattr(ip, "dst", b""))
    upper = getattr(ip, "data", b"")
    if isinstance(upper, dpkt.tcp.TCP):
        flags = " ".join(name for bit, name in _FLAGS if upper.flags & bit)
        info = f"TCP {flags} seq {upper.seq} ack {upper.ack} win {upper.win}"
    elif isinstance(upper, dpkt.udp.UDP):
        info = "UDP"
    else:
        info = type(upper).__name__ if isinstance(upper, dpkt.Packet) else "fragment or unknown"
        return Line(source, destination, info, len(upper) if isinstance(upper, bytes) else len(bytes(upper)))
    return Line(f"{source}:{upper.sport}", f"{destination}:{upper.dport}", info, len(bytes(upper.data)))


def _address(raw: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET6 if len(raw) == 16 else socket.AF_INET, raw)
