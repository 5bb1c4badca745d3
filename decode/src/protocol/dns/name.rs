//! Names on the wire: labels, compression pointers, and the text people know them by.

use std::borrow::Cow;

use crate::protocol::reader::Reader;

/// A name on the wire has 255 bytes at most, so its text has fewer.
const MAX_NAME: usize = 255;
/// Longest label; the two bits above it mark a pointer.
const MAX_LABEL: u8 = 63;

/// What the peer writes for the name of no labels.
pub const ROOT: &str = "<root>";

/// One name, in lower case, dots between its labels; no allocation, since most names are looked at and dropped.
pub struct Name {
    bytes: [u8; MAX_NAME],
    len: usize,
}

/// Why a name could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The message ends within it.
    Cut,
    /// A pointer that does not go back, so it may never end.
    Loop,
    /// Longer than names may be, or a label of an unknown kind.
    Bad,
}

impl Name {
    /// Reads the name at the cursor, follows pointers into the whole message, and leaves the cursor past it.
    pub fn read(reader: &mut Reader<'_>) -> Result<Name, Fault> {
        let mut name = Name { bytes: [0; MAX_NAME], len: 0 };
        let mut start = reader.position();
        let mut jumped: Option<Reader<'_>> = None;
        loop {
            let cursor = jumped.as_mut().unwrap_or(reader);
            match cursor.u8().ok_or(Fault::Cut)? {
                0 => return Ok(name),
                length @ 1..=MAX_LABEL => name.push(cursor.take(usize::from(length)).ok_or(Fault::Cut)?)?,
                high @ 0xc0.. => {
                    let target = usize::from(high & 0x3f) << 8 | usize::from(cursor.u8().ok_or(Fault::Cut)?);
                    if target >= start {
                        return Err(Fault::Loop);
                    }
                    start = target;
                    jumped = Some(Reader::at(cursor.whole(), target));
                }
                _ => return Err(Fault::Bad),
            }
        }
    }

    fn push(&mut self, label: &[u8]) -> Result<(), Fault> {
        let dot = usize::from(self.len > 0);
        let end = self.len + dot + label.len();
        let room = self.bytes.get_mut(self.len..end).ok_or(Fault::Bad)?;
        let (separator, text) = room.split_at_mut(dot);
        separator.fill(b'.');
        text.copy_from_slice(label);
        text.make_ascii_lowercase();
        self.len = end;
        Ok(())
    }

    /// The name's bytes; empty for the root.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    pub fn is_root(&self) -> bool {
        self.len == 0
    }

    /// The name as text, labels in punycode decoded; `ROOT` for the root.
    pub fn text(&self) -> Cow<'_, str> {
        if self.is_root() {
            return Cow::Borrowed(ROOT);
        }
        let text = match std::str::from_utf8(self.bytes()) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(self.bytes().iter().map(|b| char::from(*b)).collect()),
        };
        decode_punycode(&text).map_or(text, Cow::Owned)
    }

    /// The name before decoding, if a label is in punycode.
    pub fn punycode(&self) -> Option<&str> {
        let text = std::str::from_utf8(self.bytes()).ok()?;
        decode_punycode(text).map(|_| text)
    }
}

fn decode_punycode(text: &str) -> Option<String> {
    if !text.contains("xn--") {
        return None;
    }
    let mut decoded = false;
    let labels: Vec<Cow<'_, str>> = text
        .split('.')
        .map(|label| match label.strip_prefix("xn--").and_then(super::punycode::decode) {
            Some(unicode) => {
                decoded = true;
                Cow::Owned(unicode)
            }
            None => Cow::Borrowed(label),
        })
        .collect();
    decoded.then(|| labels.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &[u8], at: usize) -> Result<String, Fault> {
        Name::read(&mut Reader::at(data, at)).map(|name| name.text().into_owned())
    }

    #[test]
    fn labels_join_by_dots_in_lower_case() {
        assert_eq!(read(b"\x03WWW\x02de\x00", 0).unwrap(), "www.de");
        assert_eq!(read(b"\x00", 0).unwrap(), ROOT);
    }

    #[test]
    fn a_pointer_goes_back_and_the_cursor_stays_behind_it() {
        let data = b"\x02de\x00\x03www\xc0\x00\xff";
        let mut reader = Reader::at(data, 4);
        assert_eq!(Name::read(&mut reader).unwrap().text(), "www.de");
        assert_eq!(reader.u8(), Some(0xff));
    }

    #[test]
    fn no_pointer_can_loop() {
        assert_eq!(read(b"\xc0\x00", 0), Err(Fault::Loop));
        assert_eq!(read(b"\x01a\xc0\x00", 0), Err(Fault::Loop));
        assert_eq!(read(b"\xc0\x02\xc0\x00", 2), Err(Fault::Loop));
        assert_eq!(read(b"\xc0\x02\x01a\x00", 0), Err(Fault::Loop));
    }

    #[test]
    fn a_name_longer_than_names_may_be_is_refused() {
        let mut data = Vec::new();
        (0..5).for_each(|_| {
            data.push(63);
            data.extend_from_slice(&[b'a'; 63]);
        });
        data.push(0);
        assert_eq!(read(&data, 0), Err(Fault::Bad));
        assert_eq!(read(b"\x03ab", 0), Err(Fault::Cut));
    }

    #[test]
    fn punycode_is_read_and_its_raw_form_kept() {
        let data = b"\x0cxn--nxasmq5b\x03com\x00";
        let name = Name::read(&mut Reader::new(data)).unwrap();
        assert_eq!(name.text(), "όβλοσ.com");
        assert_eq!(name.punycode(), Some("xn--nxasmq5b.com"));
    }
}
