//! HPACK's Huffman code (RFC 7541, appendix B). It is canonical, so the lengths of its codes say it all.

use std::sync::LazyLock;

/// Bits of the code of each byte, and of the end.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];
const LONGEST: usize = 30;

/// For each length of codes: the first code, and the symbols in the order of their codes.
static CODES: LazyLock<Vec<(u32, Vec<u16>)>> = LazyLock::new(|| {
    let (mut code, mut codes) = (0, Vec::new());
    for length in 0..=LONGEST {
        let symbols: Vec<u16> = (0..257).filter(|s| usize::from(LENGTHS[usize::from(*s)]) == length).collect();
        let count = symbols.len() as u32;
        codes.push((code, symbols));
        code = (code + count) << 1;
    }
    codes
});

/// Appends what `data` stands for; `None` if it is no such text.
pub fn decode(data: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (mut code, mut length) = (0u32, 0usize);
    for bit in data.iter().flat_map(|byte| (0..8).rev().map(move |at| u32::from(byte >> at & 1))) {
        code = code << 1 | bit;
        length += 1;
        let (first, symbols) = CODES.get(length)?;
        let Some(symbol) = code.checked_sub(*first).and_then(|at| symbols.get(at as usize)) else { continue };
        // The code of the end stands in no text.
        out.push(u8::try_from(*symbol).ok()?);
        (code, length) = (0, 0);
    }
    // Less than a byte is left: the beginning of the end's code, all ones.
    (length < 8 && code == (1 << length) - 1).then_some(())
}

#[cfg(test)]
mod tests {
    use super::decode;

    fn text(data: &[u8]) -> Option<String> {
        let mut out = Vec::new();
        decode(data, &mut out)?;
        String::from_utf8(out).ok()
    }

    /// From RFC 7541, appendix C.
    #[test]
    fn the_standards_examples_are_read() {
        let host = b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
        assert_eq!(text(host).as_deref(), Some("www.example.com"));
        assert_eq!(text(b"\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f").as_deref(), Some("custom-key"));
        assert_eq!(text(b"").as_deref(), Some(""));
    }

    #[test]
    fn wrong_padding_and_the_end_are_refused() {
        assert_eq!(text(b"\xff\xff\xff\xff"), None);
        assert_eq!(text(b"\x25\xa8\x49\xe9\x5b\xa9\x7d\x00"), None);
    }
}
