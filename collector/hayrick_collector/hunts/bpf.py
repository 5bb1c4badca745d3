"""Capture filters, by tcpdump and so by libpcap's own compiler: where it can reach nothing, and looks up no names."""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Sequence

from hayrick_collector.packets import launch
from hayrick_common import programs
from hayrick_common.errors import UsageError

SECONDS = 30
MEMORY = 512 << 20
Packet = tuple[int, int, int, bytes]
_RECORD = struct.Struct("<IIII")
_PORTS = frozenset(("port", "portrange", "proto", "protochain"))
_JOINS = frozenset(("and", "or", "not"))
_TOKEN = re.compile(r"\\?[A-Za-z0-9_:][\w.:-]*")
_NUMBER = re.compile(r"[\d.-]+|0x[0-9a-f]+|.*:.*")  # no name has a colon: addresses of IPv6 and stations do
_WORDS = _PORTS | {
    "src", "dst", "host", "net", "gateway", "mask", "less", "greater", "len", "ether", "fddi", "tr", "wlan",
    "ip", "ip6", "arp", "rarp", "decnet", "tcp", "udp", "sctp", "icmp", "icmp6", "igmp", "igrp", "pim",
    "ah", "esp", "vrrp", "carp", "atalk", "aarp", "sca", "lat", "moprc", "mopdl", "iso", "esis", "isis",
    "clnp", "stp", "ipx", "netbeui", "vlan", "mpls", "pppoed", "pppoes", "geneve", "vxlan", "broadcast",
    "multicast", "inbound", "outbound", "type", "subtype", "dir", "ra", "ta", "addr1", "addr2", "addr3",
    "addr4", "l1", "l2", "iih", "lsp", "snp", "csnp", "psnp", "link", "ppp", "slip", "loopback",
}  # fmt: skip
_CONSTANT = re.compile(r"(icmp6?|tcp)-?\w[\w-]*")


def check(expression: str) -> None:
    """Compile it. Raises UsageError with libpcap's reason."""
    _no_names(expression)
    # An empty capture of Ethernet: what is compiled here is compiled again for other link types.
    _run(_header(1), ["-d", "--", expression])


def passing(expression: str, packets: Sequence[Packet]) -> set[int]:
    """Which of the packets (by number) the filter takes. Raises UsageError when it does not fit their link type,
    TimeoutError when it takes too long."""
    found: set[int] = set()
    for linktype in {packet[1] for packet in packets}:
        records = [_header(linktype)]
        for number, (_, kind, wire, data) in enumerate(packets):
            if kind == linktype:  # the time is the packet's number, by which it is known again
                records.append(_RECORD.pack(number, 0, len(data), max(wire, len(data))) + data)
        found |= _numbers(_run(b"".join(records), ["-w", "-", "--", expression]))
    return found


def _numbers(capture: bytes) -> set[int]:
    found, at = set(), 24
    while at + _RECORD.size <= len(capture):
        number, _, captured, _ = _RECORD.unpack_from(capture, at)
        found.add(number)
        at += _RECORD.size + captured
    return found


def _header(linktype: int) -> bytes:
    return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, linktype)


def _run(capture: bytes, arguments: list[str]) -> bytes:
    program = programs.find("tcpdump")
    if program is None:
        raise UsageError("a hunt by filter needs tcpdump, which is not installed")
    command = launch.command(program, "-n", "-r", "-", *arguments, cpu_seconds=SECONDS, memory=MEMORY)
    try:
        done = subprocess.run(
            command, input=capture, capture_output=True, timeout=SECONDS, env={"LC_ALL": "C"}, check=False
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"the filter took longer than {SECONDS} seconds") from None
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().splitlines()
        raise UsageError(f"the filter: {(reason or ['tcpdump failed'])[-1].removeprefix('tcpdump: ')}")
    return done.stdout


def _no_names(expression: str) -> None:
    """A name of a host would be asked of the network's name servers, from here: only addresses are taken."""
    expects = ""
    for word in _TOKEN.findall(expression.lower()):
        if word in _WORDS:
            expects = word
        elif word in _JOINS or expects in _PORTS:  # a service or protocol, of which libpcap has its own list
            continue
        elif not (_NUMBER.fullmatch(word) or _CONSTANT.fullmatch(word) or word.startswith("\\")):
            raise UsageError(f"the filter: {word!r}: write addresses, names are not looked up")
