//! Link layers: what a capture's link type says the frame begins with, down to an EtherType.

use super::{Class, Packet, Step, be16, be32, ip, le32, tunnel, wlan};

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const DOT1Q: u16 = 0x8100;
const DOT1AD: u16 = 0x88a8;
const OLD_QINQ: [u16; 2] = [0x9100, 0x9200];

/// Link types, by their LINKTYPE_ numbers.
mod linktype {
    pub const NULL: u16 = 0;
    pub const ETHERNET: u16 = 1;
    pub const PPP: u16 = 9;
    pub const PPP_HDLC: u16 = 50;
    pub const PPPOE: u16 = 51;
    pub const CISCO_HDLC: u16 = 104;
    pub const WLAN: u16 = 105;
    pub const FRAME_RELAY: u16 = 107;
    pub const LOOP: u16 = 108;
    pub const ENC: u16 = 109;
    pub const LINUX_SLL: u16 = 113;
    pub const PFLOG: u16 = 117;
    pub const PRISM: u16 = 119;
    pub const RADIOTAP: u16 = 127;
    pub const AVS: u16 = 163;
    pub const IPV4: u16 = 228;
    pub const IPV6: u16 = 229;
    pub const NFLOG: u16 = 239;
    pub const PKTAP: u16 = 258;
    pub const LINUX_SLL2: u16 = 276;
    /// LINKTYPE_RAW, and the DLT_RAW values that reached files.
    pub const RAW: [u16; 3] = [101, 12, 14];
}

/// Every link layer that is known, by name.
pub const LINK_LAYERS: &[(&str, u16)] = &[
    ("null", linktype::NULL),
    ("ethernet", linktype::ETHERNET),
    ("ppp", linktype::PPP),
    ("ppp-hdlc", linktype::PPP_HDLC),
    ("pppoe", linktype::PPPOE),
    ("raw", linktype::RAW[0]),
    ("cisco-hdlc", linktype::CISCO_HDLC),
    ("wlan", linktype::WLAN),
    ("frame-relay", linktype::FRAME_RELAY),
    ("loop", linktype::LOOP),
    ("enc", linktype::ENC),
    ("sll", linktype::LINUX_SLL),
    ("pflog", linktype::PFLOG),
    ("prism", linktype::PRISM),
    ("radiotap", linktype::RADIOTAP),
    ("avs", linktype::AVS),
    ("ipv4", linktype::IPV4),
    ("ipv6", linktype::IPV6),
    ("nflog", linktype::NFLOG),
    ("pktap", linktype::PKTAP),
    ("sll2", linktype::LINUX_SLL2),
];

/// The first step into a frame of this link type.
pub(super) fn first<'a>(kind: u16, data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    match kind {
        linktype::ETHERNET => Step::Ethernet(data),
        linktype::LINUX_SLL => sll(data, packet),
        linktype::LINUX_SLL2 => sll2(data, packet),
        linktype::NULL | linktype::LOOP => null(data, packet),
        linktype::PPP | linktype::PPP_HDLC => match data {
            [0x0f | 0x8f, 0, ..] => cisco_hdlc(data, packet),
            _ => tunnel::ppp(data, packet),
        },
        linktype::PPPOE => tunnel::pppoe(data, packet),
        linktype::CISCO_HDLC => cisco_hdlc(data, packet),
        linktype::FRAME_RELAY => frame_relay(data, packet),
        linktype::ENC => after(data, 12, "enc-too-short", packet),
        linktype::PFLOG => pflog(data, packet),
        linktype::WLAN => wlan::frame(data, false, packet),
        linktype::RADIOTAP => wlan::radiotap(data, packet),
        linktype::PRISM | linktype::AVS => wlan::prism(data, packet),
        linktype::NFLOG => tunnel::nflog(data, packet),
        linktype::PKTAP => pktap(data, packet),
        linktype::IPV4 | linktype::IPV6 => Step::RawIp(data),
        _ if linktype::RAW.contains(&kind) => Step::RawIp(data),
        _ => packet.corrupt("unknown-link-type"),
    }
}

/// IP after a head of this size.
fn after<'a>(data: &'a [u8], size: usize, short: &'static str, packet: &mut Packet<'a>) -> Step<'a> {
    match data.get(size..) {
        Some(rest) => Step::RawIp(rest),
        None => packet.corrupt(short),
    }
}

/// OpenBSD's packet filter log: the head's first byte is its length, without the padding to 4.
fn pflog<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    let size = data.first().map_or(usize::MAX, |length| usize::from(*length).next_multiple_of(4));
    after(data, size, "pflog-too-short", packet)
}

/// macOS' head with the link type of what follows; it does not hold another one of its own kind.
fn pktap<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    let Some((size, kind)) = le32(data, 0).zip(le32(data, 8)) else {
        return packet.corrupt("pktap-too-short");
    };
    match (data.get(size as usize..), u16::try_from(kind)) {
        (Some(rest), Ok(kind)) if kind != linktype::PKTAP => first(kind, rest, packet),
        _ => packet.corrupt("pktap-too-short"),
    }
}

/// Cisco's HDLC: address, control, EtherType.
fn cisco_hdlc<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    match be16(data, 2).zip(data.get(4..)) {
        Some((kind, rest)) => wide_ethertype(kind, rest, packet),
        None => packet.corrupt("cisco-hdlc-too-short"),
    }
}

/// Frame relay: an address of two to four bytes, then RFC 2427's identifiers, or Cisco's EtherType.
fn frame_relay<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    let end = data.iter().take(4).position(|byte| byte & 1 != 0);
    let Some(rest) = end.filter(|at| *at > 0).and_then(|at| data.get(at + 1..)) else {
        return packet.corrupt("frame-relay-bad-address");
    };
    match rest {
        [0x03, 0xcc, rest @ ..] => Step::EtherType(IPV4, rest),
        [0x03, 0x8e, rest @ ..] => Step::EtherType(IPV6, rest),
        [0x03, 0xcf, rest @ ..] => tunnel::ppp(rest, packet),
        [0x03, 0x80, oui @ ..] | [0x03, 0x00, 0x80, oui @ ..] => match oui {
            [0, 0, 0, high, low, rest @ ..] => wide_ethertype(u16::from_be_bytes([*high, *low]), rest, packet),
            // Bridged: with and without the frame's check sequence.
            [0, 0x80, 0xc2, 0, 1 | 7, rest @ ..] => Step::Ethernet(rest),
            _ => packet.unknown(rest),
        },
        [high, low, rest @ ..] => wide_ethertype(u16::from_be_bytes([*high, *low]), rest, packet),
        _ => packet.corrupt("frame-relay-too-short"),
    }
}

/// An EtherType where no length can stand in its place.
fn wide_ethertype<'a>(kind: u16, rest: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    if kind < 1536 {
        return packet.unknown(rest);
    }
    packet.ethertype = kind;
    Step::EtherType(kind, rest)
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
    packet.outer_macs = packet.macs.replace((destination, source));
    let kind = u16::from_be_bytes([header[12], header[13]]);
    if packet.ethertype == 0 {
        packet.ethertype = kind;
    }
    Step::EtherType(kind, rest)
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
        _ if kind < 1536 => llc(kind, data, packet),
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
    if packet.outer_macs.is_none() {
        packet.ethertype = kind;
    }
    Step::EtherType(kind, rest)
}

/// 802.2 inside 802.3: known by the destination's service access point; SNAP brings back an EtherType.
fn llc<'a>(length: u16, data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    let (Some(header), length) = (data.first_chunk::<3>(), usize::from(length)) else {
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
