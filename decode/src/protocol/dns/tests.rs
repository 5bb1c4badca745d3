//! What whole messages make of a session.

use super::*;
use crate::protocol::Transport;
use crate::protocol::testing::Harness;
use crate::values::{Fields, Values};

const NAME: &[u8] = b"\x03www\x07Example\x03org\x00";

fn message(id: u16, flags: u16, counts: [u16; 4], body: &[&[u8]]) -> Vec<u8> {
    let mut data = Vec::new();
    for number in [[id, flags].as_slice(), &counts].concat() {
        data.extend_from_slice(&number.to_be_bytes());
    }
    body.iter().for_each(|part| data.extend_from_slice(part));
    data
}

fn question(kind: u16) -> Vec<u8> {
    [NAME, &kind.to_be_bytes(), &[0, 1]].concat()
}

fn record(name: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u16).to_be_bytes();
    [name, &kind.to_be_bytes(), &[0, 1, 0, 0, 1, 0x2c], &length, data].concat()
}

fn query(id: u16) -> Vec<u8> {
    message(id, 0x0100, [1, 0, 0, 0], &[&question(1)])
}

/// A CNAME to `a.example.org`, its address, a name server and that one's address.
fn response(id: u16) -> Vec<u8> {
    let body = [
        question(1),
        record(b"\xc0\x0c", 5, b"\x01a\xc0\x10"),
        record(b"\x01a\xc0\x10", 1, &[192, 0, 2, 7]),
        record(b"\xc0\x10", 2, b"\x02ns\xc0\x10"),
        record(b"\x02ns\xc0\x10", 1, &[192, 0, 2, 53]),
        record(b"\x00", 1, &[192, 0, 2, 99]),
    ];
    message(id, 0x8180, [1, 2, 1, 2], &body.each_ref().map(|part| part.as_slice()))
}

fn objects(harness: &mut Harness) -> &mut [Fields] {
    harness.fields.objects_mut(&DNS)
}

fn texts<'a>(object: &'a Fields, field: &Field) -> Vec<&'a str> {
    match object.get(field) {
        Some(Values::Texts(list)) => list.items.iter().map(|item| &**item).collect(),
        _ => Vec::new(),
    }
}

fn udp() -> Harness {
    Harness::new(Transport::Udp, 53)
}

#[test]
fn a_question_and_its_answers_are_one_object() {
    let mut harness = udp();
    harness.data(Direction::Client, &query(7));
    harness.data(Direction::Client, &query(7));
    harness.data(Direction::Server, &response(7));
    assert_eq!(harness.protocols, ["dns"]);
    let [object] = objects(&mut harness) else { panic!("one transaction") };
    assert_eq!(texts(object, &QUERY_HOST), ["www.example.org"]);
    assert_eq!(texts(object, &HOST), ["www.example.org", "a.example.org"]);
    assert_eq!(texts(object, &NS_HOST), ["ns.example.org"]);
    assert_eq!(texts(object, &STATUS), ["NOERROR"]);
    assert_eq!(texts(object, &HEADER_FLAGS), ["RD", "RA"]);
    assert!(
        matches!(object.get(&IPS), Some(Values::Ips(ips)) if ips[..] == ["192.0.2.7".parse::<std::net::IpAddr>().unwrap()])
    );
    assert!(matches!(object.get(&NS_IP), Some(Values::Ips(ips)) if ips.len() == 1));
    assert!(matches!(object.get(&ANSWER_COUNT), Some(Values::Ints(count)) if count[..] == [5]));
}

#[test]
fn messages_with_another_id_are_another_transaction() {
    let mut harness = udp();
    harness.data(Direction::Client, &query(7));
    harness.data(Direction::Client, &query(8));
    harness.data(Direction::Server, &response(8));
    let list = objects(&mut harness);
    assert_eq!(list.len(), 2);
    assert!(!list[0].has(&STATUS) && list[1].has(&STATUS));
}

#[test]
fn a_response_without_records_says_that_it_has_none() {
    let mut harness = udp();
    harness.data(Direction::Server, &message(7, 0x8583, [1, 0, 0, 0], &[&question(1)]));
    let [object] = objects(&mut harness) else { panic!("one transaction") };
    assert!(matches!(object.get(&ANSWER_COUNT), Some(Values::Ints(count)) if count[..] == [0]));
    assert_eq!(texts(object, &STATUS), ["NXDOMAIN"]);
}

#[test]
fn the_extended_status_comes_from_the_option_record() {
    let mut harness = udp();
    let option = b"\x00\x00\x29\x10\x00\x01\x00\x00\x00\x00\x00";
    harness.data(Direction::Server, &message(7, 0x8180, [1, 0, 0, 1], &[&question(1), option]));
    let [object] = objects(&mut harness) else { panic!("one transaction") };
    assert_eq!(texts(object, &STATUS), ["BADSIG_VERS"]);
    assert!(!object.has(&ANSWERS));
}

#[test]
fn a_stream_may_be_cut_at_each_byte() {
    let framed = |data: Vec<u8>| [&(data.len() as u16).to_be_bytes()[..], &data].concat();
    let client = [framed(query(7)), framed(query(8))].concat();
    let server = [framed(response(8)), framed(response(7))].concat();
    for cut in 1..server.len() {
        let mut harness = Harness::new(Transport::Tcp, 53);
        let first = cut.min(client.len() - 1);
        harness.data(Direction::Client, &client[..first]);
        harness.data(Direction::Client, &client[first..]);
        harness.data(Direction::Server, &server[..cut]);
        harness.data(Direction::Server, &server[cut..]);
        assert_eq!(harness.protocols, ["dns"]);
        let list = objects(&mut harness);
        assert_eq!(list.len(), 2, "cut at {cut}");
        assert!(list.iter().all(|object| object.has(&STATUS)), "cut at {cut}");
    }
}

#[test]
fn what_is_no_dns_is_not_called_so() {
    for data in [
        &[0; 40][..],
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x00\x01",
    ] {
        for transport in [Transport::Udp, Transport::Tcp] {
            let mut harness = Harness::new(transport, 53);
            harness.data(Direction::Client, data);
            assert!(!harness.protocols.contains(&"dns"), "{transport:?} {data:?}");
        }
    }
}

#[test]
fn a_message_cut_or_spoilt_anywhere_does_no_harm() {
    let whole = response(7);
    for at in 0..whole.len() {
        let mut harness = udp();
        harness.data(Direction::Server, &whole[..at]);
        for byte in [0x00, 0x3f, 0x40, 0xc0, 0xff] {
            let mut spoilt = whole.clone();
            spoilt[at] = byte;
            harness.data(Direction::Server, &spoilt);
        }
        harness.finish();
    }
}

#[test]
fn a_name_that_points_at_itself_is_an_anomaly() {
    let mut harness = udp();
    harness.data(Direction::Server, &message(7, 0x8180, [1, 1, 0, 0], &[&question(1), b"\xc0\x21"]));
    assert_eq!(harness.texts(&crate::protocol::ANOMALY), ["dns-name-loop"]);
}

#[test]
fn multicast_answers_need_no_question() {
    let mut harness = Harness::new(Transport::Udp, 5353);
    let mut answer = record(NAME, 1, &[192, 0, 2, 7]);
    answer[NAME.len() + 2] = 0x80;
    harness.data(Direction::Client, &message(0, 0x8400, [0, 1, 0, 0], &[&answer]));
    harness.data(Direction::Client, &message(0, 0x8400, [0, 1, 0, 0], &[&answer]));
    assert_eq!(harness.protocols, ["mdns"]);
    let [object] = objects(&mut harness) else { panic!("one transaction") };
    assert_eq!(texts(object, &QUERY_HOST), ["<root>"]);
    assert!(!object.has(&QUERY_TYPE) && !object.has(&IPS));
    assert!(matches!(object.get(&ANSWER_COUNT), Some(Values::Ints(count)) if count[..] == [2]));
}

#[test]
fn a_flood_of_questions_is_bounded() {
    let mut harness = udp();
    for id in 0..2_000 {
        harness.data(Direction::Client, &query(id));
        harness.data(Direction::Server, &response(id));
    }
    assert_eq!(objects(&mut harness).len(), crate::limits::MAX_OBJECTS);
    assert!(harness.fields.overflow);
}

#[test]
fn a_session_written_in_segments_goes_on_telling() {
    let mut harness = udp();
    harness.data(Direction::Client, &query(7));
    harness.data(Direction::Client, &query(8));
    harness.fields.remove(&DNS);
    harness.data(Direction::Server, &response(8));
    let [object] = objects(&mut harness) else { panic!("one transaction") };
    assert!(object.has(&STATUS));
}
