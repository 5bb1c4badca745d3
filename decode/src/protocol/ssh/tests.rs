use super::*;
use crate::protocol::Transport;
use crate::protocol::testing::Harness;

fn string(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u32).to_be_bytes()[..], text].concat()
}

fn packet(payload: &[u8]) -> Vec<u8> {
    let padding = 8;
    let length = (1 + payload.len() + padding) as u32;
    [&length.to_be_bytes()[..], &[padding as u8], payload, &[0; 8]].concat()
}

fn kexinit() -> Vec<u8> {
    let lists = ["kex", "host", "enc-c", "enc-s", "mac-c", "mac-s", "none", "zlib", "", ""];
    let mut payload = [&[KEXINIT][..], &[7; 16]].concat();
    lists.iter().for_each(|l| payload.extend(string(l.as_bytes())));
    payload.extend([0; 5]);
    packet(&payload)
}

fn server() -> Vec<u8> {
    let key = [string(b"ssh-ed25519"), string(&[1; 32])].concat();
    let reply = [&[KEX_REPLY][..], &string(&key), &string(b"f"), &string(b"signature")].concat();
    [b"hello\r\nSSH-2.0-OpenSSH_9.6\r\n".to_vec(), kexinit(), packet(&reply), packet(&[NEWKEYS]), vec![0xff; 99]]
        .concat()
}

fn run(chunk: usize) -> Harness {
    let mut harness = Harness::new(Transport::Tcp, 22);
    let client = [b"SSH-2.0-Client 1\n".to_vec(), kexinit()].concat();
    harness.data(Direction::Client, client.get(..4).unwrap());
    client.get(4..).unwrap().chunks(chunk).for_each(|c| harness.data(Direction::Client, c));
    server().chunks(chunk).for_each(|c| harness.data(Direction::Server, c));
    harness
}

#[test]
fn split_anywhere_it_tells_the_same() {
    for chunk in [1, 2, 3, 5, 7, 64, 4096] {
        let harness = run(chunk);
        assert_eq!(harness.protocols, ["ssh"]);
        assert_eq!(harness.texts(&VERSION), ["ssh-2.0-client 1", "ssh-2.0-openssh_9.6"]);
        assert_eq!(harness.texts(&HASSH), [md5_hex("kex;enc-c;mac-c;none")]);
        assert_eq!(harness.texts(&HASSH_SERVER), [md5_hex("kex;enc-s;mac-s;zlib")]);
        let key = STANDARD.decode(harness.texts(&KEY)[0]).unwrap();
        assert!(key.starts_with(b"\0\0\0\x0bssh-ed25519"));
        assert!(harness.texts(&super::super::ANOMALY).is_empty());
    }
}

#[test]
fn the_group_of_a_group_exchange_is_no_key() {
    let mut harness = Harness::new(Transport::Tcp, 22);
    let group = [&[KEX_REPLY][..], &string(&[0xc3; 128]), &string(&[2])].concat();
    harness.data(Direction::Server, &[b"SSH-2.0-x\r\n".to_vec(), packet(&group)].concat());
    assert!(harness.texts(&KEY).is_empty());
}

#[test]
fn a_packet_too_long_ends_the_reading_with_an_anomaly() {
    let mut harness = Harness::new(Transport::Tcp, 22);
    harness.data(Direction::Client, b"SSH-2.0-x\r\n\xff\xff\xff\xff");
    harness.data(Direction::Client, &[0; 100]);
    assert_eq!(harness.texts(&super::super::ANOMALY), ["ssh-packet-length"]);
}
