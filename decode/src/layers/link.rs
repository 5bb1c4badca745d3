//! Link layers: what a capture's link type says the frame begins with, down to an EtherType.

use super::{Class, Packet, Step, be16, be32, ip, tunnel};

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const DOT1Q: u16 = 0x8100;
const DOT1AD: u16 = 0x88a8;
const OLD_QINQ: [u16; 2] = [0x9100, 0x9200];

/// Link types, by their LINKTYPE_ numbers.
mod linktype {
    pub const NULL: u16 = 0;
    pub const ETHERNET: u16 = 1;
    pub const LOOP: u16 = 108;
    pub const LINUX_SLL: u16 = 113;
    pub const IPV4: u16 = 228;
    pub const IPV6: u16 = 229;
    pub const PPP: u16 = 9;
    pub const PPP_HDLC: u16 = 50;
    pub const NFLOG: u16 = 239;
    pub const LINUX_SLL2: u16 = 276;
    /// LINKTYPE_RAW, and the DLT_RAW values that reached files.
    pub const RAW: [u16; 3] = [101, 12, 14];
}

/// The first step into a frame of this link type.
pub(super) fn first<'a>(kind: u16, data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    match kind {
        linktype::ETHERNET => Step::Ethernet(data),
        linktype::LINUX_SLL => sll(data, packet),
        linktype::LINUX_SLL2 => sll2(data, packet),
        linktype::NULL | linktype::LOOP => null(data, packet),
        linktype::PPP | linktype::PPP_HDLC => tunnel::ppp(data, packet),
        linktype::NFLOG => tunnel::nflog(data, packet),
        linktype::IPV4 | linktype::IPV6 => Step::RawIp(data),
        _ if linktype::RAW.contains(&kind) => Step::RawIp(data),
        _ => packet.corrupt("unknown-link-type"),
    }
}

/// Ethernet II and 802.3.
pub(super) fn ethernet<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    let Some((header, rest)) = data.split_at_checked(14) else {
        return packet.corrupt("ethernet-too-short");
    };
    let mut destination = [0; 6];
    let mut source = [0; 6];
    destination.copy_from_slice(&header[..6]);
    source.copy_from_slice(&header[6..12]);
    if let Some(outside) = packet.macs.replace((destination, source)) {
        packet.outer_macs.push(outside);
    }
    packet.ethertype = u16::from_be_bytes([header[12], header[13]]);
    Step::EtherType(packet.ethertype, rest)
}

/// Linux "cooked" capture.
fn sll<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    match (be16(data, 14), data.get(16..)) {
        (Some(kind), Some(rest)) => {
            packet.ethertype = kind;
            Step::EtherType(kind, rest)
        }
        _ => packet.corrupt("sll-too-short"),
    }
}

fn sll2<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    match (be16(data, 0), data.get(20..)) {
        (Some(kind), Some(rest)) => {
            packet.ethertype = kind;
            Step::EtherType(kind, rest)
        }
        _ => packet.corrupt("sll2-too-short"),
    }
}

/// BSD loopback: an address family in the byte order of the host that captured.
fn null<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    let Some((family, rest)) = be32(data, 0).zip(data.get(4..)) else {
        return packet.corrupt("null-too-short");
    };
    match if family > 0xffff { family.swap_bytes() } else { family } {
        // AF_INET, and AF_INET6 as the BSDs, macOS and Linux number it.
        2 | 10 | 24 | 28 | 30 => Step::RawIp(rest),
        _ => packet.corrupt("null-unknown-family"),
    }
}

/// IP by its own version number.
pub(super) fn raw_ip<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    match data.first().map(|b| b >> 4) {
        Some(4) => Step::EtherType(IPV4, data),
        Some(6) => Step::EtherType(IPV6, data),
        _ => packet.corrupt("ip-unknown-version"),
    }
}

/// What an EtherType announces.
pub(super) fn ethertype<'a>(kind: u16, data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    match kind {
        IPV4 => ip::v4(data, packet),
        IPV6 => ip::v6(data, packet),
        DOT1Q | DOT1AD => vlan(kind == DOT1AD, data, packet),
        _ if OLD_QINQ.contains(&kind) => vlan(true, data, packet),
        _ if kind < 1536 => llc(data, packet),
        _ => match tunnel::ethertype(kind, data, packet) {
            Some(step) => step,
            None => {
                packet.class = Class::Ethernet;
                packet.service = kind;
                packet.payload = data;
                packet.payload_length = data.len() as u32;
                Step::Done
            }
        },
    }
}

fn vlan<'a>(dot1ad: bool, data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    let Some(((tag, kind), rest)) = be16(data, 0).zip(be16(data, 2)).zip(data.get(4..)) else {
        return packet.corrupt("vlan-too-short");
    };
    packet.vlans.push((tag & 0x0fff, dot1ad));
    packet.ethertype = kind;
    Step::EtherType(kind, rest)
}

/// 802.2 inside 802.3: known by the destination's service access point; SNAP brings back an EtherType.
fn llc<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    let (Some(header), length) = (data.first_chunk::<3>(), usize::from(packet.ethertype)) else {
        return packet.corrupt("llc-too-short");
    };
    if length > data.len() {
        return packet.corrupt("llc-too-short");
    }
    // An organisation's own protocols over SNAP are not told by the EtherType registry.
    if let [0xaa, 0xaa, 0x03, 0, 0, 0, high, low, rest @ ..] = data {
        return Step::EtherType(u16::from_be_bytes([*high, *low]).max(1536), rest);
    }
    let body = &data[..length];
    packet.class = Class::Ethernet;
    packet.service = u16::from(header[0]);
    packet.payload = body;
    packet.payload_length = length as u32;
    Step::Done
}
