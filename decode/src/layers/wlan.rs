//! 802.11: radio heads that drivers put before a frame, and the frame down to an EtherType.

use super::{Mac, Packet, Step, be16, be32, le32};

const TO_SYSTEM: u8 = 0x01;
const FROM_SYSTEM: u8 = 0x02;
const PROTECTED: u8 = 0x40;
const ORDER: u8 = 0x80;

/// Radiotap: little-endian, its own length first; flags say whether the frame's head is padded.
pub(super) fn radiotap<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    let size = data.first_chunk::<4>().map(|head| usize::from(u16::from_le_bytes([head[2], head[3]])));
    let Some((head, rest)) = size.and_then(|size| data.split_at_checked(size)) else {
        return packet.corrupt("radiotap-too-short");
    };
    frame(rest, radiotap_flags(head) & 0x20 != 0, packet)
}

/// The flags field: the second of those present, after a clock that stands at a multiple of 8.
fn radiotap_flags(head: &[u8]) -> u8 {
    let mut at = 4;
    let present = le32(head, at).unwrap_or(0);
    while le32(head, at).is_some_and(|word| word & 1 << 31 != 0) {
        at += 4;
    }
    at += 4;
    if present & 1 != 0 {
        at = at.next_multiple_of(8) + 8;
    }
    if present & 2 != 0 { head.get(at).copied().unwrap_or(0) } else { 0 }
}

/// Prism's head in either byte order, and AVS's: the length is the second word.
pub(super) fn prism<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    let size = be32(data, 4).map(|length| if length > 0xffff { length.swap_bytes() } else { length });
    match size.and_then(|size| data.get(size as usize..)) {
        Some(rest) => frame(rest, false, packet),
        None => packet.corrupt("prism-too-short"),
    }
}

/// A frame: what carries data and is not encrypted goes on, the others are told by their stations.
pub(super) fn frame<'a>(data: &'a [u8], padded: bool, packet: &mut Packet<'a>) -> Step<'a> {
    let Some(head) = data.first_chunk::<2>() else {
        return packet.corrupt("wlan-too-short");
    };
    let [kind, flags] = *head;
    let stations = [4, 10, 16, 24].map(|at| data.get(at..at + 6).and_then(|mac| Mac::try_from(mac).ok()));
    packet.macs = ends(flags, stations);
    // Data only, with data in them.
    if kind & 0x4c != 0x08 || flags & PROTECTED != 0 {
        return packet.unknown(data);
    }
    let quality = kind & 0x80 != 0;
    let four = flags & (TO_SYSTEM | FROM_SYSTEM) == TO_SYSTEM | FROM_SYSTEM;
    let mut size = 24 + if four { 6 } else { 0 };
    let aggregate = quality && data.get(size).is_some_and(|control| control & 0x80 != 0);
    if quality {
        size += if flags & ORDER != 0 { 6 } else { 2 };
    }
    if padded {
        size = size.next_multiple_of(4);
    }
    match data.get(size..) {
        Some(body) if aggregate => first_of_many(body, packet),
        Some(body) => snap(body, packet),
        None => packet.corrupt("wlan-too-short"),
    }
}

/// Destination and source, whichever of the four addresses hold them.
fn ends(flags: u8, [first, second, third, fourth]: [Option<Mac>; 4]) -> Option<(Mac, Mac)> {
    match (flags & TO_SYSTEM != 0, flags & FROM_SYSTEM != 0) {
        (false, false) => first.zip(second),
        (true, false) => third.zip(second),
        (false, true) => first.zip(third),
        (true, true) => third.zip(fourth),
    }
}

/// An aggregate: its first frame is read, and that there are more is said.
fn first_of_many<'a>(body: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    let (Some(length), Some((head, rest))) = (be16(body, 12), body.split_at_checked(14)) else {
        return packet.corrupt("wlan-too-short");
    };
    packet.macs = Mac::try_from(&head[..6]).ok().zip(Mac::try_from(&head[6..12]).ok());
    let (one, others) = rest.split_at(usize::from(length).min(rest.len()));
    if others.len() > 14 {
        packet.anomaly = Some("wlan-aggregate");
    }
    snap(one, packet)
}

fn snap<'a>(body: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    match body {
        [0xaa, 0xaa, 0x03, 0, 0, 0 | 0xf8, high, low, rest @ ..] => {
            packet.ethertype = u16::from_be_bytes([*high, *low]).max(1536);
            Step::EtherType(packet.ethertype, rest)
        }
        _ => packet.unknown(body),
    }
}
