use super::*;
use crate::protocol::reader::hex;
use crate::protocol::testing::Harness;
use crate::protocol::tls::tests::client_hello;
use crate::protocol::{ANOMALY, Transport, http, tls};

const CONNECTION: &[u8] = &[0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];

fn keys(number: u32) -> Keys {
    Keys::of_client(&initial::version(number).unwrap(), CONNECTION).unwrap()
}

#[test]
fn keys_are_those_of_the_standards() {
    assert_eq!(
        keys(1).as_hex(),
        ["1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c", "9f50449e04a0e810283a1e9933adedd2"]
    );
    assert_eq!(
        keys(0x6b33_43cf).as_hex(),
        ["8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f", "45b95e15235d6f45a6b19cbcb0294ba9"]
    );
    assert_eq!(hex(CONNECTION).len(), 16);
}

/// A frame of handshake bytes.
fn crypto(offset: u16, piece: &[u8]) -> Vec<u8> {
    let two = |n: u16| (n | 0x4000).to_be_bytes();
    [&[6][..], &two(offset), &two(piece.len() as u16), piece].concat()
}

fn handshake() -> Vec<u8> {
    let hello = client_hello(false);
    [&[1, 0][..], &(hello.len() as u16).to_be_bytes(), &hello].concat()
}

fn assert_told(harness: &Harness) {
    assert_eq!(harness.protocols, ["quic"]);
    assert_eq!(harness.texts(&http::fields::HOST), ["example.com"]);
    assert_eq!(harness.texts(&tls::JA4_RAW), ["q12d0205h2_1301,c02f_000a,000b,000d_0403,0804"]);
    assert!(harness.texts(&ANOMALY).is_empty());
}

#[test]
fn a_hello_in_pieces_over_packets_is_one_hello() {
    let hello = handshake();
    for number in [1, 0x6b33_43cf, 0xff00_001d, 0xff00_0017] {
        for at in (1..hello.len()).step_by(7) {
            let (head, tail) = hello.split_at(at);
            let second = [&[0, 1, 2, 0, 0, 0, 0][..], &crypto(at as u16, tail)].concat();
            let mut harness = Harness::new(Transport::Udp, 443);
            harness.data(Direction::Client, &keys(number).seal(number, CONNECTION, 1, &second));
            harness.data(Direction::Client, &keys(number).seal(number, CONNECTION, 2, &crypto(0, head)));
            assert_told(&harness);
        }
    }
}

#[test]
fn packets_in_one_datagram_are_all_read() {
    let hello = handshake();
    let (head, tail) = hello.split_at(20);
    let first = keys(1).seal(1, CONNECTION, 0, &crypto(0, head));
    let second = keys(1).seal(1, CONNECTION, 1, &crypto(20, tail));
    let mut harness = Harness::new(Transport::Udp, 443);
    harness.data(Direction::Client, &[first, second].concat());
    assert_told(&harness);
}

#[test]
fn what_does_not_open_is_not_named() {
    let mut packet = keys(1).seal(1, CONNECTION, 0, &crypto(0, &handshake()));
    let last = packet.len() - 1;
    packet[last] ^= 1;
    let mut harness = Harness::new(Transport::Udp, 443);
    harness.data(Direction::Client, &packet);
    assert!(harness.protocols.is_empty());
    for end in 0..packet.len() {
        Harness::new(Transport::Udp, 443).data(Direction::Client, packet.get(..end).unwrap());
    }
}

fn chlo(tags: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut table = [&b"CHLO"[..], &(tags.len() as u16).to_le_bytes(), &[0, 0]].concat();
    let mut values = Vec::new();
    for (tag, value) in tags {
        values.extend(*value);
        table.extend(*tag);
        table.extend((values.len() as u32).to_le_bytes());
    }
    [table, values].concat()
}

#[test]
fn google_hellos_tell_host_and_user_agent() {
    let hello = chlo(&[(b"PAD\0", b"---"), (b"SNI\0", b"Example.com"), (b"UAID", b"Chrome/1")]);
    let old = [&b"\x0d\x01\x02\x03\x04\x05\x06\x07\x08Q043\x01"[..], &[0; 12], b"\x80\x01", &hello].concat();
    let long = [&b"\xc3Q046\x50\x01\x02\x03\x04\x05\x06\x07\x08\0\0\0\x01"[..], &[0; 12], b"\x80\x01", &hello].concat();
    let sealed = keys(0x5130_3530).seal(0x5130_3530, CONNECTION, 1, &[b"\x08\0\x40\x40", &hello[..]].concat());
    for (data, version) in [(old, "Q043"), (long, "Q046"), (sealed, "Q050")] {
        let mut harness = Harness::new(Transport::Udp, 443);
        harness.data(Direction::Client, &data);
        assert_eq!(harness.protocols, ["quic"]);
        assert_eq!(harness.texts(&VERSION), [version]);
        assert_eq!(harness.texts(&HOST), ["example.com"]);
        assert_eq!(harness.texts(&USER_AGENT), ["Chrome/1"]);
        for end in 0..data.len() {
            Harness::new(Transport::Udp, 443).data(Direction::Client, data.get(..end).unwrap());
        }
    }
}

#[test]
fn zero_over_tcp_may_be_cut_anywhere() {
    let hello = chlo(&[(b"SNI\0", b"graph.example")]);
    let data = [&b"1QTV0"[..], &(hello.len() as u32).to_le_bytes(), &hello].concat();
    for at in 4..data.len() {
        let mut harness = Harness::new(Transport::Tcp, 443);
        let (head, tail) = data.split_at(at);
        harness.data(Direction::Client, head);
        harness.data(Direction::Client, tail);
        assert_eq!(harness.protocols, ["fbzero", "quic"]);
        assert_eq!(harness.texts(&HOST), ["graph.example"]);
    }
}
