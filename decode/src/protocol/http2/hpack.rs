//! HPACK (RFC 7541): what one direction's compressed headers stand for.

use std::collections::VecDeque;

use super::huffman;
use super::static_table::STATIC;
use crate::protocol::reader::Reader;

/// Bytes of a dynamic table; few ends allow more than the standard's 4,096.
const MAX_TABLE: usize = 64 << 10;
/// Bytes of the headers that one block may stand for: a few bytes may ask for a long entry over and over.
const MAX_LIST: usize = 256 << 10;
/// What an entry counts besides its bytes, by the standard.
const OVERHEAD: usize = 32;

/// A header's name and value.
type Entry = (Box<[u8]>, Box<[u8]>);

/// The dynamic table of one direction.
pub struct Decoder {
    entries: VecDeque<Entry>,
    size: usize,
    limit: usize,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder { entries: VecDeque::new(), size: 0, limit: 4_096 }
    }
}

impl Decoder {
    /// Calls `on` with each header of a whole block; `None` if it is no such block, and then no later one can be read.
    pub fn decode(&mut self, block: &[u8], on: &mut dyn FnMut(&[u8], &[u8])) -> Option<()> {
        let mut reader = Reader::new(block);
        let mut told = 0;
        let mut tell = |name: &[u8], value: &[u8]| {
            told += name.len() + value.len() + OVERHEAD;
            (told <= MAX_LIST).then(|| on(name, value))
        };
        while let Some(&first) = reader.rest().first() {
            match first {
                0x80.. => {
                    let (name, value) = self.entry(integer(&mut reader, 7)?)?;
                    tell(name, value)?;
                }
                0x40..0x80 => {
                    let (name, value) = self.literal(&mut reader, 6)?;
                    tell(&name, &value)?;
                    self.insert(name, value);
                }
                0x20..0x40 => {
                    let limit = integer(&mut reader, 5)?;
                    self.limit = Some(limit).filter(|limit| *limit <= MAX_TABLE)?;
                    self.evict();
                }
                _ => {
                    let (name, value) = self.literal(&mut reader, 4)?;
                    tell(&name, &value)?;
                }
            }
        }
        Some(())
    }

    fn entry(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let at = index.checked_sub(1)?;
        if let Some(&known) = STATIC.get(at) {
            return Some(known);
        }
        self.entries.get(at - STATIC.len()).map(|(name, value)| (&**name, &**value))
    }

    fn literal(&self, reader: &mut Reader<'_>, prefix: u32) -> Option<(Vec<u8>, Vec<u8>)> {
        let name = match integer(reader, prefix)? {
            0 => string(reader)?,
            index => self.entry(index)?.0.to_vec(),
        };
        Some((name, string(reader)?))
    }

    fn insert(&mut self, name: Vec<u8>, value: Vec<u8>) {
        self.size += name.len() + value.len() + OVERHEAD;
        self.entries.push_front((name.into(), value.into()));
        self.evict();
    }

    fn evict(&mut self) {
        while self.size > self.limit
            && let Some((name, value)) = self.entries.pop_back()
        {
            self.size -= name.len() + value.len() + OVERHEAD;
        }
    }
}

/// A number that begins in the low `prefix` bits of the next byte.
fn integer(reader: &mut Reader<'_>, prefix: u32) -> Option<usize> {
    let mask = (1usize << prefix) - 1;
    let mut value = usize::from(reader.u8()?) & mask;
    if value < mask {
        return Some(value);
    }
    // No length or index here needs more than 28 bits.
    for shift in [0, 7, 14, 21] {
        let byte = usize::from(reader.u8()?);
        value += (byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn string(reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    let coded = reader.rest().first()? & 0x80 != 0;
    let length = integer(reader, 7)?;
    let data = reader.take(length)?;
    if !coded {
        return Some(data.to_vec());
    }
    let mut out = Vec::with_capacity(length * 8 / 5 + 1);
    huffman::decode(data, &mut out)?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(decoder: &mut Decoder, block: &[u8]) -> Option<Vec<String>> {
        let mut all = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        decoder.decode(block, &mut |name, value| all.push(format!("{}={}", text(name), text(value))))?;
        Some(all)
    }

    /// From RFC 7541, appendix C.4: three requests on one connection.
    #[test]
    fn the_standards_requests_are_read_in_turn() {
        let mut decoder = Decoder::default();
        let first = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
        let common = [":method=GET", ":scheme=http", ":path=/", ":authority=www.example.com"];
        assert_eq!(headers(&mut decoder, first).expect("headers"), common);
        let second = b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf";
        assert_eq!(headers(&mut decoder, second).expect("headers")[3..], [common[3], "cache-control=no-cache"]);
        let third = b"\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf";
        assert_eq!(headers(&mut decoder, third).expect("headers")[3..], [common[3], "custom-key=custom-value"]);
        assert_eq!(decoder.size, 164);
    }

    #[test]
    fn a_small_block_that_stands_for_much_is_given_up() {
        let mut decoder = Decoder::default();
        let mut block = vec![0x40, 1, b'a', 0x7f, 0x80 | 0x39, 0x16];
        block.extend([b'x'; 3_000]);
        block.extend([0xbe; 60_000]);
        let mut told = 0;
        assert_eq!(decoder.decode(&block, &mut |_, value| told += value.len()), None);
        assert!((200_000..=MAX_LIST).contains(&told), "{told}");
    }

    #[test]
    fn what_points_nowhere_or_never_ends_is_refused() {
        for block in
            [&b"\x80"[..], b"\xff\x20", b"\x7f\xff\xff\xff\xff\xff\xff\x01", b"\x40\x05ab", b"\x3f\xff\xff\x7f"]
        {
            assert_eq!(headers(&mut Decoder::default(), block), None, "{block:x?}");
        }
    }
}
