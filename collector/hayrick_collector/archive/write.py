"""Packets to PCAP or PCAPNG, piece by piece, with dpkt's headers.

dpkt's own writers take a packet's stored length for its length on the wire; a chunk cut by a snap length must say both,
so its headers are filled here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import dpkt
from dpkt import pcapng

SNAPLEN = 262_144
_NANO = 1_000_000_000
_PACKET_BLOCK = 32  # bytes of an enhanced packet block around its packet


class Packet(NamedTuple):
    """A packet read back: time in nanoseconds since 1970, link type, length on the wire, stored bytes, and the name of
    the interface it was captured on (`sensor/stream`)."""

    time_ns: int
    linktype: int
    original_length: int
    data: bytes
    interface: str = ""


class Format(ABC):
    """A way to write packets: one head, then each packet."""

    name: str
    media_type: str

    @abstractmethod
    def head(self) -> bytes:
        """What the file starts with."""

    @abstractmethod
    def packet(self, packet: Packet) -> bytes:
        """One packet's record."""


class Pcap(Format):
    """Classic PCAP: one link type; microseconds unless told that the sources are finer."""

    name = "pcap"
    media_type = "application/vnd.tcpdump.pcap"

    def __init__(self, linktype: int, *, nanoseconds: bool) -> None:
        self._linktype = linktype
        self._magic = dpkt.pcap.TCPDUMP_MAGIC_NANO if nanoseconds else dpkt.pcap.TCPDUMP_MAGIC
        self._unit = 1 if nanoseconds else 1000

    def head(self) -> bytes:
        return bytes(dpkt.pcap.LEFileHdr(magic=self._magic, snaplen=SNAPLEN, linktype=self._linktype))

    def packet(self, packet: Packet) -> bytes:
        seconds, rest = divmod(packet.time_ns, _NANO)
        header = dpkt.pcap.LEPktHdr(
            tv_sec=seconds, tv_usec=rest // self._unit, caplen=len(packet.data), len=packet.original_length
        )
        return bytes(header) + packet.data


class Pcapng(Format):
    """PCAPNG: an interface for each name and link type, described before its first packet; nanoseconds."""

    name = "pcapng"
    media_type = "application/x-pcapng"

    def __init__(self) -> None:
        self._interfaces: dict[tuple[str, int], int] = {}

    def head(self) -> bytes:
        comment = pcapng.PcapngOptionLE(code=pcapng.PCAPNG_OPT_COMMENT, data=b"exported by Hayrick")
        return bytes(pcapng.SectionHeaderBlockLE(opts=[comment, _end()]))

    def packet(self, packet: Packet) -> bytes:
        interface = (packet.interface, packet.linktype)
        if interface not in self._interfaces:
            self._interfaces[interface] = len(self._interfaces)
            return _described(*interface) + self._packet(packet)
        return self._packet(packet)

    def _packet(self, packet: Packet) -> bytes:
        padding = b"\0" * (-len(packet.data) % 4)
        total = _PACKET_BLOCK + len(packet.data) + len(padding)
        block = pcapng.EnhancedPacketBlockLE(
            len=total,
            iface_id=self._interfaces[packet.interface, packet.linktype],
            ts_high=packet.time_ns >> 32,
            ts_low=packet.time_ns & 0xFFFFFFFF,
            caplen=len(packet.data),
            pkt_len=packet.original_length,
            _len=total,
        )
        header = block.pack_hdr()  # its last field is the length again, which follows the packet
        return b"".join((header[:-4], packet.data, padding, header[-4:]))


def _described(name: str, linktype: int) -> bytes:
    """An interface's description block."""
    options = [pcapng.PcapngOptionLE(code=pcapng.PCAPNG_OPT_IF_TSRESOL, data=b"\x09"), _end()]
    if name:
        options.insert(0, pcapng.PcapngOptionLE(code=pcapng.PCAPNG_OPT_IF_NAME, data=name.encode()))
    return bytes(pcapng.InterfaceDescriptionBlockLE(linktype=linktype, snaplen=SNAPLEN, opts=options))


def _end() -> pcapng.PcapngOptionLE:
    return pcapng.PcapngOptionLE(code=pcapng.PCAPNG_OPT_ENDOFOPT)
