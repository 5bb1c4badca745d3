"""Streams give each direction's bytes once and in order."""

from __future__ import annotations

import ipaddress
import json
import random
from pathlib import Path

import pytest
from tests.collector.captures import dns_query, http_exchange, write_pcap

import hayrick_decode

REQUEST = b"GET /needle HTTP/1.1\r\nHost: www.example\r\nUser-Agent: needle\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"
Packet = tuple[int, int, int, bytes]


def _packets(path: Path) -> list[Packet]:
    (batch,) = hayrick_decode.decode(path)
    (session,) = batch.ndjson().splitlines()
    return hayrick_decode.read_packets(path, json.loads(session)["packetPos"])


def _said(pieces: list[Packet]) -> list[bytes]:
    return [b"".join(data for side, _, _, data in pieces if side == wanted) for wanted in (0, 1)]


@pytest.fixture
def packets(tmp_path: Path) -> list[Packet]:
    """An HTTP connection."""
    return _packets(write_pcap(tmp_path / "x.pcap", http_exchange("/needle")))


def test_each_side_is_told_once_whatever_the_order_of_packets(packets: list[Packet]) -> None:
    for seed in range(20):
        handshake, rest = packets[:3], packets[3:] * 2
        random.Random(seed).shuffle(rest)
        streams = hayrick_decode.Streams()
        pieces = [piece for packet in [*handshake, *rest] for piece in streams.feed([packet])] + streams.finish()
        assert _said(pieces) == [REQUEST, ANSWER], seed


def test_bytes_that_were_never_captured_are_told(packets: list[Packet]) -> None:
    streams = hayrick_decode.Streams()
    without_answer = [*packets[:4], *packets[5:]]
    pieces = [*streams.feed(without_answer), *streams.finish()]
    assert _said(pieces) == [REQUEST, b""]
    streams = hayrick_decode.Streams()
    time_ns, linktype, wire, data = packets[4]
    cut = (time_ns, linktype, wire, data[:-10])
    found = [*streams.feed([*packets[:4], cut]), *streams.finish()]
    assert [(side, missing) for side, _, missing, _ in found] == [(0, 0), (1, 0), (1, 10)]


def test_the_client_is_whom_the_caller_names(packets: list[Packet]) -> None:
    server = (ipaddress.ip_address("10.8.8.8"), 80)
    streams = hayrick_decode.Streams(server)
    assert _said([*streams.feed(packets), *streams.finish()]) == [ANSWER, REQUEST]
    assert hayrick_decode.Streams().sides(packets) == [0, 1, 0, 0, 1, 0, 1, 0]


def test_a_datagram_is_a_piece(tmp_path: Path) -> None:
    packets = _packets(write_pcap(tmp_path / "x.pcap", [dns_query("a.example")]))
    ((side, _, missing, data),) = hayrick_decode.Streams().feed(packets)
    assert (side, missing) == (0, 0)
    assert data == packets[0][3][42:]
