//! ASN.1's basic encoding rules, as far as reading what others wrote needs: tag, length, value.
//!
//! A length past the end is cut to what is there: half a message still tells something.

use std::fmt::Write;

use super::reader::Reader;

/// One element: its whole tag (two bytes or more for high tag numbers) and its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    pub tag: u32,
    pub value: &'a [u8],
}

impl<'a> Element<'a> {
    /// The elements within.
    pub fn elements(&self) -> Elements<'a> {
        Elements(Reader::new(self.value))
    }

    /// The number within, if it is one of up to eight bytes.
    pub fn integer(&self) -> Option<i64> {
        let first = *self.value.first().filter(|_| self.value.len() <= 8)?;
        let start = if first & 0x80 != 0 { -1 } else { 0 };
        Some(self.value.iter().fold(start, |number, byte| number << 8 | i64::from(*byte)))
    }
}

/// Elements one after the other; ends at the end or at what is no element.
#[derive(Clone, Copy)]
pub struct Elements<'a>(Reader<'a>);

impl<'a> Elements<'a> {
    pub fn new(data: &'a [u8]) -> Elements<'a> {
        Elements(Reader::new(data))
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let tag = tag(&mut self.0)?;
        let length = length(&mut self.0)?;
        let value = self.0.take(length.min(self.0.left()))?;
        Some(Element { tag, value })
    }
}

fn tag(reader: &mut Reader<'_>) -> Option<u32> {
    let first = u32::from(reader.u8()?);
    if first & 0x1f != 0x1f {
        return Some(first);
    }
    let second = u32::from(reader.u8()?);
    if second & 0x80 == 0 {
        return Some(first << 8 | second);
    }
    Some(first << 16 | second << 8 | u32::from(reader.u8().filter(|b| b & 0x80 == 0)?))
}

/// Indefinite lengths reach to the end of what encloses them.
fn length(reader: &mut Reader<'_>) -> Option<usize> {
    match reader.u8()? {
        short @ 0..0x80 => Some(usize::from(short)),
        0x80 => Some(reader.left()),
        long @ 0x81..=0x84 => {
            let bytes = reader.take(usize::from(long & 0x7f))?;
            Some(bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
        }
        _ => None,
    }
}

/// An object identifier's numbers, with dots; it ends at the first number that is cut or too large.
pub fn oid(value: &[u8]) -> String {
    let mut text = String::new();
    let mut number = 0u64;
    for byte in value {
        if number >> 57 != 0 {
            break;
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        let _ = match (text.is_empty(), number) {
            (true, 0..80) => write!(text, "{}.{}", number / 40, number % 40),
            (true, _) => write!(text, "2.{}", number - 80),
            (false, _) => write!(text, ".{number}"),
        };
        number = 0;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_one_after_the_other_and_the_last_is_cut() {
        let all: Vec<_> = Elements::new(b"\x02\x01\xff\x9f\x2a\x01a\x30\x81\x05ab").collect();
        assert_eq!(all.len(), 3);
        assert_eq!(all[0].integer(), Some(-1));
        assert_eq!(all[1].tag, 0x9f2a);
        assert_eq!(all[2].value, b"ab");
        assert_eq!(Elements::new(b"\x30\x85\0\0\0\0\0").next(), None);
    }

    #[test]
    fn object_identifiers_read_as_numbers() {
        assert_eq!(oid(&[0x2b, 6, 1, 0xc4, 0x62]), "1.3.6.1.8802");
        assert_eq!(oid(&[0x88, 0x37, 3]), "2.999.3");
        assert_eq!(oid(&[1]), "0.1");
        assert_eq!(oid(&[0xff; 40]), "");
    }
}
