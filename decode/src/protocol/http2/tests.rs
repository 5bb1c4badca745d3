use super::*;
use crate::protocol::testing::Harness;
use crate::protocol::{ANOMALY, Transport};
use Direction::{Client, Server};

/// A connection that python-h2 made: a GET with two cookies, answered by a page, and a gRPC call that fails.
const REQUESTS: &[u8] = b"\
    PRI * HTTP/2.0\x0d\x0a\x0d\x0aSM\x0d\x0a\x0d\x0a\x00\x00*\x04\x00\x00\x00\x00\x00\x00\x01\x00\x00\x10\x00\
    \x00\x02\x00\x00\x00\x01\x00\x04\x00\x00\xff\xff\x00\x05\x00\x00@\x00\x00\x08\x00\x00\x00\x00\x00\x03\x00\
    \x00\x00d\x00\x06\x00\x01\x00\x00\x00\x00\x00\x04\x01\x00\x00\x00\x00\x00\x00\x22\x01\x05\x00\x00\x00\x01\
    \x82\x86A\x87\x1a\xe5\xf2:k\xa0\xbfD\x86c\xcf\xf9\xd6\x0e\xffz\x82K\x01\x1f\x11\x82$\x01\x1f\x11\x83\x92\x01\
    \x7f\x00\x00-\x01\x04\x00\x00\x00\x03\x83\x86\xc0D\x90b\xbe\xb3/\x8a\xc2\x95%\xb1\x8d\xc3\xf5\x8c\xb4P\x7f_\
    \x8b\x1du\xd0b\x0d&=LMed@\x82I\x7f\x86M\x835\x05\xb1\x1f\x00\x00\x0a\x00\x01\x00\x00\x00\x03\x00\x00\x00\x00\
    \x05\x0a\x03Ann";
const RESPONSES: &[u8] = b"\
    \x00\x00*\x04\x00\x00\x00\x00\x00\x00\x01\x00\x00\x10\x00\x00\x02\x00\x00\x00\x00\x00\x04\x00\x00\xff\xff\
    \x00\x05\x00\x00@\x00\x00\x08\x00\x00\x00\x00\x00\x03\x00\x00\x00d\x00\x06\x00\x01\x00\x00\x00\x00\x00\x04\
    \x01\x00\x00\x00\x00\x00\x00\x0a\x01\x04\x00\x00\x00\x01\x88_\x87I|\xa5\x89\xd3M\x1f\x00\x00\x1f\x00\x01\x00\
    \x00\x00\x01<html><body>hello</body></html>\x00\x00\x0e\x01\x04\x00\x00\x00\x03\x88_\x8b\x1du\xd0b\x0d&=LMed\
    \x00\x00\x05\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00!\x01\x05\x00\x00\x00\x03@\x88\x9a\xca\xc8\
    \xb2\x124\xda\x8f\x81o@\x89\x9a\xca\xc8\xb5%B\x071\x7f\x89\xa8\xea\x22\xd2N\xa5C\xa4\xbf";

fn check(harness: &Harness, about: &str) {
    assert_eq!(harness.texts(&http_fields::METHOD).iter().filter(|m| **m != "PRI").count(), 2, "{about}");
    assert_eq!(harness.ints(&http_fields::STATUS_CODE), [200], "{about}");
    let uris = harness.texts(&http_fields::URI);
    for uri in ["a.example/x?k=v", "a.example/pkg.Greeter/SayHello"] {
        assert!(uris.contains(&uri), "{about}: {uris:?}");
    }
    assert_eq!(harness.texts(&http_fields::COOKIE_KEY), ["c", "d"], "{about}");
    assert_eq!(harness.texts(&http_fields::USER_AGENT), ["t/1"], "{about}");
    assert_eq!(harness.texts(&http_fields::MD5), ["b336bf8614414b59147ad5cf7d8bbaac"], "{about}");
    assert_eq!(harness.texts(&http_fields::BODY_MAGIC), ["text/html"], "{about}");
    assert_eq!(harness.texts(&METHOD), ["pkg.Greeter/SayHello"], "{about}");
    assert_eq!(harness.texts(&MESSAGE), ["no such name"], "{about}");
    assert_eq!(harness.ints(&STATUS), [5], "{about}");
    assert!(harness.texts(&ANOMALY).is_empty(), "{about}");
}

#[test]
fn requests_and_calls_are_told_however_the_streams_are_cut() {
    for at in PREFACE.len()..REQUESTS.len() {
        let mut harness = Harness::new(Transport::Tcp, 50051);
        harness.data(Client, &REQUESTS[..at]);
        harness.data(Client, &REQUESTS[at..]);
        let (head, tail) = RESPONSES.split_at(at.min(RESPONSES.len()));
        harness.data(Server, head);
        harness.data(Server, tail);
        harness.finish();
        assert_eq!(harness.protocols, ["http", "http2", "grpc"]);
        check(&harness, &format!("cut at {at}"));
    }
}

#[test]
fn a_server_may_greet_first() {
    let mut harness = Harness::new(Transport::Tcp, 50051);
    let (greeting, rest) = RESPONSES.split_at(51);
    harness.data(Server, greeting);
    harness.data(Client, REQUESTS);
    harness.data(Server, rest);
    check(&harness, "server first");
}

#[test]
fn an_upgraded_connection_goes_on_as_http_2() {
    let mut harness = Harness::new(Transport::Tcp, 80);
    harness.data(Client, b"GET /old HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    harness.data(Server, answer);
    harness.data(Server, RESPONSES);
    harness.data(Client, REQUESTS);
    assert_eq!(harness.protocols, ["http", "http2", "grpc"]);
    assert_eq!(harness.texts(&MESSAGE), ["no such name"]);
}

#[test]
fn any_damage_leaves_what_was_read() {
    for at in 0..RESPONSES.len() {
        for byte in [0, 0x7f, 0xff] {
            let mut spoilt = RESPONSES.to_vec();
            spoilt[at] = byte;
            let mut harness = Harness::new(Transport::Tcp, 50051);
            harness.data(Client, REQUESTS);
            harness.data(Server, &spoilt);
            harness.finish();
            assert_eq!(harness.texts(&METHOD), ["pkg.Greeter/SayHello"], "{at}");
        }
    }
}

#[test]
fn endless_headers_are_given_up() {
    let mut harness = Harness::new(Transport::Tcp, 50051);
    harness.data(Client, PREFACE);
    harness.data(Client, b"\x00\x00\x01\x01\x00\x00\x00\x00\x01\x82");
    for _ in 0..3000 {
        harness.data(Client, b"\x00\x00\x20\x09\x00\x00\x00\x00\x01xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    }
    assert_eq!(harness.texts(&ANOMALY), ["http2-headers-too-long"]);
}
