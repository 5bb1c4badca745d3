//! Tunnels: what carries a whole frame or packet inside another one.

use smallvec::SmallVec;

use super::{Packet, Step, be16, be32, link};

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// Transparent Ethernet bridging.
const ETHERNET: u16 = 0x6558;
const ERSPAN: u16 = 0x88be;
const ERSPAN_III: u16 = 0x22eb;
const PPP: u16 = 0x880b;

const VXLAN_PORT: u16 = 4789;
const VXLAN_GPE_PORT: u16 = 4790;
const GENEVE_PORT: u16 = 6081;
const GTP_PORT: u16 = 2152;

/// EtherTypes that open a tunnel.
pub(super) fn ethertype<'a>(kind: u16, data: &'a [u8], packet: &mut Packet<'a>) -> Option<Step<'a>> {
    Some(match kind {
        0x8847 | 0x8848 => mpls(data, packet),
        0x8864 => pppoe(data, packet),
        0x894f => nsh(data, packet),
        0x8909 => cisco_metadata(data, packet),
        ETHERNET => Step::Ethernet(data),
        PPP => ppp(data, packet),
        ERSPAN => erspan(data, 8, packet),
        ERSPAN_III => erspan_iii(data, packet),
        _ => return None,
    })
}

/// UDP ports that open a tunnel, when the payload looks like one.
pub(super) fn udp<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Option<Step<'a>> {
    match packet.destination_port {
        VXLAN_PORT => vxlan(data, packet),
        VXLAN_GPE_PORT => vxlan_gpe(data, packet),
        GENEVE_PORT => geneve(data, packet),
        GTP_PORT => gtp(data, packet),
        _ => None,
    }
}

/// Generic routing encapsulation, versions 0 and 1.
pub(super) fn gre<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    let Some((flags, kind)) = be16(data, 0).zip(be16(data, 2)) else {
        return gre_corrupt(packet);
    };
    let mut size = 4;
    for (bits, length) in [(0xc000, 4), (0x2000, 4), (0x1000, 4), (0x0080, 4)] {
        // The last bit counts in version 1 only: an acknowledgement.
        if flags & bits != 0 && (bits != 0x0080 || flags & 7 == 1) {
            size += length;
        }
    }
    if flags & 0x4000 != 0 {
        // Source routes end with an empty one.
        while let Some(length) = data.get(size + 3).map(|l| usize::from(*l)) {
            size += 4 + length;
            if length == 0 {
                break;
            }
        }
    }
    let Some(rest) = data.get(size..) else {
        return gre_corrupt(packet);
    };
    packet.enter_tunnel("gre");
    match kind {
        // Type I has no header of its own, and no sequence number in GRE's.
        ERSPAN if flags & 0x1000 == 0 => Step::Ethernet(rest),
        _ => Step::EtherType(kind, rest),
    }
}

fn gre_corrupt<'a>(packet: &mut Packet<'a>) -> Step<'a> {
    packet.tunnels.push("gre");
    packet.corrupt("gre-too-short")
}

/// IP inside IP.
pub(super) fn ip<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    packet.leave_outer();
    Step::RawIp(data)
}

fn erspan<'a>(data: &'a [u8], size: usize, packet: &mut Packet<'a>) -> Step<'a> {
    match data.get(size..) {
        Some(rest) => Step::Ethernet(rest),
        None => packet.corrupt("erspan-too-short"),
    }
}

fn erspan_iii<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    // The last bit of the header tells of an 8-byte platform header.
    let platform = data.get(11).is_some_and(|flags| flags & 1 != 0);
    erspan(data, if platform { 20 } else { 12 }, packet)
}

/// PPP with or without its address and control bytes, protocol field of one or two bytes.
pub(super) fn ppp<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    let data = data.strip_prefix(&[0xff, 0x03]).unwrap_or(data);
    let (protocol, rest) = match data {
        [first, rest @ ..] if first & 1 != 0 => (u16::from(*first), rest),
        [first, second, rest @ ..] => (u16::from_be_bytes([*first, *second]), rest),
        _ => return packet.corrupt("ppp-too-short"),
    };
    packet.enter_tunnel("ppp");
    match protocol {
        0x0021 => Step::EtherType(IPV4, rest),
        0x0057 => Step::EtherType(IPV6, rest),
        0x0281 | 0x0283 => mpls(rest, packet),
        _ => packet.unknown(rest),
    }
}

/// PPP over Ethernet, of sessions.
pub(super) fn pppoe<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    match data {
        [0x11, 0, _, _, _, _, 0x00, 0x21, rest @ ..] => {
            packet.enter_tunnel("pppoe");
            Step::EtherType(IPV4, rest)
        }
        [0x11, 0, _, _, _, _, 0x00, 0x57, rest @ ..] => {
            packet.enter_tunnel("pppoe");
            Step::EtherType(IPV6, rest)
        }
        _ => packet.unknown(data),
    }
}

/// MPLS labels; what follows is told by its first nibble only.
fn mpls<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    packet.enter_tunnel("mpls");
    let mut rest = data;
    while let Some((label, after)) = be32(rest, 0).zip(rest.get(4..)) {
        rest = after;
        if label & 0x100 != 0 {
            return match rest.first().map(|b| b >> 4) {
                Some(4 | 6) => Step::RawIp(rest),
                // A pseudowire's control word, then Ethernet.
                Some(0) => Step::Ethernet(rest.get(4..).unwrap_or_default()),
                _ => packet.unknown(rest),
            };
        }
    }
    packet.corrupt("mpls-too-short")
}

/// Network service header.
fn nsh<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    let Some((head, next)) = be16(data, 0).zip(data.get(3)) else {
        return packet.corrupt("nsh-too-short");
    };
    let Some(rest) = data.get(usize::from(head & 0x3f) * 4..) else {
        return packet.corrupt("nsh-too-short");
    };
    next_protocol(*next, rest).unwrap_or_else(|| packet.unknown(data))
}

/// The registry that NSH and VXLAN-GPE share.
fn next_protocol(next: u8, rest: &[u8]) -> Option<Step<'_>> {
    Some(match next {
        1 => Step::EtherType(IPV4, rest),
        2 => Step::EtherType(IPV6, rest),
        3 => Step::Ethernet(rest),
        4 => Step::EtherType(0x894f, rest),
        5 => Step::EtherType(0x8847, rest),
        _ => return None,
    })
}

fn cisco_metadata<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    // Version, length in units of 4, options (one at least), then the EtherType that was pushed aside.
    let size = data.get(1).map_or(0, |units| usize::from(*units).max(1) * 4 + 2);
    match be16(data, size).zip(data.get(size + 2..)) {
        Some((kind, rest)) => Step::EtherType(kind, rest),
        None => packet.corrupt("cisco-metadata-too-short"),
    }
}

fn vxlan<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Option<Step<'a>> {
    let (head, rest) = data.split_first_chunk::<8>()?;
    // Only the I flag may be set, and its reserved bytes are zero.
    if head[0] & 0xf7 != 0 || rest.len() < 14 {
        return None;
    }
    packet.enter_tunnel("vxlan");
    packet.network([head[4], head[5], head[6]]);
    Some(Step::Ethernet(rest))
}

fn vxlan_gpe<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Option<Step<'a>> {
    let (head, rest) = data.split_first_chunk::<8>()?;
    if head[0] & 0x08 == 0 || head[0] & 0x30 != 0 {
        return None;
    }
    // Without the P flag it is plain VXLAN, whose reserved bytes are zero; some senders forget the flag.
    let next = if head[0] & 0x04 != 0 || head[3] != 0 { head[3] } else { 3 };
    let step = next_protocol(next, rest)?;
    packet.enter_tunnel("vxlan-gpe");
    packet.network([head[4], head[5], head[6]]);
    Some(step)
}

fn geneve<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Option<Step<'a>> {
    let (head, _) = data.split_first_chunk::<8>()?;
    let rest = data.get(8 + usize::from(head[0] & 0x3f) * 4..)?;
    let kind = u16::from_be_bytes([head[2], head[3]]);
    if head[0] >> 6 != 0 || !matches!(kind, ETHERNET | IPV4 | IPV6) {
        return None;
    }
    packet.enter_tunnel("geneve");
    packet.network([head[4], head[5], head[6]]);
    Some(Step::EtherType(kind, rest))
}

/// GTP version 1, user plane.
fn gtp<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Option<Step<'a>> {
    let (head, _) = data.split_first_chunk::<8>()?;
    if head[0] >> 4 != 3 || head[1] != 0xff {
        return None;
    }
    let mut size = 8;
    if head[0] & 7 != 0 {
        size = 12;
        let mut next = if head[0] & 4 != 0 { *data.get(11)? } else { 0 };
        while next != 0 {
            let length = usize::from(*data.get(size)?) * 4;
            if length == 0 {
                return None;
            }
            size += length;
            next = *data.get(size - 1)?;
        }
    }
    let rest = data.get(size..)?;
    packet.enter_tunnel("gtp");
    Some(match rest.first()? >> 4 {
        4 | 6 => Step::RawIp(rest),
        _ => packet.unknown(rest),
    })
}

/// Netfilter's log: TLVs around the packet.
pub(super) fn nflog<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    let mut rest = data.get(4..).unwrap_or_default();
    while rest.len() >= 4 {
        // Lengths and types are in the capturing host's order: little-endian on all that is left.
        let length = usize::from(u16::from_le_bytes([rest[0], rest[1]]));
        let kind = u16::from_le_bytes([rest[2], rest[3]]);
        if length < 4 || length > rest.len() {
            break;
        }
        if kind == 9 {
            return link::raw_ip(&rest[4..length], packet);
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    packet.corrupt("nflog-no-packet")
}

/// Room for the usual depth of tunnels without a heap.
pub(super) type Names = SmallVec<[&'static str; 2]>;
