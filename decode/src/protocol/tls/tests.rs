use super::*;
use crate::protocol::testing::Harness;
use crate::protocol::{ANOMALY, Transport};
use crate::secrets::LABELS;

/// A hello of TLS 1.2 offering two suites, one GREASE suite, a name, groups, formats, ALPN and signatures.
pub fn client_hello(cookie: bool) -> Vec<u8> {
    let mut body = b"\x03\x03".to_vec();
    body.extend([7; 32]);
    body.extend(b"\x02\xab\xcd");
    if cookie {
        body.extend(b"\x01\x09");
    }
    body.extend(b"\x00\x06\x0a\x0a\x13\x01\xc0\x2f\x01\x00");
    let extensions: &[(u16, &[u8])] = &[
        (0x1a1a, b""),
        (0, b"\x00\x0e\x00\x00\x0bExample.COM"),
        (10, b"\x00\x04\x2a\x2a\x00\x1d"),
        (11, b"\x01\x00"),
        (16, b"\x00\x0c\x02h2\x08http/1.1"),
        (13, b"\x00\x04\x04\x03\x08\x04"),
    ];
    let mut list = Vec::new();
    for (kind, data) in extensions {
        list.extend(kind.to_be_bytes());
        list.extend((data.len() as u16).to_be_bytes());
        list.extend(*data);
    }
    body.extend((list.len() as u16).to_be_bytes());
    body.extend(list);
    body
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 0][..], &(body.len() as u16).to_be_bytes(), body].concat()
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 1][..], &(body.len() as u16).to_be_bytes(), body].concat()
}

fn server_hello(extensions: &[u8]) -> Vec<u8> {
    let length = (extensions.len() as u16).to_be_bytes();
    [&b"\x03\x03"[..], &[8; 32], b"\x01\xee\xc0\x2f\x00", &length, extensions].concat()
}

fn run(client: &[u8], server: &[u8], chunk: usize) -> Harness {
    let mut harness = Harness::new(Transport::Tcp, 443);
    client.chunks(chunk).for_each(|c| harness.data(Direction::Client, c));
    server.chunks(chunk).for_each(|c| harness.data(Direction::Server, c));
    harness
}

const JA3_EXPECTED: &str = "771,4865-49199,0-10-11-16-13,29,0";

#[test]
fn split_anywhere_the_hellos_tell_the_same() {
    let client = record(22, &message(1, &client_hello(false)));
    let server = [record(22, &message(2, &server_hello(b"\xff\x01\x00\x01\x00"))), record(20, &[1])].concat();
    for chunk in 1..80 {
        let harness = run(&client, &server, chunk);
        assert_eq!(harness.protocols, ["tls"]);
        assert_eq!(harness.texts(&HOST), ["example.com"]);
        assert_eq!(harness.texts(&JA3_TEXT), [JA3_EXPECTED]);
        assert_eq!(harness.texts(&JA3), [fingerprint::md5_hex(JA3_EXPECTED)]);
        assert_eq!(harness.texts(&JA4_RAW), ["t12d0205h2_1301,c02f_000a,000b,000d_0403,0804"]);
        assert_eq!(harness.texts(&CLIENT_SESSION), ["abcd"]);
        assert_eq!(harness.texts(&SERVER_SESSION), ["ee"]);
        assert_eq!(harness.texts(&JA3S_TEXT), ["771,49199,65281"]);
        assert_eq!(harness.texts(&VERSION), ["TLSv1.2"]);
        assert_eq!(harness.texts(&CIPHER), ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]);
        assert!(harness.texts(&ANOMALY).is_empty());
    }
}

#[test]
fn a_hello_split_over_records_is_one_hello() {
    let message = message(1, &client_hello(false));
    for at in 1..message.len() {
        let (head, tail) = message.split_at(at);
        let harness = run(&[record(22, head), record(22, tail)].concat(), b"", 4096);
        assert_eq!(harness.texts(&JA3_TEXT), [JA3_EXPECTED], "split at {at}");
    }
}

#[test]
fn the_version_of_tls_1_3_is_in_the_extension() {
    let server = record(22, &message(2, &server_hello(b"\x00\x2b\x00\x02\x03\x04")));
    assert_eq!(run(b"", &server, 4096).texts(&VERSION), ["TLSv1.3"]);
}

#[test]
fn a_hello_in_the_dress_of_ssl_2_names_the_protocol_and_records_go_on_behind_it() {
    let hello = [&b"\x80\x1f\x01\x03\x01\x00\x06\x00\x00\x00\x10\x01\x00\x80\x00\x00\x2f"[..], &[9; 16]].concat();
    let later = record(22, &message(1, &client_hello(false)));
    let harness = run(&[hello, later].concat(), b"", 4096);
    assert_eq!(harness.protocols, ["tls"]);
    assert_eq!(harness.texts(&JA3_TEXT), [JA3_EXPECTED]);
}

#[test]
fn what_only_begins_like_a_record_is_not_tls() {
    for data in [&b"\x16\x03\x01\x00\x10\x07"[..], b"\x16\x04\x01\x00\x10\x01", b"\x16", b"\x16\x03\x05"] {
        assert!(run(data, b"", 4096).protocols.is_empty());
    }
}

#[test]
fn records_too_long_or_broken_are_anomalies_and_end_the_reading() {
    let hello = record(22, &message(1, &client_hello(false)));
    let long = [hello.clone(), vec![22, 3, 1, 0xff, 0xff]].concat();
    assert_eq!(run(&long, b"", 7).texts(&ANOMALY), ["tls-record-too-long"]);
    let broken = [hello, b"GET / HTTP/1.1".to_vec()].concat();
    assert_eq!(run(&broken, b"", 4096).texts(&ANOMALY), ["tls-bad-record"]);
}

/// Whatever stands where sealed records are expected, a key that does not open it breaks nothing.
#[test]
fn noise_under_known_keys_closes_the_session_and_no_more() {
    let modern = &b"\x00\x2b\x00\x02\x03\x04"[..];
    for (extensions, early) in [(&b""[..], &b""[..]), (modern, b""), (modern, b"\x00\x2a\x00\x00")] {
        for seed in 0..400_u32 {
            let noise = |at: u32| (at.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 11) as u8;
            let mut hello = client_hello(false);
            let list = hello.len() - 70; // the length of its extensions
            hello.extend(early);
            let length = (hello.len() - list - 2) as u16;
            hello[list..list + 2].copy_from_slice(&length.to_be_bytes());
            let mut harness = Harness::new(Transport::Tcp, 443);
            let logged = LABELS.map(|(label, _)| format!("{label} {} {}\n", "07".repeat(32), "00".repeat(48))).concat();
            harness.secrets.add(logged.as_bytes()).expect("a key log");
            harness.data(Direction::Client, &record(22, &message(1, &hello)));
            harness.data(Direction::Server, &record(22, &message(2, &server_hello(extensions))));
            for turn in 0..6 {
                let body: Vec<u8> = (0..u32::from(noise(turn))).map(|at| noise(at * 7 + turn)).collect();
                let direction = if noise(turn + 9) & 1 == 0 { Direction::Client } else { Direction::Server };
                harness.data(direction, &record(20 + noise(turn + 3) % 5, &body));
            }
            harness.finish();
            assert_eq!(harness.protocols, ["tls"]);
            assert!(harness.texts(&crate::protocol::TAGS).is_empty());
        }
    }
}

#[test]
fn every_cut_hello_is_read_without_a_panic() {
    let hello = client_hello(false);
    for end in 0..hello.len() {
        let client = record(22, &message(1, hello.get(..end).unwrap()));
        assert_eq!(run(&client, b"", 4096).protocols, ["tls"]);
    }
}
