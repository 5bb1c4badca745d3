//! SMB 2 and 3: a header of 64 bytes, then structures with offsets from the header's begin.

use super::*;
use crate::protocol::ntlm::utf16le;

/// Commands compounded in one message.
const MAX_COMPOUNDED: usize = 16;
const HEADER: usize = 64;
const RESPONSE: u32 = 1;

/// Reads all the commands of one message.
pub fn messages(flow: &mut Flow<'_>, data: &[u8]) {
    let mut rest = data;
    for _ in 0..MAX_COMPOUNDED {
        if rest.len() < HEADER || !rest.starts_with(b"\xfeSMB") {
            return;
        }
        let next = u32_at(rest, 20).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        one(flow, rest);
        match rest.get(next..) {
            Some(after) if next > 0 => rest = after,
            _ => return,
        }
    }
}

fn one(flow: &mut Flow<'_>, data: &[u8]) -> Option<()> {
    let response = u32_at(data, 16)? & RESPONSE != 0;
    match (u16_at(data, 12)?, response) {
        (0, true) => {
            if let Some(name) = dialect(u16_at(data, HEADER + 4)?) {
                flow.fields.text(&DIALECT, name);
            }
        }
        (3, false) => flow.fields.text(&SHARE, &utf16le(part(data, HEADER + 4)?)),
        (5, false) => flow.fields.text(&FILE, &utf16le(part(data, HEADER + 44)?)),
        _ => {}
    }
    Some(())
}

/// What the offset and length at `at` point at.
fn part(data: &[u8], at: usize) -> Option<&[u8]> {
    let (offset, length) = (usize::from(u16_at(data, at)?), usize::from(u16_at(data, at + 2)?));
    data.get(offset..offset + length)
}

fn dialect(number: u16) -> Option<&'static str> {
    match number {
        0x0202 => Some("SMB 2.0.2"),
        0x0210 => Some("SMB 2.1"),
        0x0300 => Some("SMB 3.0"),
        0x0302 => Some("SMB 3.0.2"),
        0x0311 => Some("SMB 3.1.1"),
        _ => None,
    }
}
