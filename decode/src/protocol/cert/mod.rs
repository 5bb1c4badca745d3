//! X.509 certificates, as TLS, DTLS and IKE carry them: one object each.
//!
//! Read by hand: the peer's captures hold certificates that a strict reader refuses whole (times with an offset,
//! curves spelled out), and what such a certificate says is what an analyst wants to see.

mod der;
mod names;
#[cfg(test)]
mod tests;

use sha1::{Digest, Sha1};

use super::reader::{Reader, hex, mac};
use super::{Flow, Protocol};
use crate::field::{Count, Field, Kind};
use crate::values::{Fields, Values};
use der::{BMP_STRING, INTEGER, OID, elements, enter, next};

crate::declare_fields! {
    CERT = Field::objects("cert", "cert", "Certificates");
    ALT = Field::set("cert.alt", "cert.alt", Kind::LowerTerm, "Alternative names");
    CURVE = Field::one("cert.curve", "cert.curve", Kind::Term, "Elliptic curve of the public key");
    HASH = Field::one("cert.hash", "cert.hash", Kind::LowerTerm, "SHA-1 of the certificate");
    ISSUER_CN = Field::set("cert.issuer.cn", "cert.issuerCN", Kind::LowerTerm, "Common names of the issuer").counted(Count::No);
    ISSUER_ON = Field::set("cert.issuer.on", "cert.issuerON", Kind::Term, "Organisations of the issuer").counted(Count::No);
    ISSUER_OU = Field::set("cert.issuer.ou", "cert.issuerOU", Kind::Term, "Organisational units of the issuer").counted(Count::No);
    SUBJECT_CN = Field::set("cert.subject.cn", "cert.subjectCN", Kind::LowerTerm, "Common names of the subject").counted(Count::No);
    SUBJECT_ON = Field::set("cert.subject.on", "cert.subjectON", Kind::Term, "Organisations of the subject").counted(Count::No);
    SUBJECT_OU = Field::set("cert.subject.ou", "cert.subjectOU", Kind::Term, "Organisational units of the subject")
            .counted(Count::No);
    NOT_AFTER = Field::one("cert.notafter", "cert.notAfter", Kind::Date, "Not valid after");
    NOT_BEFORE = Field::one("cert.notbefore", "cert.notBefore", Kind::Date, "Not valid before");
    ALGORITHM = Field::one("cert.publicAlgorithm", "cert.publicAlgorithm", Kind::Term, "Public key algorithm");
    REMAINING_DAYS = Field::one("cert.remainingDays", "cert.remainingDays", Kind::Integer, "Days it was still valid when seen");
    REMAINING = Field::one("cert.remainingSeconds", "cert.remainingSeconds", Kind::Integer, "Seconds it was still valid when seen");
    SERIAL = Field::one("cert.serial", "cert.serial", Kind::LowerTerm, "Serial number, in hex");
    VALID_DAYS = Field::one("cert.validfor", "cert.validDays", Kind::Integer, "Days it is valid in all");
    VALID = Field::one("cert.validforSeconds", "cert.validSeconds", Kind::Integer, "Seconds it is valid in all");
}

pub static PROTOCOL: Protocol = Protocol { name: "cert", fields: FIELDS, signatures: &[] };

/// Adds the certificate `der` to the session, once; a broken one is kept as far as it can be read.
pub fn add(flow: &mut Flow<'_>, der: &[u8]) {
    let hash = mac(&Sha1::digest(der));
    let known =
        |cert: &Fields| matches!(cert.get(&HASH), Some(Values::Texts(t)) if t.items.iter().any(|i| **i == *hash));
    if flow.fields.objects_mut(&CERT).iter().any(known) {
        return;
    }
    let mut cert = Fields::default();
    cert.text(&HASH, &hash);
    if certificate(&mut cert, der, (flow.ends.first_ns / 1_000_000_000) as i64).is_none() {
        flow.anomaly("cert-corrupt");
    }
    flow.fields.object(&CERT, cert);
}

/// Reads what is signed: version, serial, algorithm, issuer, validity, subject, key, extensions.
fn certificate(cert: &mut Fields, der: &[u8], now: i64) -> Option<()> {
    let mut signed = enter(&mut enter(&mut Reader::new(der))?)?;
    let (mut tag, mut body) = next(&mut signed)?;
    if tag == 0xa0 {
        (tag, body) = next(&mut signed)?;
    }
    if tag != INTEGER {
        return None;
    }
    cert.text(&SERIAL, &hex(body));
    next(&mut signed)?; // the signature's algorithm, given again outside
    distinguished_name(cert, next(&mut signed)?.1, [&ISSUER_CN, &ISSUER_ON, &ISSUER_OU]);
    let dated = validity(cert, next(&mut signed)?.1, now);
    distinguished_name(cert, next(&mut signed)?.1, [&SUBJECT_CN, &SUBJECT_ON, &SUBJECT_OU]);
    public_key(cert, next(&mut signed)?.1);
    for (_, list) in elements(signed.rest()).filter(|(tag, _)| *tag == 0xa3) {
        let extensions = enter(&mut Reader::new(list)).map_or(&[][..], |r| r.rest());
        elements(extensions).for_each(|(_, extension)| alternative_names(cert, extension));
    }
    dated
}

fn distinguished_name(cert: &mut Fields, name: &[u8], [cn, on, ou]: [&Field; 3]) {
    for (_, pair) in elements(name).flat_map(|(_, set)| elements(set)) {
        let mut pair = Reader::new(pair);
        let (Some((OID, oid)), Some((tag, value))) = (next(&mut pair), next(&mut pair)) else { continue };
        let field = match oid {
            [0x55, 4, 3] => cn,
            [0x55, 4, 10] => on,
            [0x55, 4, 11] => ou,
            _ => continue,
        };
        if tag == BMP_STRING {
            let units: Vec<u16> = value.chunks_exact(2).map(|c| u16::from_be_bytes([c[0], c[1]])).collect();
            cert.text(field, &String::from_utf16_lossy(&units));
        } else {
            cert.bytes(field, value);
        }
    }
}

fn validity(cert: &mut Fields, body: &[u8], now: i64) -> Option<()> {
    let mut times = elements(body).map(|(tag, text)| der::time(tag, text));
    let before = times.next()??;
    let after = times.next()??;
    cert.int(&NOT_BEFORE, before);
    cert.int(&NOT_AFTER, after);
    let (valid, remaining) = ((after - before) / 1000, after / 1000 - now);
    cert.int(&VALID_DAYS, valid / 86_400);
    cert.int(&VALID, valid);
    cert.int(&REMAINING_DAYS, remaining / 86_400);
    cert.int(&REMAINING, remaining);
    Some(())
}

fn public_key(cert: &mut Fields, body: &[u8]) {
    let Some(mut algorithm) = enter(&mut Reader::new(body)) else { return };
    let Some((OID, oid)) = next(&mut algorithm) else { return };
    cert.text(&ALGORITHM, &names::of(oid));
    if oid == names::EC_PUBLIC_KEY {
        match next(&mut algorithm) {
            Some((OID, curve)) => cert.text(&CURVE, &names::of(curve)),
            // Parameters spelled out: nobody honest does, and it is how CVE-2020-0601 was exploited.
            _ => cert.text(&CURVE, "corrupt"),
        }
    }
}

/// The DNS names of a subjectAltName extension.
fn alternative_names(cert: &mut Fields, extension: &[u8]) {
    let mut parts = elements(extension);
    if parts.next() != Some((OID, &[0x55, 0x1d, 17])) {
        return;
    }
    let Some((_, value)) = parts.find(|(tag, _)| *tag == 4) else { return };
    let Some(names) = enter(&mut Reader::new(value)) else { return };
    for (_, name) in elements(names.rest()).filter(|(tag, _)| *tag == 0x82) {
        cert.bytes(&ALT, name);
    }
}
