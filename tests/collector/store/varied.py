"""A small capture with many protocols, both address families, tunnels of VLANs, and texts that are awkward to quote."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import dpkt

HTTP_ANSWER = b"HTTP/1.1 404 Not Found\r\nServer: nginx/1.2\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\nno!"
REQUESTS = [
    ("GET", "/Login?user=a&pass=%20x", "www.Example.org", "Mozilla/5.0 (X11; Linux)", "sid=1; theme=dark"),
    ("POST", "/a*b/c?d\\e", "10.0.0.9:8080", "curl/8.0", "x"),
    ("GET", "/50%_off/[1]", "example.top", '"quoted" agent', "sid=2"),
    ("HEAD", "/", "www.example.org", "needle & thread || pin", "k=v, w"),
]
MAIL = b"EHLO host.example\r\nMAIL FROM:<Ann@example.org>\r\nRCPT TO:<bob@example.top>\r\nDATA\r\n"
LETTER = "Subject: Re: (50%) été\r\nFrom: Ann@example.org\r\nTo: bob@example.top\r\n\r\nhello\r\n.\r\nQUIT\r\n".encode()
MAIL_ANSWER = b"220 mx ESMTP\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n221 bye\r\n"


def frames() -> Iterator[bytes]:
    """In order of time."""
    for number, (method, uri, host, agent, cookie) in enumerate(REQUESTS):
        head = f"{method} {uri} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nCookie: {cookie}\r\n\r\n"
        yield from connection(f"10.0.{number}.5", "192.0.2.1", 50000 + number, 80, head.encode(), HTTP_ANSWER)
    yield from connection(
        "2001:db8::5", "2001:db8:1::1", 50010, 80, b"GET /v6 HTTP/1.0\r\nHost: v6\r\n\r\n", HTTP_ANSWER
    )
    yield from connection("10.0.0.5", "198.51.100.25", 50011, 25, MAIL + LETTER, MAIL_ANSWER)
    yield from connection(
        "10.0.0.6", "198.51.100.22", 50012, 22, b"SSH-2.0-OpenSSH_9.6\r\n", b"SSH-2.0-dropbear_2022\r\n"
    )
    yield from connection("10.0.0.7", "198.51.100.21", 50013, 21, b"USER Anon\r\nPASS a b\r\n", b"220 hi\r\n331 go\r\n")
    yield from connection("10.0.0.8", "198.51.100.67", 50014, 6667, b"NICK Joe\r\nUSER joe 0 * :J\r\nJOIN #c\r\n", b"")
    yield from connection("10.0.0.5", "198.51.100.9", 50015, 9999, b"\0\1\2\3nothing known", b"\xff\xfe")
    for number, name in enumerate(
        ["one.example", "two.example.top", "WWW.example.ORG", "a_b.example", "x" * 60 + ".top"]
    ):
        client, server = ("2001:db8::9", "2001:db8::53") if number == 1 else (f"10.1.0.{number}", "10.9.9.9")
        yield datagram(client, server, 40000 + number, 53, _question(name))
        yield datagram(server, client, 53, 40000 + number, _answer(name, number))
    yield datagram(
        "0.0.0.0", "255.255.255.255", 68, 67, bytes(dpkt.dhcp.DHCP(chaddr=b"\2\0\0\0\0\7", opts=((53, b"\1"),)))
    )
    yield tagged(datagram("10.2.0.1", "10.2.0.2", 5000, 5001, b"plain"), 7)


def connection(client: str, server: str, port: int, service: int, request: bytes, answer: bytes) -> Iterator[bytes]:
    """A whole TCP connection with one request and one answer."""
    syn, fin, ack, push = dpkt.tcp.TH_SYN, dpkt.tcp.TH_FIN, dpkt.tcp.TH_ACK, dpkt.tcp.TH_PUSH
    sent, got = 1001 + len(request), 9001 + len(answer)
    steps = [
        (True, syn, 1000, 0, b""), (False, syn | ack, 9000, 1001, b""), (True, ack, 1001, 9001, b""),
        (True, push | ack, 1001, 9001, request), (False, push | ack, 9001, sent, answer),
        (True, fin | ack, sent, got, b""), (False, fin | ack, got, sent + 1, b""), (True, ack, sent + 1, got + 1, b""),
    ]  # fmt: skip
    for outward, flags, sequence, acknowledged, data in steps:
        source, target = (port, service) if outward else (service, port)
        segment = dpkt.tcp.TCP(
            sport=source, dport=target, flags=flags, seq=sequence, ack=acknowledged, win=65000, data=data
        )
        ends = (client, server) if outward else (server, client)
        yield _frame(*ends, dpkt.ip.IP_PROTO_TCP, segment)


def datagram(source: str, destination: str, port: int, service: int, data: bytes) -> bytes:
    """A UDP packet."""
    packet = dpkt.udp.UDP(sport=port, dport=service, data=data)
    packet.ulen = len(packet)
    return _frame(source, destination, dpkt.ip.IP_PROTO_UDP, packet)


def tagged(frame: bytes, vlan: int) -> bytes:
    """The frame in a VLAN."""
    return frame[:12] + b"\x81\x00" + vlan.to_bytes(2, "big") + frame[12:]


def _frame(source: str, destination: str, protocol: int, inner: dpkt.Packet) -> bytes:
    one, other = (ipaddress.ip_address(each) for each in (source, destination))
    stations = b"\2\0\0\0\0" + one.packed[-1:] + b"\2\0\0\0\1" + other.packed[-1:]
    if one.version == 4:
        packet = dpkt.ip.IP(src=one.packed, dst=other.packed, p=protocol, ttl=64, data=inner)
        packet.len = len(packet)
        return stations + b"\x08\x00" + bytes(packet)
    longer = dpkt.ip6.IP6(src=one.packed, dst=other.packed, nxt=protocol, hlim=64, data=inner, plen=len(inner))
    longer.extension_hdrs = {}
    return stations + b"\x86\xdd" + bytes(longer)


def _question(name: str) -> bytes:
    return bytes(dpkt.dns.DNS(id=7, qd=[dpkt.dns.DNS.Q(name=name, type=dpkt.dns.DNS_A)]))


def _answer(name: str, number: int) -> bytes:
    found = dpkt.dns.DNS.RR(name=name, type=dpkt.dns.DNS_A, cls=1, ttl=60, rdata=bytes((192, 0, 2, number)))
    answer = dpkt.dns.DNS(id=7, qd=[dpkt.dns.DNS.Q(name=name, type=dpkt.dns.DNS_A)], an=[found] if number else [])
    answer.qr, answer.rcode = 1, 0 if number else dpkt.dns.DNS_RCODE_NXDOMAIN
    return bytes(answer)
