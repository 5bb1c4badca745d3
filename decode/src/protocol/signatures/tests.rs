use super::*;
use crate::protocol::testing::Harness;
use crate::protocol::{Direction, Flow, Transport};
use crate::secrets::Secrets;

fn names(transport: Transport, port: u16, data: &[u8]) -> Vec<&'static str> {
    let mut harness = Harness::new(transport, port);
    harness.data(Direction::Client, data);
    harness.protocols
}

fn named(transport: Transport, port: u16, data: &[u8], name: &str) {
    assert!(names(transport, port, data).contains(&name), "{name}: {:?}", String::from_utf8_lossy(data));
}

#[test]
fn first_bytes_name_tcp_protocols() {
    let cases: &[(&str, &[u8])] = &[
        ("bittorrent", b"\x13BitTorrent protocol\0\0\0\0"),
        ("rsync", b"@RSYNCD: 31.0\n"),
        ("vnc", b"RFB 003.008\n"),
        ("redis", b"*1\r\n$4\r\nPING\r\n"),
        ("jabber", b"<?xml version='1.0'?><stream:stream xmlns='jabber:client'>"),
        ("telnet", b"\xff\xfd\x03\xff\xfb\x1f"),
        ("bitcoin", b"\xf9\xbe\xb4\xd9version\0\0\0\0\0\x65\0\0\0"),
        ("thrift", b"\x80\x01\0\x01\0\0\0\x04ping\0\0\0\0\0"),
        ("cassandra", b"\0\0\0\x25\x80\x01\0\x01\0\0\0\x0cset_keyspace\0\0\0\0"),
        ("aerospike", b"\x02\x01\0\0\0\0\0\x05node\n"),
        ("kafka", b"\0\0\0\x12\0\x03\0\0\0\0\0\x01\0\x04test\0\0\0\0"),
        ("mongo", b"\x3b\0\0\0\0\0\0\0\0\0\0\0\xd4\x07\0\0\0\0\0\0admin.$cmd\0"),
        ("gh0st", b"Gh0st\x15\0\0\0\x01\0\0\0x\x9c\0\0\0\0\0\0"),
        ("gh0st", b"ABCDE\x15\0\0\0\x01\0\0\0x\x9c\0\0\0\0\0\0"),
        ("tacacs", b"\xc0\x01\x01\x00\0\0\0\x01\0\0\0\x02ab"),
        ("git", b"0033git-upload-pack /a\0host=b\0"),
        ("syslog", b"<34>Oct 11 22:14:15 host su: failed"),
        ("stratum", b"{\"id\": 1, \"method\": \"mining.subscribe\"}\n"),
    ];
    cases.iter().for_each(|(name, data)| named(Transport::Tcp, 40001, data, name));
}

#[test]
fn first_bytes_name_udp_protocols() {
    let mut hello = [0; 148];
    hello[0] = 1;
    let cases: &[(&str, u16, &[u8])] = &[
        ("bittorrent", 6881, b"d1:q4:ping1:t2:aa1:y1:qe"),
        ("bittorrent", 6969, b"\0\0\x04\x17\x27\x10\x19\x80\0\0\0\0\x12\x34\x56\x78"),
        ("wireguard", 51820, &hello),
        ("tailscale", 41641, b"TS\xf0\x9f\x92\xac and a key"),
        ("rip", 520, &[&b"\x02\x02\0\0"[..], &[0; 20]].concat()),
        ("l2tp", 1701, b"\xc8\x02\0\x0c\0\0\0\0\0\0\0\0"),
        ("bfd", 3784, &[&b"\x20\xc0\x03\x18"[..], &[0; 20]].concat()),
        ("syslog", 514, b"<191>x"),
        ("netflow", 2055, &[&b"\0\x05\0\x01"[..], &[0; 68]].concat()),
        ("netflow", 2055, &[&b"\0\x09\0\x01"[..], &[7; 16], &[0, 0, 0, 8, 1, 0, 0, 1]].concat()),
        ("ipfix", 4739, &[&b"\0\x0a\0\x18"[..], &[7; 12], &[0, 2, 0, 8, 1, 0, 0, 1]].concat()),
        ("sflow", 6343, &[&b"\0\0\0\x05\0\0\0\x01"[..], &[0; 20]].concat()),
        ("coap", 5683, b"\x44\x01\x12\x34abcd"),
    ];
    cases.iter().for_each(|(name, port, data)| named(Transport::Udp, *port, data, name));
}

#[test]
fn a_stun_request_is_not_the_first_netflow() {
    let request = b"\0\x01\0\x18EX\x9a\x04\x9de#\x14'C\xe2$qJ\x8c.\x01\x01\0\x1412345678901234567890";
    assert_eq!(names(Transport::Udp, 3478, request), ["stun"]);
}

#[test]
fn what_only_resembles_a_protocol_is_not_named() {
    let cases: &[(Transport, &[u8])] = &[
        (Transport::Tcp, b"<192>x"),
        (Transport::Tcp, b"<html>"),
        (Transport::Tcp, b"*nothing"),
        (Transport::Tcp, b"\xf9\xbe\xb4\xd9\0\0\0\0"),
        (Transport::Tcp, b"\0\0\0\x12\0\x03\0\0\0\0\0\x01\0\x04\0\0\0\0"),
        (Transport::Udp, b"\x01\0\0\0 short"),
    ];
    cases.iter().for_each(|(transport, data)| assert!(names(*transport, 40001, data).is_empty(), "{data:?}"));
}

#[test]
fn no_check_panics_on_short_or_odd_data() {
    let checks: &[Check] = &[
        tcp::dicom,
        tcp::rtmp,
        tcp::bitcoin,
        tcp::ajp,
        tcp::teamviewer,
        tcp::iscsi,
        tcp::skinny,
        tcp::tacacs,
        tcp::edonkey,
        tcp::telnet,
        tcp::nntp,
        tcp::jabber,
        tcp::git,
        tcp::syslog,
        tcp::t3,
        tcp::stratum,
        tcp::pptp,
        tcp::gh0st,
        tcp::line,
        database::aerospike,
        database::thrift,
        database::framed_thrift,
        database::cassandra_thrift,
        database::cassandra,
        database::drda,
        database::kafka,
        database::mongo,
        database::memcached,
        udp::wireguard,
        udp::netflow,
        udp::ipfix,
        udp::sflow,
        udp::syslog,
        udp::ws_discovery,
        udp::tracker,
        udp::slp,
        udp::rip,
        udp::l2tp,
        udp::bfd,
        udp::hsrp,
        udp::nat_pmp,
        udp::coap,
        udp::memcached,
    ];
    let mut harness = Harness::new(Transport::Tcp, 80);
    let flow = Flow {
        ends: harness.ends,
        fields: &mut harness.fields,
        protocols: &mut harness.protocols,
        added: Vec::new(),
        secrets: &Secrets::default(),
        depth: 0,
        offset: 0,
    };
    for length in 0..32 {
        for byte in 0..=255u8 {
            let data = vec![byte; length];
            checks.iter().for_each(|check| {
                check(&flow, &data);
            });
        }
    }
}
