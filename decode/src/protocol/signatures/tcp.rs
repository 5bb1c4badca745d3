//! Checks of the first TCP data, where a prefix alone would name too much.

use crate::protocol::Flow;
use crate::protocol::reader::Reader;

/// Whether `needle` is in the first kilobyte.
pub fn contains(data: &[u8], needle: &[u8]) -> bool {
    let head = data.get(..1024).unwrap_or(data);
    head.windows(needle.len()).any(|window| window == needle)
}

/// A little-endian number at `at`.
pub fn le32(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// A big-endian number at `at`.
pub fn be32(data: &[u8], at: usize) -> Option<u32> {
    Reader::at(data, at).u32()
}

/// A request to associate, with its own length and the protocol's version.
pub fn dicom(_: &Flow<'_>, data: &[u8]) -> bool {
    be32(data, 2).is_some_and(|length| (68..1 << 20).contains(&length)) && data.get(6..10) == Some(&[0, 1, 0, 0])
}

/// The first two handshake packets are of one size; longer streams only at the usual port.
pub fn rtmp(flow: &Flow<'_>, data: &[u8]) -> bool {
    [1537, 3073].contains(&data.len()) || (data.len() > 500 && flow.ends.port(1935))
}

/// A message header: the command is letters, padded with zeros.
pub fn bitcoin(_: &Flow<'_>, data: &[u8]) -> bool {
    let Some(command) = data.get(4..16) else { return false };
    let letters = command.iter().take_while(|b| b.is_ascii_lowercase() || b.is_ascii_digit()).count();
    letters > 2 && command.iter().skip(letters).all(|b| *b == 0)
}

/// A forwarded request: length and code.
pub fn ajp(_: &Flow<'_>, data: &[u8]) -> bool {
    let mut reader = Reader::at(data, 2);
    let length = reader.u16().map(usize::from);
    matches!(reader.u8(), Some(2 | 7 | 10)) && length.is_some_and(|n| n + 4 >= data.len())
}

pub fn teamviewer(flow: &Flow<'_>, data: &[u8]) -> bool {
    flow.ends.port(5938) || data.get(2..4) == Some(&[0x0a, 0x20])
}

/// A login request that names its initiator.
pub fn iscsi(_: &Flow<'_>, data: &[u8]) -> bool {
    contains(data, b"InitiatorName=")
}

/// Cisco's phones: a length, and a version that is zero or small.
pub fn skinny(_: &Flow<'_>, data: &[u8]) -> bool {
    le32(data, 0).is_some_and(|length| length as usize + 8 == data.len()) && matches!(le32(data, 4), Some(0 | 10..=22))
}

/// A header whose length is that of the body.
pub fn tacacs(flow: &Flow<'_>, data: &[u8]) -> bool {
    let fits = be32(data, 8).is_some_and(|length| length as usize + 12 == data.len());
    matches!(data.get(1..3), Some([1..=3, 1 | 2])) && (fits || flow.ends.port(49))
}

/// A hello with its own length.
pub fn edonkey(_: &Flow<'_>, data: &[u8]) -> bool {
    le32(data, 1).is_some_and(|n| n as usize + 5 == data.len()) && matches!(data.get(5), Some(1 | 0x4c))
}

/// Negotiation only: will, won't, do, don't, or the beginning of a subnegotiation.
pub fn telnet(_: &Flow<'_>, data: &[u8]) -> bool {
    matches!(data, [0xff, 0xfa..=0xfe, option, ..] if *option < 0x50 || *option == 0xff)
}

/// A news server's greeting.
pub fn nntp(flow: &Flow<'_>, data: &[u8]) -> bool {
    matches!(data, [b'2', b'0', b'0' | b'1', b' ' | b'-', ..])
        && (flow.ends.port(119) || contains(data, b"NNTP") || contains(data, b"InterNetNews"))
}

pub fn jabber(_: &Flow<'_>, data: &[u8]) -> bool {
    contains(data, b"<stream:stream") || contains(data, b"jabber:")
}

/// A packet line with a service's name behind its four digits.
pub fn git(_: &Flow<'_>, data: &[u8]) -> bool {
    data.get(4..).is_some_and(|rest| rest.starts_with(b"git-upload-") || rest.starts_with(b"git-receive-"))
}

/// A priority of at most three digits, at most 191.
pub fn syslog_priority(data: &[u8]) -> bool {
    let digits = data.iter().skip(1).take(4).take_while(|b| b.is_ascii_digit()).count();
    let value = data.iter().skip(1).take(digits).fold(0, |sum, b| sum * 10 + u32::from(b - b'0'));
    (1..=3).contains(&digits) && value <= 191 && data.get(digits + 1) == Some(&b'>')
}

pub fn syslog(_: &Flow<'_>, data: &[u8]) -> bool {
    syslog_priority(data)
}

pub fn t3(_: &Flow<'_>, data: &[u8]) -> bool {
    matches!(data, [_, _, b' ', b'0'..=b'9', ..] | [_, _, b's', b' ', b'0'..=b'9', ..])
}

pub fn stratum(_: &Flow<'_>, data: &[u8]) -> bool {
    contains(data, b"\"mining.") || (contains(data, b"\"login\"") && contains(data, b"\"agent\""))
}

/// A start of a control connection.
pub fn pptp(_: &Flow<'_>, data: &[u8]) -> bool {
    matches!(data, [0, length, 0, 1, ..] if usize::from(*length) == data.len())
}

/// Five letters, the packet's own length, and compressed data behind it; the letters differ from build to build.
pub fn gh0st(_: &Flow<'_>, data: &[u8]) -> bool {
    let fits = |at| le32(data, at).is_some_and(|length| length as usize == data.len());
    fits(5) && data.get(9..13) != Some(&[0; 4]) && data.get(..5).is_some_and(|m| m.iter().all(u8::is_ascii_graphic))
}

/// One short line, as the client of a look-up service sends.
pub fn line(_: &Flow<'_>, data: &[u8]) -> bool {
    data.len() < 512 && data.ends_with(b"\r\n") && data.iter().filter(|b| **b == b'\n').count() == 1
}
