//! ISAKMP and IKE, versions 1 and 2: how two ends agree on keys, on port 500 or behind NAT on 4500.

use super::reader::{Reader, hex};
use super::{Direction, Flow, Parser, Protocol, Signature, Status, cert, each};
use crate::field::{Field, Kind};

use Kind::Term;

crate::declare_fields! {
    AUTH_METHOD = Field::set("isakmp.auth-method", "isakmp.authMethod", Term, "Ways to authenticate");
    DH_GROUP = Field::set("isakmp.dh-group", "isakmp.dhGroup", Term, "Diffie-Hellman groups");
    ENCRYPTION = Field::set("isakmp.encryption", "isakmp.encryption", Term, "Ciphers");
    EXCHANGE_TYPE = Field::set("isakmp.exchange-type", "isakmp.exchangeType", Term, "Kinds of exchanges");
    HASH = Field::set("isakmp.hash", "isakmp.hash", Term, "Hashes, pseudo-random functions");
    INITIATOR_SPI = Field::set("isakmp.initiator-spi", "isakmp.initiatorSpi", Term, "Who begins, in hex");
    RESPONDER_SPI = Field::set("isakmp.responder-spi", "isakmp.responderSpi", Term, "Who answers, in hex");
    VENDOR_ID = Field::set("isakmp.vendor-id", "isakmp.vendorId", Term, "Vendors' marks, 16 bytes in hex");
    VERSION = Field::set("isakmp.version", "isakmp.version", Term, "Versions");
}

pub static PROTOCOL: Protocol = Protocol {
    name: "isakmp",
    fields: FIELDS,
    signatures: &[
        Signature::UdpPort(500, |flow, _, data| begin(flow, data)),
        Signature::UdpPort(4500, |flow, direction, _| flow.attach(Box::new(BehindNat(direction)))),
    ],
};

const HEADER: usize = 28;
/// More payloads in one message than any implementation sends.
const MOST: usize = 64;
const MAX_VENDOR: usize = 16;
const ENCRYPTED: u8 = 1;

/// Payloads by number; IKEv2 numbers its own from 33 on.
mod payload {
    pub const SA_V1: u8 = 1;
    pub const CERTIFICATE_V1: u8 = 6;
    pub const VENDOR_V1: u8 = 13;
    pub const SA: u8 = 33;
    pub const CERTIFICATE: u8 = 37;
    pub const VENDOR: u8 = 43;
    pub const ENCRYPTED: u8 = 46;
}

struct Header<'a> {
    initiator: &'a [u8],
    responder: &'a [u8],
    next: u8,
    version: u8,
    exchange: &'static str,
    flags: u8,
    payloads: &'a [u8],
}

fn exchange(major: u8, number: u8) -> Option<&'static str> {
    Some(match (major, number) {
        (1, 1) => "base",
        (1, 2) => "identity-protection",
        (1, 3) => "authentication-only",
        (1, 4) => "aggressive",
        (1, 5) | (2, 37) => "informational",
        (1, 32) => "quick-mode",
        (1, 33) => "new-group-mode",
        (2, 34) => "ike-sa-init",
        (2, 35) => "ike-auth",
        (2, 36) => "create-child-sa",
        (2, 38) => "ike-session-resume",
        (2, 43) => "ike-intermediate",
        _ => return None,
    })
}

fn header(data: &[u8]) -> Option<Header<'_>> {
    let mut reader = Reader::new(data);
    let (initiator, responder) = (reader.take(8)?, reader.take(8)?);
    let [next, version, kind, flags] = reader.array()?;
    let exchange = exchange(version >> 4, kind)?;
    reader.skip(4)?;
    let length = usize::try_from(reader.u32()?).ok().filter(|length| *length >= HEADER)?;
    let payloads = data.get(HEADER..length.min(data.len()))?;
    Some(Header { initiator, responder, next, version, exchange, flags, payloads })
}

fn begin(flow: &mut Flow<'_>, data: &[u8]) {
    if header(data).is_some() {
        each::begin(flow, "isakmp", read);
    }
}

/// Port 4500 carries ESP too; four zeros tell the messages apart. One parser for each direction.
struct BehindNat(Direction);

impl Parser for BehindNat {
    fn data(&mut self, flow: &mut Flow<'_>, direction: Direction, data: &[u8]) -> Status {
        let message = data.strip_prefix(&[0; 4]).filter(|_| direction == self.0);
        if let Some(message) = message.filter(|message| header(message).is_some()) {
            flow.protocol("isakmp");
            read(flow, message);
        }
        Status::More
    }
}

fn read(flow: &mut Flow<'_>, data: &[u8]) {
    let Some(header) = header(data) else {
        flow.anomaly("isakmp-message-malformed");
        return;
    };
    flow.fields.text(&EXCHANGE_TYPE, header.exchange);
    flow.fields.text(&VERSION, &format!("{}.{}", header.version >> 4, header.version & 0xf));
    for (field, spi) in [(&INITIATOR_SPI, header.initiator), (&RESPONDER_SPI, header.responder)] {
        if spi != [0; 8] {
            flow.fields.text(field, &hex(spi));
        }
    }
    if !(header.version >> 4 == 1 && header.flags & ENCRYPTED != 0) {
        payloads(flow, header.next, header.payloads);
    }
}

fn payloads(flow: &mut Flow<'_>, mut next: u8, data: &[u8]) {
    let mut reader = Reader::new(data);
    for _ in 0..MOST {
        if next == 0 || next == payload::ENCRYPTED {
            return;
        }
        let Some((following, body)) = chained(&mut reader) else {
            flow.anomaly("isakmp-payload-malformed");
            return;
        };
        match next {
            payload::SA_V1 => drop(proposals(flow, body.get(8..), transform_v1)),
            payload::SA => drop(proposals(flow, Some(body), transform)),
            payload::CERTIFICATE_V1 | payload::CERTIFICATE => certificate(flow, body),
            payload::VENDOR_V1 | payload::VENDOR => {
                flow.fields.text(&VENDOR_ID, &hex(body.get(..MAX_VENDOR).unwrap_or(body)));
            }
            _ => {}
        }
        next = following;
    }
}

/// What follows and the body of a payload, a proposal or a transform: all begin with the next one's kind and a length.
fn chained<'a>(reader: &mut Reader<'a>) -> Option<(u8, &'a [u8])> {
    let [next, _] = reader.array()?;
    let length = usize::from(reader.u16()?);
    Some((next, reader.take(length.checked_sub(4)?)?))
}

/// An X.509 certificate, after the byte that says so.
fn certificate(flow: &mut Flow<'_>, body: &[u8]) {
    if let [4, der @ ..] | [5, der @ ..] = body {
        cert::add(flow, der);
    }
}

fn proposals(flow: &mut Flow<'_>, data: Option<&[u8]>, each: fn(&mut Flow<'_>, &[u8]) -> Option<()>) -> Option<()> {
    let mut reader = Reader::new(data?);
    for _ in 0..MOST {
        let (_, body) = chained(&mut reader)?;
        let mut proposal = Reader::new(body);
        let [_, _, spi, transforms] = proposal.array()?;
        proposal.skip(usize::from(spi))?;
        for _ in 0..transforms {
            each(flow, chained(&mut proposal)?.1)?;
        }
    }
    Some(())
}

fn transform(flow: &mut Flow<'_>, body: &[u8]) -> Option<()> {
    let mut reader = Reader::new(body);
    let [kind, _] = reader.array()?;
    let number = reader.u16()?;
    let (field, name) = match kind {
        1 => (&ENCRYPTION, cipher(number)),
        2 => (&HASH, function(number)),
        4 => (&DH_GROUP, group(number)),
        _ => return Some(()),
    };
    add(flow, field, name, number);
    Some(())
}

/// Version 1's transform: attributes, each of which is two bytes, or a length and as many.
fn transform_v1(flow: &mut Flow<'_>, body: &[u8]) -> Option<()> {
    let mut reader = Reader::at(body, 4);
    while let Some((kind, value)) = reader.u16().zip(reader.u16()) {
        let (field, name) = match kind {
            0x8001 => (&ENCRYPTION, cipher_v1(value)),
            0x8002 => (&HASH, hash_v1(value)),
            0x8003 => (&AUTH_METHOD, method_v1(value)),
            0x8004 => (&DH_GROUP, group(value)),
            0x8000.. => continue,
            _ => {
                reader.skip(usize::from(value))?;
                continue;
            }
        };
        add(flow, field, name, value);
    }
    Some(())
}

fn add(flow: &mut Flow<'_>, field: &Field, name: Option<&str>, number: u16) {
    match name {
        Some(name) => flow.fields.text(field, name),
        None => flow.fields.text(field, &number.to_string()),
    }
}

fn look_up(table: &[&'static str], number: u16) -> Option<&'static str> {
    table.get(usize::from(number)).copied().filter(|name| !name.is_empty())
}

#[rustfmt::skip]
fn cipher(number: u16) -> Option<&'static str> {
    look_up(&[
        "", "des-iv64", "des", "3des", "rc5", "idea", "cast", "blowfish", "3idea", "des-iv32", "", "null", "aes-cbc",
        "aes-ctr", "aes-ccm-8", "aes-ccm-12", "aes-ccm-16", "", "aes-gcm-8", "aes-gcm-12", "aes-gcm-16",
        "null-auth-aes-gmac", "", "camellia-cbc", "camellia-ctr", "camellia-ccm-8", "camellia-ccm-12",
        "camellia-ccm-16", "chacha20-poly1305",
    ], number)
}

#[rustfmt::skip]
fn function(number: u16) -> Option<&'static str> {
    look_up(&[
        "", "prf-hmac-md5", "prf-hmac-sha1", "prf-hmac-tiger", "prf-aes128-xcbc", "prf-hmac-sha2-256",
        "prf-hmac-sha2-384", "prf-hmac-sha2-512", "prf-aes128-cmac",
    ], number)
}

#[rustfmt::skip]
fn group(number: u16) -> Option<&'static str> {
    look_up(&[
        "", "modp768", "modp1024", "", "", "modp1536", "", "", "", "", "", "", "", "", "modp2048", "modp3072",
        "modp4096", "modp6144", "modp8192", "ecp256", "ecp384", "ecp521", "modp1024s160", "modp2048s224",
        "modp2048s256", "ecp192", "ecp224", "ecp224bp", "ecp256bp", "ecp384bp", "ecp512bp", "curve25519", "curve448",
    ], number)
}

#[rustfmt::skip]
fn cipher_v1(number: u16) -> Option<&'static str> {
    look_up(&[
        "", "des-cbc", "idea-cbc", "blowfish-cbc", "rc5-cbc", "3des-cbc", "cast-cbc", "aes-cbc", "camellia-cbc",
    ], number)
}

fn hash_v1(number: u16) -> Option<&'static str> {
    look_up(&["", "md5", "sha1", "tiger", "sha2-256", "sha2-384", "sha2-512"], number)
}

fn method_v1(number: u16) -> Option<&'static str> {
    match number {
        65001 => Some("xauth-psk"),
        _ => look_up(&["", "psk", "dss-sig", "rsa-sig", "rsa-enc", "rsa-enc-rev"], number),
    }
}

#[cfg(test)]
mod tests;
