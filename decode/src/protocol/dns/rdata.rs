//! What a record says, as text: the forms of RFC 1035's master files, as the peer writes them.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::name::Name;
use super::numbers;
use crate::protocol::reader::{Reader, chunks, hex};

/// `RRSIG type-covered algorithm labels ttl expiration inception key-tag signer`; the signature itself is left out, and as
/// with the peer so is what the root signs.
pub fn rrsig(reader: &mut Reader<'_>) -> Option<String> {
    let covered = numbers::kind(reader.u16()?);
    let [algorithm, labels] = reader.array()?;
    let (ttl, expiration, inception, tag) = (reader.u32()?, reader.u32()?, reader.u32()?, reader.u16()?);
    let signer = Name::read(reader).ok().filter(|name| !name.is_root())?;
    let signer = signer.text();
    Some(format!("RRSIG {covered} {algorithm} {labels} {ttl} {expiration} {inception} {tag} {signer}"))
}

/// `DS key-tag algorithm digest-type DIGEST`.
pub fn ds(rdata: &[u8]) -> Option<String> {
    let mut reader = Reader::new(rdata);
    let tag = reader.u16()?;
    let [algorithm, digest] = reader.array()?;
    Some(format!("DS {tag} {algorithm} {digest} {}", hex(reader.rest()).to_uppercase()))
}

/// `CAA flags tag value`.
pub fn caa(rdata: &[u8]) -> Option<String> {
    let mut reader = Reader::new(rdata);
    let [flags, length] = reader.array()?;
    let tag = String::from_utf8_lossy(reader.take(usize::from(length))?);
    Some(format!("CAA {flags} {tag} {}", String::from_utf8_lossy(reader.rest())))
}

/// `NSEC next-name TYPE ...`; `end` is where the record's data end in the message.
pub fn nsec(reader: &mut Reader<'_>, end: usize) -> Option<String> {
    let next = Name::read(reader).ok()?;
    let mut text = format!("NSEC {}", next.text());
    while reader.position() < end {
        let [window, length] = reader.array()?;
        let bits = reader.take(usize::from(length).min(end.checked_sub(reader.position())?))?;
        for (at, byte) in bits.iter().take(32).enumerate() {
            for bit in (0..8).filter(|bit| byte & (0x80 >> bit) != 0) {
                let number = u16::from(window) << 8 | (at as u16 * 8 + bit);
                text.push(' ');
                text.push_str(&numbers::kind(number));
            }
        }
    }
    Some(text)
}

/// `HTTPS priority target key=value ...` (or `SVCB`); `end` is where the record's data end in the message.
pub fn service(name: &str, reader: &mut Reader<'_>, end: usize) -> Option<String> {
    let priority = reader.u16()?;
    let target = Name::read(reader).ok()?;
    let target = if target.is_root() { ".".into() } else { target.text() };
    let mut text = format!("{name} {priority} {target}");
    while reader.position() < end {
        let (key, length) = (reader.u16()?, reader.u16()?);
        let value = reader.take(usize::from(length))?;
        text.push(' ');
        parameter(&mut text, key, value);
    }
    Some(text)
}

fn parameter(text: &mut String, key: u16, value: &[u8]) {
    match key {
        0 => list(text, "mandatory", chunks(value).map(u16::from_be_bytes).map(key_name)),
        1 => list(text, "alpn", strings(value).map(|s| String::from_utf8_lossy(s).into_owned())),
        2 => text.push_str("no-default-alpn"),
        3 => list(text, "port", chunks(value).map(u16::from_be_bytes)),
        4 => list(text, "ipv4hint", chunks::<4>(value).map(Ipv4Addr::from)),
        5 => list(text, "ech", [STANDARD.encode(value)].into_iter()),
        6 => list(text, "ipv6hint", chunks::<16>(value).map(Ipv6Addr::from)),
        7 => list(text, "dohpath", [String::from_utf8_lossy(value)].into_iter()),
        _ => list(text, &key_name(key), [hex(value)].into_iter()),
    }
}

fn key_name(key: u16) -> String {
    const KEYS: [&str; 9] =
        ["mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath", "ohttp"];
    KEYS.get(usize::from(key)).map_or_else(|| format!("key{key}"), |name| (*name).to_owned())
}

fn list<T: std::fmt::Display>(text: &mut String, key: &str, values: impl Iterator<Item = T>) {
    let _ = write!(text, "{key}=");
    for (i, value) in values.enumerate() {
        let _ = if i == 0 { write!(text, "{value}") } else { write!(text, ",{value}") };
    }
}

/// Character-strings, each with its length before it.
pub fn strings(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut reader = Reader::new(data);
    std::iter::from_fn(move || {
        let length = usize::from(reader.u8()?);
        reader.take(length.min(reader.left()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_parameters_are_written_in_the_order_they_came() {
        let data = b"\x00\x01\x00\x00\x01\x00\x06\x02h3\x02h2\x00\x03\x00\x02\x01\xbb\x00\x04\x00\x04\xc0\x00\x02\x01";
        let text = service("HTTPS", &mut Reader::new(data), data.len()).unwrap();
        assert_eq!(text, "HTTPS 1 . alpn=h3,h2 port=443 ipv4hint=192.0.2.1");
    }

    #[test]
    fn empty_parameters_stay_visible() {
        let data = b"\x00\x01\x00\x00\x01\x00\x00\x00\x04\x00\x00";
        assert_eq!(service("HTTPS", &mut Reader::new(data), data.len()).unwrap(), "HTTPS 1 . alpn= ipv4hint=");
        assert_eq!(service("HTTPS", &mut Reader::new(&data[..9]), 9), None);
    }

    #[test]
    fn nsec_lists_the_types_of_its_bitmap() {
        let data = b"\x04next\x00\x00\x06\x40\x01\x00\x00\x00\x03";
        let text = nsec(&mut Reader::new(data), data.len()).unwrap();
        assert_eq!(text, "NSEC next A MX RRSIG NSEC");
    }

    #[test]
    fn caa_and_ds_read_as_in_a_zone() {
        assert_eq!(caa(b"\x00\x05issueca.example").unwrap(), "CAA 0 issue ca.example");
        assert_eq!(ds(&[0xd4, 0x31, 13, 2, 0xaa, 0xbb]).unwrap(), "DS 54321 13 2 AABB");
        assert_eq!(caa(b"\x00\x50issue"), None);
    }
}
