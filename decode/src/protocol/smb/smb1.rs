//! SMB 1 (CIFS): a header of 32 bytes, words, bytes, and further commands chained behind.

use super::*;
use crate::protocol::ntlm::utf16le;

/// Dialects of an offer that are remembered; the peer remembers as many.
const MAX_DIALECTS: usize = 10;
/// Commands chained in one message.
const MAX_CHAINED: usize = 8;
const HEADER: usize = 32;

/// The dialects the client offered.
pub type Dialects = Vec<String>;

/// One command of a message.
struct Command<'a> {
    words: &'a [u8],
    bytes: &'a [u8],
    /// Offset of `bytes` in the message, which decides on padding.
    offset: usize,
    unicode: bool,
}

/// Reads one message.
pub fn message(flow: &mut Flow<'_>, data: &[u8], dialects: &mut Dialects) -> Option<()> {
    let response = *data.get(9)? & 0x80 != 0;
    let unicode = u16_at(data, 10)? & 0x8000 != 0;
    let (mut code, mut at) = (*data.get(4)?, HEADER);
    for _ in 0..MAX_CHAINED {
        let count = 2 * usize::from(*data.get(at)?);
        let words = data.get(at + 1..at + 1 + count)?;
        let offset = at + 1 + count + 2;
        let bytes = data.get(offset..)?;
        let bytes = bytes.get(..u16_at(data, offset - 2)?.into()).unwrap_or(bytes);
        let command = Command { words, bytes, offset, unicode };
        match response {
            false => command.request(flow, code, dialects),
            true => command.response(flow, code, dialects),
        };
        let next = usize::from(u16_at(words, 2).filter(|_| chained(code))?);
        if words[0] == 0xff || next <= at {
            break;
        }
        (code, at) = (words[0], next);
    }
    Some(())
}

/// Whether a command may have another chained to it.
fn chained(code: u8) -> bool {
    matches!(code, 0x24 | 0x2d | 0x2e | 0x2f | 0x73 | 0x74 | 0x75 | 0xa2)
}

impl Command<'_> {
    fn request(&self, flow: &mut Flow<'_>, code: u8, dialects: &mut Dialects) -> Option<()> {
        match code {
            0x72 => self.offer(dialects),
            0x73 => self.session_setup(flow)?,
            0x75 => {
                let password = usize::from(u16_at(self.words, 6)?);
                flow.fields.text(&SHARE, &self.strings(password).next()?);
            }
            0x70 => flow.fields.text(&SHARE, &self.strings(1).next()?),
            0x06 => flow.fields.text(&FILE, &self.strings(1).next()?),
            // The peer passes over one byte, padding or not.
            0x2d => flow.fields.text(&FILE, &self.strings(1).next()?),
            0xa2 => {
                let length = usize::from(u16_at(self.words, 5)?);
                let pad = usize::from(self.unicode);
                let name = self.bytes.get(pad..)?;
                let name = name.get(..length).unwrap_or(name);
                flow.fields.text(&FILE, self.text(name).trim_end_matches('\0'));
            }
            _ => {}
        }
        Some(())
    }

    fn response(&self, flow: &mut Flow<'_>, code: u8, dialects: &mut Dialects) -> Option<()> {
        if code == 0x72 {
            flow.fields.text(&DIALECT, dialects.get(usize::from(u16_at(self.words, 0)?))?)
        }
        Some(())
    }

    fn offer(&self, dialects: &mut Dialects) {
        dialects.clear();
        for name in self.bytes.split(|&b| b == 0).take(MAX_DIALECTS) {
            if let Some(name) = name.strip_prefix(b"\x02") {
                dialects.push(String::from_utf8_lossy(name).into_owned());
            }
        }
    }

    fn session_setup(&self, flow: &mut Flow<'_>) -> Option<()> {
        let mut from = usize::from(u16_at(self.words, 14)?);
        let fields: &[&Field] = match self.words.len() {
            // Extended security: a blob comes first.
            24 => {
                security(flow, self.bytes.get(..from)?);
                &[&SYSTEM, &VERSION, &DOMAIN]
            }
            26 => {
                from += usize::from(u16_at(self.words, 16)?);
                &[&USER, &DOMAIN, &SYSTEM, &VERSION]
            }
            20 => &[&USER, &DOMAIN, &SYSTEM, &VERSION],
            _ => return None,
        };
        for (field, text) in fields.iter().zip(self.strings(from)) {
            flow.fields.text(field, &text);
        }
        Some(())
    }

    fn text(&self, bytes: &[u8]) -> String {
        if self.unicode { utf16le(bytes) } else { bytes.iter().map(|&b| b as char).collect() }
    }

    /// The zero-ended texts from byte `from` on; UTF-16 is aligned to even offsets of the message.
    fn strings(&self, from: usize) -> impl Iterator<Item = String> {
        let from = from + usize::from(self.unicode && (self.offset + from) % 2 == 1);
        let mut rest = self.bytes.get(from..).unwrap_or_default();
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let width = if self.unicode { 2 } else { 1 };
            let units = rest.chunks(width).position(|unit| unit.iter().all(|&b| b == 0));
            let end = units.map_or(rest.len(), |at| at * width);
            let text = self.text(&rest[..end]);
            rest = rest.get(end + width..).unwrap_or_default();
            Some(text)
        })
    }
}
