//! A cursor over bytes that a stranger wrote: every read may fail, none may panic.

/// Reads big-endian numbers and runs of bytes from the front of a slice.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A cursor at the first byte.
    pub fn new(data: &'a [u8]) -> Reader<'a> {
        Reader { data, at: 0 }
    }

    /// A cursor at byte `at`, or at the end if there are fewer.
    pub fn at(data: &'a [u8], at: usize) -> Reader<'a> {
        Reader { data, at: at.min(data.len()) }
    }

    /// The next `count` bytes; `None`, and no move, if there are fewer.
    #[inline]
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let bytes = self.data.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    /// The next bytes, as an array.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// Passes over `count` bytes.
    pub fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(|_| ())
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|b| b[0])
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn u24(&mut self) -> Option<u32> {
        self.array::<3>().map(|b| u32::from_be_bytes([0, b[0], b[1], b[2]]))
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// The bytes up to `end` and past it; `None`, and no move, if it does not come.
    pub fn until(&mut self, end: u8) -> Option<&'a [u8]> {
        let count = self.rest().iter().position(|b| *b == end)?;
        let bytes = self.take(count)?;
        self.at += 1;
        Some(bytes)
    }

    /// The bytes not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.data.get(self.at..).unwrap_or_default()
    }

    /// The number of bytes not read yet.
    pub fn left(&self) -> usize {
        self.data.len() - self.at
    }

    pub fn is_empty(&self) -> bool {
        self.left() == 0
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The whole slice, read or not.
    pub fn whole(&self) -> &'a [u8] {
        self.data
    }
}

/// The whole arrays of `N` bytes that `bytes` begins with, one after the other.
pub fn chunks<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    bytes.chunks_exact(N).filter_map(|chunk| chunk.try_into().ok())
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn push_hex(text: &mut String, byte: u8) {
    text.push(char::from(DIGITS[usize::from(byte >> 4)]));
    text.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// `bytes` in lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    bytes.iter().for_each(|b| push_hex(&mut text, *b));
    text
}

/// `bytes` in hexadecimal digits with colons, as a MAC address is written.
pub fn mac(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for (i, byte) in bytes.iter().enumerate() {
        if i > 0 {
            text.push(':');
        }
        push_hex(&mut text, *byte);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_past_the_end_fails_and_does_not_move() {
        let mut reader = Reader::new(&[1, 2, 3]);
        assert_eq!(reader.u16(), Some(0x0102));
        assert_eq!(reader.u32(), None);
        assert_eq!(reader.take(usize::MAX), None);
        assert_eq!(reader.u8(), Some(3));
        assert!(reader.is_empty());
        assert_eq!(Reader::at(&[1], 9).u8(), None);
    }

    #[test]
    fn arrays_leave_out_an_incomplete_end() {
        assert_eq!(chunks(&[1, 2, 3, 4, 5]).collect::<Vec<[u8; 2]>>(), [[1, 2], [3, 4]]);
    }

    #[test]
    fn text_forms_are_lower_case() {
        assert_eq!(hex(&[0xAB, 0x01]), "ab01");
        assert_eq!(mac(&[0x00, 0x0b, 0xff]), "00:0b:ff");
    }
}
