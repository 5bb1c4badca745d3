//! IPv4 and IPv6 headers, with options, extension headers and fragments.

use super::{Address, Fragment, Packet, Step, be16, be32, v4 as v4_address};

const FRAGMENT: u8 = 44;

/// IPv4.
pub(super) fn v4<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    let Some(header) = data.first_chunk::<20>() else {
        return packet.corrupt("ip-too-short");
    };
    let header_length = usize::from(header[0] & 0x0f) * 4;
    let mut total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if total == 0 {
        // The card's segmentation left the length to itself.
        total = data.len();
    }
    if header[0] >> 4 != 4 || header_length < 20 || total < header_length {
        return packet.corrupt("ip-bad-header");
    }
    packet.has_ip = true;
    packet.source = v4_address([header[12], header[13], header[14], header[15]]);
    packet.destination = v4_address([header[16], header[17], header[18], header[19]]);
    packet.protocol = header[9];
    packet.ttl = header[8];
    packet.dscp = header[1] >> 2;
    let Some(body) = data.get(header_length..total.min(data.len())) else {
        return packet.corrupt("ip-too-short");
    };
    packet.trailer = data.len().saturating_sub(total) as u32;
    let flags = u16::from_be_bytes([header[6], header[7]]);
    let (offset, more) = (usize::from(flags & 0x1fff) * 8, flags & 0x2000 != 0);
    if offset != 0 || more {
        let id = u32::from(u16::from_be_bytes([header[4], header[5]]));
        return Step::Fragment(Fragment { id, offset, more, protocol: header[9], data: body });
    }
    Step::IpPayload(header[9], body, (total - header_length) as u32)
}

/// IPv6 with its extension headers.
pub(super) fn v6<'a>(data: &'a [u8], packet: &mut Packet<'a>) -> Step<'a> {
    let Some((header, rest)) = data.split_first_chunk::<40>() else {
        return packet.corrupt("ip-too-short");
    };
    if header[0] >> 4 != 6 {
        return packet.corrupt("ip-bad-header");
    }
    packet.has_ip = true;
    packet.source = address(&header[8..24]);
    packet.destination = address(&header[24..40]);
    packet.ttl = header[7];
    packet.dscp = (header[0] & 0x0f) << 2 | header[1] >> 6;
    let announced = usize::from(u16::from_be_bytes([header[4], header[5]]));
    // Zero is a jumbogram, or again the card's segmentation.
    let length = if announced == 0 { rest.len() } else { announced };
    packet.trailer = rest.len().saturating_sub(length) as u32;
    extensions(header[6], &rest[..length.min(rest.len())], length, packet)
}

/// Bytes of extension headers; longer ones are there to hide something.
const MAX_EXTENSIONS: usize = 2_000;

fn extensions<'a>(mut next: u8, mut data: &'a [u8], mut length: usize, packet: &mut Packet<'a>) -> Step<'a> {
    let mut passed = 0;
    for _ in 0..8 {
        packet.protocol = next;
        let size = match next {
            FRAGMENT => match be16(data, 2).zip(be32(data, 4)) {
                Some((place, id)) if place & 0xfff9 != 0 => {
                    let (offset, more) = (usize::from(place & 0xfff8), place & 1 != 0);
                    return Step::Fragment(Fragment { id, offset, more, protocol: data[0], data: &data[8..] });
                }
                _ => 8,
            },
            // Hop-by-hop, routing, destination options, mobility.
            0 | 43 | 60 | 135 => match data.get(1) {
                Some(&units) => usize::from(units) * 8 + 8,
                None => return packet.corrupt("ip-too-short"),
            },
            _ => return Step::IpPayload(next, data, length as u32),
        };
        let (Some(&after), Some(rest)) = (data.first(), data.get(size..)) else {
            return packet.corrupt("ip-too-short");
        };
        (next, data) = (after, rest);
        length = length.saturating_sub(size);
        passed += size;
        if passed > MAX_EXTENSIONS {
            packet.protocol = next;
            return packet.corrupt("ip-headers-too-long");
        }
    }
    packet.corrupt("ip-too-many-headers")
}

fn address(bytes: &[u8]) -> Address {
    bytes.try_into().map(Address::from_be_bytes).unwrap_or_default()
}
