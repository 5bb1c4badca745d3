//! Offers of both versions.

use super::*;
use crate::protocol::Transport;
use crate::protocol::testing::Harness;

fn message(next: u8, version: u8, exchange: u8, payloads: &[u8]) -> Vec<u8> {
    let length = ((HEADER + payloads.len()) as u32).to_be_bytes();
    [
        b"\x11\x22\x33\x44\x55\x66\x77\x88\0\0\0\0\0\0\0\0",
        &[next, version, exchange, 8, 0, 0, 0, 0][..],
        &length,
        payloads,
    ]
    .concat()
}

const OFFER_V1: &[u8] = b"\x0d\0\0\x2c\0\0\0\x01\0\0\0\x01\0\0\0\x20\x01\x01\0\x01\0\0\0\x18\x01\x01\0\0\
    \x80\x01\0\x07\x80\x02\0\x02\x80\x03\0\x01\x80\x04\0\x02\0\0\0\x18MS-Negotiation Disco";
const OFFER_V2: &[u8] = b"\0\0\0\x24\0\0\0\x20\x01\x01\0\x03\x03\0\0\x08\x01\0\0\x14\x03\0\0\x08\x02\0\0\x05\
    \0\0\0\x08\x04\0\0\x1f";

#[test]
fn version_1_offers_attributes() {
    let mut harness = Harness::new(Transport::Udp, 500);
    harness.data(Direction::Client, &message(1, 0x10, 2, OFFER_V1));
    assert_eq!(harness.protocols, ["isakmp"]);
    assert_eq!(harness.texts(&EXCHANGE_TYPE), ["identity-protection"]);
    assert_eq!(harness.texts(&VERSION), ["1.0"]);
    assert_eq!(harness.texts(&INITIATOR_SPI), ["1122334455667788"]);
    assert!(harness.texts(&RESPONDER_SPI).is_empty());
    assert_eq!(harness.texts(&ENCRYPTION), ["aes-cbc"]);
    assert_eq!(harness.texts(&HASH), ["sha1"]);
    assert_eq!(harness.texts(&AUTH_METHOD), ["psk"]);
    assert_eq!(harness.texts(&DH_GROUP), ["modp1024"]);
    assert_eq!(harness.texts(&VENDOR_ID), ["4d532d4e65676f74696174696f6e2044"]);
}

#[test]
fn version_2_offers_transforms() {
    let mut harness = Harness::new(Transport::Udp, 500);
    harness.data(Direction::Client, &message(33, 0x20, 34, OFFER_V2));
    assert_eq!(harness.texts(&EXCHANGE_TYPE), ["ike-sa-init"]);
    assert_eq!(harness.texts(&ENCRYPTION), ["aes-gcm-16"]);
    assert_eq!(harness.texts(&HASH), ["prf-hmac-sha2-256"]);
    assert_eq!(harness.texts(&DH_GROUP), ["curve25519"]);
}

#[test]
fn behind_nat_messages_come_after_encrypted_data() {
    let mut harness = Harness::new(Transport::Udp, 4500);
    harness.data(Direction::Client, &[0xde; 32]);
    harness.data(Direction::Server, &[0xad; 32]);
    assert!(harness.protocols.is_empty());
    harness.data(Direction::Client, &[&[0; 4][..], &message(33, 0x20, 34, OFFER_V2)].concat());
    assert_eq!(harness.protocols, ["isakmp"]);
    assert_eq!(harness.texts(&VERSION), ["2.0"]);
}

#[test]
fn a_message_cut_or_spoilt_anywhere_does_no_harm() {
    for (whole, next) in [(message(1, 0x10, 2, OFFER_V1), 1), (message(33, 0x20, 34, OFFER_V2), 33)] {
        assert_eq!(whole[16], next);
        for at in 0..whole.len() {
            let mut harness = Harness::new(Transport::Udp, 500);
            harness.data(Direction::Client, &whole);
            harness.data(Direction::Client, &whole[..at]);
            for byte in [0, 1, 0x80, 0xff] {
                let mut spoilt = whole.clone();
                spoilt[at] = byte;
                harness.data(Direction::Server, &spoilt);
            }
        }
    }
}
