use super::*;
use crate::protocol::testing::Harness;
use crate::protocol::{ANOMALY, Transport};
use crate::secrets::Secrets;

fn element(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = body.len() as u16;
    if length < 128 {
        [&[tag, length as u8][..], body].concat()
    } else {
        [&[tag, 0x82][..], &length.to_be_bytes(), body].concat()
    }
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

fn name(cn: &[u8], tag: u8) -> Vec<u8> {
    sequence(&[element(0x31, &sequence(&[element(6, &[0x55, 4, 3]), element(tag, cn)]))])
}

const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];

fn certificate_of(curve: Vec<u8>, not_after: &[u8]) -> Vec<u8> {
    let alt = sequence(&[element(0x82, b"Www.Example.com"), element(0x87, &[192, 0, 2, 1])]);
    let extensions = sequence(&[sequence(&[element(6, &[0x55, 0x1d, 17]), element(4, &alt)])]);
    let signed = sequence(&[
        element(0xa0, &element(2, &[2])),
        element(2, &[0, 0xff]),
        sequence(&[element(6, &[0x2a])]),
        name(b"Ca\xe9", 0x14),
        sequence(&[element(0x17, b"231101000000Z"), element(0x17, not_after)]),
        name(b"\x00W\x00w\x00w", 0x1e),
        sequence(&[sequence(&[element(6, names::EC_PUBLIC_KEY), curve]), element(3, &[0, 4])]),
        element(0xa3, &extensions),
    ]);
    sequence(&[signed, sequence(&[]), element(3, &[0])])
}

fn add_all(ders: &[&[u8]]) -> Harness {
    let mut harness = Harness::new(Transport::Tcp, 443);
    let mut flow = Flow {
        ends: harness.ends,
        fields: &mut harness.fields,
        protocols: &mut harness.protocols,
        added: Vec::new(),
        secrets: &Secrets::default(),
        depth: 0,
        offset: 0,
    };
    ders.iter().for_each(|der| add(&mut flow, der));
    harness
}

fn only(harness: &mut Harness) -> Fields {
    let certs = harness.fields.objects_mut(&CERT);
    assert_eq!(certs.len(), 1);
    certs[0].clone()
}

fn text(cert: &Fields, field: &Field) -> String {
    match cert.get(field) {
        Some(Values::Texts(texts)) => texts.items.join(","),
        Some(Values::Ints(ints)) => ints[0].to_string(),
        _ => String::new(),
    }
}

#[test]
fn a_certificate_is_told_once_and_in_full() {
    let der = certificate_of(element(6, P256), b"231201000000Z");
    let mut harness = add_all(&[&der, &der]);
    assert!(harness.texts(&ANOMALY).is_empty());
    let cert = only(&mut harness);
    let wanted: &[(&Field, &str)] = &[
        (&SERIAL, "00ff"),
        (&ISSUER_CN, "ca\u{e9}"),
        (&SUBJECT_CN, "www"),
        (&ALT, "www.example.com"),
        (&CURVE, "prime256v1"),
        (&ALGORITHM, "id-ecPublicKey"),
        (&VALID_DAYS, "30"),
        (&REMAINING_DAYS, "16"),
        (&NOT_AFTER, "1701388800000"),
    ];
    wanted.iter().for_each(|(field, value)| assert_eq!(text(&cert, field), *value, "{}", field.document));
}

#[test]
fn a_curve_spelled_out_is_corrupt() {
    let der = certificate_of(sequence(&[element(2, &[1])]), b"231201000000Z");
    assert_eq!(text(&only(&mut add_all(&[&der])), &CURVE), "corrupt");
}

#[test]
fn a_bad_time_does_not_hide_the_rest() {
    let mut harness = add_all(&[&certificate_of(element(6, P256), b"never")]);
    assert_eq!(harness.texts(&ANOMALY), ["cert-corrupt"]);
    let cert = only(&mut harness);
    assert_eq!((text(&cert, &SUBJECT_CN), text(&cert, &NOT_AFTER)), ("www".into(), String::new()));
}

#[test]
fn every_cut_certificate_is_kept_by_its_hash() {
    let der = certificate_of(element(6, P256), b"231201000000Z");
    for end in 0..der.len() {
        let cert = only(&mut add_all(&[der.get(..end).unwrap()]));
        assert_eq!(text(&cert, &HASH).len(), 59);
    }
}
