//! Checks of a first datagram, where a prefix alone would name too much.

use super::tcp::{be32, contains, syslog_priority};
use crate::protocol::Flow;
use crate::protocol::reader::Reader;

/// A header, then records: all of one size in versions 1, 5 and 7; sets with their own length in version 9.
pub fn netflow(_: &Flow<'_>, data: &[u8]) -> bool {
    let mut reader = Reader::new(data);
    let (Some(version), Some(count)) = (reader.u16(), reader.u16().map(usize::from)) else { return false };
    let (header, record) = match version {
        1 => (16, 52),
        5 => (24, 48),
        7 => (24, 52),
        9 => {
            let set = Reader::at(data, 22).u16().map(usize::from);
            return count > 0 && set.is_some_and(|n| n >= 4 && n + 20 <= data.len());
        }
        _ => return false,
    };
    // Some exporters pad their records; what is shorter is something else (STUN begins as version 1 does).
    let records = header + count * record;
    (1..=30).contains(&count) && (records..=records + 8 * count).contains(&data.len())
}

/// A message with its own length, and a set in it.
pub fn ipfix(_: &Flow<'_>, data: &[u8]) -> bool {
    let length = Reader::at(data, 2).u16().map(usize::from);
    let set = Reader::at(data, 18).u16().map(usize::from);
    length == Some(data.len()) && set.is_some_and(|n| n >= 4 && n + 16 <= data.len())
}

/// Version 5, an agent's address of either kind, and samples.
pub fn sflow(_: &Flow<'_>, data: &[u8]) -> bool {
    let address = match be32(data, 4) {
        Some(1) => 4,
        Some(2) => 16,
        _ => return false,
    };
    be32(data, 8 + address + 12).is_some_and(|samples| samples <= 256)
}

/// Both handshake messages are of one size.
pub fn wireguard(_: &Flow<'_>, data: &[u8]) -> bool {
    matches!((data.first(), data.len()), (Some(1), 148) | (Some(2), 92))
}

pub fn syslog(_: &Flow<'_>, data: &[u8]) -> bool {
    syslog_priority(data)
}

pub fn ws_discovery(flow: &Flow<'_>, data: &[u8]) -> bool {
    flow.ends.port(3702) && contains(data, b"discovery")
}

/// A tracker's connect request, which begins with a magic number.
pub fn tracker(_: &Flow<'_>, data: &[u8]) -> bool {
    data.starts_with(b"\x00\x00\x04\x17\x27\x10\x19\x80\x00\x00\x00\x00")
}

pub fn slp(_: &Flow<'_>, data: &[u8]) -> bool {
    matches!(data, [1 | 2, 1..=11, ..]) && data.len() >= 12
}

/// A request or response, with routes of 20 bytes each.
pub fn rip(_: &Flow<'_>, data: &[u8]) -> bool {
    matches!(data, [1 | 2, 1 | 2, 0, 0, ..]) && data.len() % 20 == 4 && data.len() > 4
}

/// Version 2; where a message tells its length, it is that.
pub fn l2tp(_: &Flow<'_>, data: &[u8]) -> bool {
    let fits = |high: u8, low: u8| usize::from(u16::from_be_bytes([high, low])) == data.len();
    matches!(data, [flags, 2, high, low, _, _, ..] if flags & 0x34 == 0 && (flags & 0x40 == 0 || fits(*high, *low)))
}

/// Version 1, with its own length.
pub fn bfd(_: &Flow<'_>, data: &[u8]) -> bool {
    matches!(data, [first, _, _, length, ..] if first >> 5 == 1 && *length >= 24 && usize::from(*length) == data.len())
}

/// Hello, coup or resign, between routers.
pub fn hsrp(flow: &Flow<'_>, data: &[u8]) -> bool {
    flow.ends.source_port == 1985 && matches!(data, [0, 0..=3, ..] | [1, _, ..]) && data.len() >= 20
}

pub fn nat_pmp(_: &Flow<'_>, data: &[u8]) -> bool {
    matches!(data, [0, 0..=2 | 128..=130, ..]) && matches!(data.len(), 2 | 12 | 16)
}

/// Version 1, a token of at most 8 bytes, and a known class of code.
pub fn coap(_: &Flow<'_>, data: &[u8]) -> bool {
    matches!(data, [first, code, ..] if first >> 6 == 1 && first & 15 <= 8 && [0, 2, 4, 5, 7].contains(&(code >> 5)))
        && data.len() >= 4
}

/// The text protocol behind the header of a datagram.
pub fn memcached(_: &Flow<'_>, data: &[u8]) -> bool {
    let mut reader = Reader::at(data, 2);
    matches!((reader.u16(), reader.u16(), reader.u16()), (Some(_), Some(1..), Some(0))) && data.ends_with(b"\r\n")
}
