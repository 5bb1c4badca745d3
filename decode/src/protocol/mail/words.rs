//! Encoded words (RFC 2047) in headers: `=?charset?B/Q?text?=`, in any character set that browsers know.

use base64::Engine;
use encoding_rs::{Encoding, WINDOWS_1252};

use crate::protocol::http::uri::BASE64;

/// Decodes a header's value; what is not UTF-8 outside encoded words is read as Windows-1252.
pub fn decode(value: &[u8]) -> String {
    let mut out = String::new();
    let mut rest = value;
    let mut after_word = false;
    while !rest.is_empty() {
        // One space between two encoded words (a folded line) belongs to neither.
        if let (true, Some(joined)) = (after_word, rest.strip_prefix(b" ").filter(|r| r.starts_with(b"=?"))) {
            rest = joined;
        }
        if let Some((text, after)) = word(rest) {
            out.push_str(&text);
            (rest, after_word) = (after, true);
            continue;
        }
        after_word = false;
        let next = rest.windows(2).skip(1).position(|pair| pair == b"=?").map_or(rest.len(), |at| at + 1);
        let (plain, after) = rest.split_at(next);
        match std::str::from_utf8(plain) {
            Ok(text) => out.push_str(text),
            Err(_) => out.push_str(&WINDOWS_1252.decode_without_bom_handling(plain).0),
        }
        rest = after;
    }
    out
}

/// The encoded word at the front, and what follows it.
fn word(text: &[u8]) -> Option<(String, &[u8])> {
    let inner = text.strip_prefix(b"=?")?;
    let mut parts = inner.splitn(3, |&b| b == b'?');
    let (charset, encoding, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let end = rest.windows(2).position(|pair| pair == b"?=")?;
    let bytes = match encoding {
        b"B" | b"b" => base64_lenient(&rest[..end]),
        b"Q" | b"q" => quoted(&rest[..end], true),
        _ => return None,
    };
    // A language may follow the character set: `utf-8*en`.
    let charset = charset.split(|&b| b == b'*').next().unwrap_or(charset);
    let charset = Encoding::for_label(charset).unwrap_or(WINDOWS_1252);
    Some((charset.decode_without_bom_handling(&bytes).0.into_owned(), &rest[end + 2..]))
}

fn base64_lenient(text: &[u8]) -> Vec<u8> {
    let clean: Vec<u8> =
        text.iter().copied().filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')).collect();
    let whole = clean.len() - usize::from(clean.len() % 4 == 1);
    BASE64.decode(&clean[..whole]).unwrap_or_default()
}

/// Quoted-printable text; in headers `_` is a space.
pub fn quoted(text: &[u8], header: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let digit = |at: usize| after.get(at).and_then(|&b| (b as char).to_digit(16));
        match (byte, digit(0), digit(1)) {
            (b'=', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            (b'_', ..) if header => out.push(b' '),
            _ => out.push(byte),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn encoded_words_become_text() {
        let cases: &[(&[u8], &str)] = &[
            (b"plain", "plain"),
            (b"=?iso-8859-1?B?dGVzdCDlIOkg7iD4IPw=?=", "test å é î ø ü"),
            (b"=?utf-8?q?a=EF=BC=88_b?= =?UTF-8?Q?=5Fc?=", "a（ b_c"),
            (b"=?ISO-8859-1?B?Qw==?==?ISO-8859-1?B??==?ISO-8859-1?B?YW4=?=", "Can"),
            (b"x =?utf-8?Q?y?= z", "x y z"),
            (b"What\x92s Next", "What\u{2019}s Next"),
            (b"=?koi8-r?B?8NLJ18XU?=", "Привет"),
            (b"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
            (b"=?utf-8*en?Q?a?=", "a"),
            (b"=?broken", "=?broken"),
            (b"=?utf-8?X?a?=", "=?utf-8?X?a?="),
            (b"=?nonsense?B?!!!?=", ""),
            (b"", ""),
        ];
        for (value, expected) in cases {
            assert_eq!(decode(value), *expected, "{}", String::from_utf8_lossy(value));
        }
    }
}
