"""Small captures for the collector's tests, written with dpkt: what is in them is known to the byte."""

from __future__ import annotations

import gzip
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

import dpkt

START = 1_700_000_000  # 2023-11-14T22:13:20Z


def ethernet(payload: bytes, kind: int = 0x0800) -> bytes:
    """A frame between two fixed stations."""
    return b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02" + struct.pack(">H", kind) + payload


def ipv4(source: str, destination: str, protocol: int, payload: bytes) -> bytes:
    """An IPv4 packet."""
    packet = dpkt.ip.IP(src=socket.inet_aton(source), dst=socket.inet_aton(destination), p=protocol, ttl=64)
    packet.data = payload
    packet.len = 20 + len(payload)
    return bytes(packet)


def dns_query(name: str, *, client: str = "10.1.0.5", port: int = 40000) -> bytes:
    """A frame that asks 10.9.9.9 for a name's address."""
    question = dpkt.dns.DNS(id=7, qd=[dpkt.dns.DNS.Q(name=name, type=dpkt.dns.DNS_A)])
    datagram = dpkt.udp.UDP(sport=port, dport=53, data=bytes(question))
    datagram.ulen = len(datagram)
    return ethernet(ipv4(client, "10.9.9.9", 17, bytes(datagram)))


def http_exchange(uri: str, *, client: str = "10.1.0.5", port: int = 50000) -> list[bytes]:
    """The frames of a whole connection to 10.8.8.8: handshake, request, answer, end."""
    request = f"GET {uri} HTTP/1.1\r\nHost: www.example\r\nUser-Agent: needle\r\n\r\n".encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"
    syn, fin, ack, push = dpkt.tcp.TH_SYN, dpkt.tcp.TH_FIN, dpkt.tcp.TH_ACK, dpkt.tcp.TH_PUSH
    sent, got = 1000 + 1 + len(request), 9000 + 1 + len(answer)
    steps = [
        (True, syn, 1000, 0, b""), (False, syn | ack, 9000, 1001, b""), (True, ack, 1001, 9001, b""),
        (True, push | ack, 1001, 9001, request), (False, push | ack, 9001, sent, answer),
        (True, fin | ack, sent, got, b""), (False, fin | ack, got, sent + 1, b""), (True, ack, sent + 1, got + 1, b""),
    ]  # fmt: skip
    return [_segment(client, port, *step) for step in steps]


def _segment(client: str, port: int, outward: bool, flags: int, sequence: int, acknowledged: int, data: bytes) -> bytes:
    source, target = (port, 80) if outward else (80, port)
    segment = dpkt.tcp.TCP(
        sport=source, dport=target, flags=flags, seq=sequence, ack=acknowledged, win=65000, data=data
    )
    ends = (client, "10.8.8.8") if outward else ("10.8.8.8", client)
    return ethernet(ipv4(*ends, 6, bytes(segment)))


def write_pcap(
    path: Path, frames: Iterable[bytes], *, start: float = START, step: float = 0.25, linktype: int = 1
) -> Path:
    """Frames at regular times into a classic capture; `.gz` compresses it."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wb") as file:
        writer = dpkt.pcap.Writer(file, linktype=linktype, snaplen=65535)
        for number, frame in enumerate(frames):
            writer.writepkt(frame, ts=start + number * step)
    return path


def mixed_frames(client: str = "10.1.0.5") -> list[bytes]:
    """Two DNS questions and an HTTP connection: three sessions, ten packets."""
    return [
        dns_query("one.example", client=client, port=40001),
        *http_exchange("/needle?x=1", client=client),
        dns_query("two.example.top", client=client, port=40002),
    ]
