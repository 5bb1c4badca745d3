"""What the page's tests look at: DNS, HTTP with files, and text that means ill in every field that takes text."""

from __future__ import annotations

import gzip
import socket
import struct
from pathlib import Path

import dpkt
from tests.collector.captures import dns_query, ethernet, ipv4, write_pcap

HTML = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>'
ANSI = "\x1b[31mred\x1b[2J"
TURNED = "gpj.\u202eexe.\u2066dne"
INVALID = b"\xff\xfe\xc3("
HUGE = "A" * 6000
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="window.hurt=1"><script>window.hurt=1</script></svg>'
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
TEXT = "Guten Tag, Wien! Grüße.\n"
SERVER = "10.8.8.8"


def connection(
    exchanges: list[tuple[bytes, bytes]], *, client: str = "10.1.0.7", port: int = 50000, server_port: int = 80
) -> list[bytes]:
    """The frames of a connection in which each request gets its answer, in segments of 1000 bytes."""
    frames: list[bytes] = []
    sent, got = 1000, 9000

    def segment(outward: bool, flags: int, data: bytes = b"") -> None:
        sequence, acknowledged = (sent, got) if outward else (got, sent)
        ports = (port, server_port) if outward else (server_port, port)
        tcp = dpkt.tcp.TCP(
            sport=ports[0], dport=ports[1], flags=flags, seq=sequence, ack=acknowledged, win=65000, data=data
        )
        ends = (client, SERVER) if outward else (SERVER, client)
        frames.append(ethernet(ipv4(*ends, 6, bytes(tcp))))

    syn, fin, ack, push = dpkt.tcp.TH_SYN, dpkt.tcp.TH_FIN, dpkt.tcp.TH_ACK, dpkt.tcp.TH_PUSH
    segment(True, syn)
    sent += 1
    segment(False, syn | ack)
    got += 1
    segment(True, ack)
    for request, answer in exchanges:
        for start in range(0, len(request), 1000):
            segment(True, push | ack, request[start : start + 1000])
            sent += len(request[start : start + 1000])
        for start in range(0, len(answer), 1000):
            segment(False, push | ack, answer[start : start + 1000])
            got += len(answer[start : start + 1000])
    segment(True, fin | ack)
    sent += 1
    segment(False, fin | ack)
    got += 1
    segment(True, ack)
    return frames


def get(path: bytes, host: bytes = b"www.example", *, agent: bytes = b"needle") -> bytes:
    """A request."""
    return b"GET " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\nUser-Agent: " + agent + b"\r\n\r\n"


def ok(body: bytes, kind: bytes, *more: bytes) -> bytes:
    """An answer."""
    head = [b"HTTP/1.1 200 OK", b"Content-Type: " + kind, b"Content-Length: %d" % len(body), *more]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def chunked(body: bytes, kind: bytes, *more: bytes) -> bytes:
    """An answer in chunks of 7 bytes."""
    pieces = [body[start : start + 7] for start in range(0, len(body), 7)]
    coded = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))
    head = [b"HTTP/1.1 200 OK", b"Content-Type: " + kind, b"Transfer-Encoding: chunked", *more]
    return b"\r\n".join(head) + b"\r\n\r\n" + coded


def files() -> list[bytes]:
    """One connection that brings a picture, a gzipped text in chunks, and an SVG with a script."""
    zipped = gzip.compress(TEXT.encode(), mtime=0)
    return connection(
        [
            (get(b"/picture.png"), ok(PNG, b"image/png")),
            (get(b"/greeting.txt"), chunked(zipped, b"text/plain; charset=utf-8", b"Content-Encoding: gzip")),
            (get(b"/drawing.svg"), ok(SVG, b"image/svg+xml")),
        ]
    )


def hostile() -> list[bytes]:
    """Connections whose fields hold markup, control characters, reversed text, broken UTF-8 and very long values."""
    frames: list[bytes] = []
    agents = [HTML.encode(), ANSI.encode(), TURNED.encode(), INVALID, HUGE.encode()]
    for number, agent in enumerate(agents):
        path = b"/" + agent.replace(b" ", b"%20").replace(b"\r", b"").replace(b"\n", b"")
        answer = ok(HTML.encode(), b"text/html", b"Server: " + agent)
        frames += connection([(get(path, agent=agent), answer)], client="10.1.0.66", port=51000 + number)
    return frames


def dns_answer(name: str, address: str, *, client: str = "10.1.0.5", port: int = 40000) -> bytes:
    """A frame in which 10.9.9.9 answers."""
    message = dpkt.dns.DNS(id=7, op=0x8180, qd=[dpkt.dns.DNS.Q(name=name, type=dpkt.dns.DNS_A)])
    record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 300, 4) + socket.inet_aton(address)
    raw = bytearray(bytes(message)) + record
    raw[6:8] = b"\0\1"
    datagram = dpkt.udp.UDP(sport=53, dport=port, data=bytes(raw))
    datagram.ulen = len(datagram)
    return ethernet(ipv4("10.9.9.9", client, 17, bytes(datagram)))


def many(count: int) -> list[bytes]:
    """That many questions, a session each."""
    return [dns_query(f"host{number}.example", client=f"10.2.{number >> 8}.{number & 255}") for number in range(count)]


def capture(path: Path) -> Path:
    """All of it in one capture."""
    frames = [
        dns_query("one.example"), dns_answer("one.example", "192.0.2.80"), *files(), *hostile(), *many(700),
    ]  # fmt: skip
    return write_pcap(path, frames)
