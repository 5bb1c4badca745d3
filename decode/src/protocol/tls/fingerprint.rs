//! Fingerprints of hellos: JA3, JA3S, and JA4 (of JA4+ only this one is free to use).

use std::fmt::Write;

use md5::{Digest, Md5};
use sha2::Sha256;

use super::hello::{ALPN, ClientHello, SERVER_NAME, ServerHello, is_grease};
use super::vectors::numbers;
use crate::protocol::reader::hex;

/// How the hello came; the first letter of a JA4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    Tls = b't' as isize,
    Dtls = b'd' as isize,
    Quic = b'q' as isize,
}

/// The MD5 of a text in hexadecimal, as JA3 and HASSH want it.
pub fn md5_hex(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

fn dashed(numbers: impl Iterator<Item = u16>) -> String {
    let mut text = String::new();
    for number in numbers {
        let separator = if text.is_empty() { "" } else { "-" };
        let _ = write!(text, "{separator}{number}");
    }
    text
}

/// The text that JA3 hashes.
pub fn ja3(hello: &ClientHello<'_>) -> String {
    format!(
        "{},{},{},{},{}",
        hello.version,
        dashed(hello.ciphers()),
        dashed(hello.extensions()),
        dashed(numbers(hello.groups).filter(|n| !is_grease(*n))),
        dashed(hello.formats.iter().map(|&n| u16::from(n)))
    )
}

/// The text that JA3S hashes.
pub fn ja3s(hello: &ServerHello<'_>) -> String {
    format!("{},{},{}", hello.version, hello.cipher, dashed(hello.extensions()))
}

/// A JA4, hashed and raw.
pub struct Ja4 {
    pub hashed: String,
    pub raw: String,
}

/// The JA4 of a client hello.
pub fn ja4(hello: &ClientHello<'_>, carrier: Carrier) -> Ja4 {
    let all: Vec<u16> = hello.extensions().collect();
    let ciphers: Vec<u16> = hello.ciphers().collect();
    let [first, last] = alpn_ends(hello.alpn.unwrap_or_default());
    let head = format!(
        "{}{}{}{:02}{:02}{first}{last}",
        carrier as u8 as char,
        version(hello, carrier),
        if all.contains(&SERVER_NAME) { 'd' } else { 'i' },
        ciphers.len().min(99),
        all.len().min(99),
    );
    let ciphers = listed(ciphers, true);
    let mut rest = listed(all.into_iter().filter(|n| ![SERVER_NAME, ALPN].contains(n)).collect(), true);
    let signatures = listed(numbers(hello.signatures).filter(|n| !is_grease(*n)).collect(), false);
    if !signatures.is_empty() {
        rest = format!("{rest}_{signatures}");
    }
    Ja4 {
        hashed: format!("{head}_{}_{}", short_hash(&ciphers), short_hash(&rest)),
        raw: format!("{head}_{ciphers}_{rest}"),
    }
}

fn listed(mut numbers: Vec<u16>, sorted: bool) -> String {
    if sorted {
        numbers.sort_unstable();
    }
    numbers.iter().map(|n| format!("{n:04x}")).collect::<Vec<_>>().join(",")
}

fn short_hash(text: &str) -> String {
    if text.is_empty() {
        return "0".repeat(12);
    }
    hex(&Sha256::digest(text.as_bytes())[..6])
}

fn version(hello: &ClientHello<'_>, carrier: Carrier) -> &'static str {
    let offered = numbers(hello.versions).filter(|n| !is_grease(*n));
    // DTLS counts down: its newest version is the smallest number.
    let newest = if carrier == Carrier::Dtls { offered.min() } else { offered.max() };
    match newest.unwrap_or(hello.version) {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        0xfeff => "d1",
        0xfefd => "d2",
        0xfefc => "d3",
        _ => "00",
    }
}

/// First and last character of the first ALPN value; of its hexadecimal form if either is not alphanumeric.
fn alpn_ends(value: &[u8]) -> [char; 2] {
    match (value.first(), value.last()) {
        (Some(&a), Some(&b)) if a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric() => [a as char, b as char],
        (Some(&a), Some(&b)) => {
            let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('0');
            [digit(a >> 4), digit(b & 15)]
        }
        _ => ['0', '0'],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpn_ends_are_hexadecimal_when_not_alphanumeric() {
        assert_eq!(alpn_ends(b"http/1.1"), ['h', '1']);
        assert_eq!(alpn_ends(b"h"), ['h', 'h']);
        assert_eq!(alpn_ends(&[0xab, b'x', 0xcd]), ['a', 'd']);
        assert_eq!(alpn_ends(b""), ['0', '0']);
    }

    #[test]
    fn grease_has_equal_bytes_ending_in_a() {
        assert!(is_grease(0x0a0a) && is_grease(0xfafa));
        assert!(!is_grease(0x1a2a) && !is_grease(0x0a0b) && !is_grease(0x1301));
    }
}
