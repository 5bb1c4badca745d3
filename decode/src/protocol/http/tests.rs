//! HTTP as it comes: pipelined, chunked, cut at any byte, refused, switched, broken.

use super::fields::*;
use crate::protocol::Direction::{Client, Server};
use crate::protocol::Transport;
use crate::protocol::testing::Harness;

const REQUEST: &[u8] = b"POST /a/b?k=v%20w&x&=y HTTP/1.1\r\nHost: Example.COM:8080\r\nCookie: a=1; b=\r\n\
    X-Folded: one\r\n two\r\nContent-Length: 4\r\nReferer:\r\n\r\nbodyGET /next HTTP/1.1\r\nhost: other\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nLocation: /x\r\n\r\n\
    6;ext=1\r\n<html>\r\n3\r\nabc\r\n0\r\nTrailer: x\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

fn check(harness: &Harness, note: &str) {
    assert_eq!(harness.texts(&METHOD), ["POST", "GET"], "{note}");
    assert_eq!(harness.texts(&HOST), ["example.com:8080", "example.com", "other"], "{note}");
    assert_eq!(harness.texts(&URI), ["example.com:8080/a/b?k=v%20w&x&=y", "other/next"], "{note}");
    assert_eq!(harness.texts(&PATH), ["/a/b", "/next"], "{note}");
    assert_eq!(harness.texts(&KEY), ["k", "x"], "{note}");
    assert_eq!(harness.texts(&VALUE), ["v w", "y"], "{note}");
    assert_eq!(harness.texts(&COOKIE_KEY), ["a", "b"], "{note}");
    assert_eq!(harness.texts(&REQUEST_REFERER), [""], "{note}");
    assert_eq!(harness.texts(&REQUEST_BODY), ["body"], "{note}");
    assert_eq!(harness.texts(&RESPONSE_LOCATION), ["/x"], "{note}");
    assert_eq!(harness.texts(&BODY_MAGIC), ["text/html"], "{note}");
    assert_eq!(harness.texts(&MD5), ["841a2d689ad86bd1611447453c22c6fc", "418472f5568b75f709987814ec010025"], "{note}");
    assert_eq!(harness.ints(&STATUS_CODE), [200, 404], "{note}");
}

#[test]
fn messages_do_not_depend_on_how_the_stream_is_cut() {
    for cut in 1..REQUEST.len().max(RESPONSE.len()) {
        let (a, b) = REQUEST.split_at(cut.min(REQUEST.len() - 1));
        let (c, d) = RESPONSE.split_at(cut.min(RESPONSE.len() - 1));
        let mut harness = Harness::new(Transport::Tcp, 80);
        // The signature needs the first word; the core shows at least that much.
        for part in if a.len() < 8 { vec![REQUEST] } else { vec![a, b] } {
            harness.data(Client, part);
        }
        harness.data(Server, c);
        harness.data(Server, d);
        check(&harness, &format!("cut at {cut}"));
    }
}

#[test]
fn a_body_without_length_ends_with_the_session() {
    let mut harness = Harness::new(Transport::Tcp, 80);
    harness.data(Client, b"GET / HTTP/1.0\r\n\r\n");
    harness.data(Server, b"HTTP/1.0 200 OK\r\n\r\nte");
    harness.data(Server, b"st");
    assert!(harness.texts(&MD5).is_empty());
    harness.finish();
    assert_eq!(harness.texts(&MD5), ["098f6bcd4621d373cade4e832627b4f6"]);
    assert_eq!(harness.texts(&URI), ["/"]);
}

#[test]
fn the_answer_to_head_has_no_body() {
    let mut harness = Harness::new(Transport::Tcp, 80);
    harness.data(Client, b"HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    harness.data(Server, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 304 Not Modified\r\n\r\n");
    assert_eq!(harness.ints(&STATUS_CODE), [200, 304]);
}

#[test]
fn a_refused_upgrade_goes_on_with_http() {
    let mut harness = Harness::new(Transport::Tcp, 80);
    harness.data(Client, b"GET /1 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    harness.data(Server, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    harness.data(Client, b"GET /2 HTTP/1.1\r\n\r\n");
    assert_eq!(harness.texts(&URI), ["/1", "/2"]);
}

#[test]
fn a_tunnel_is_classified_again() {
    let mut harness = Harness::new(Transport::Tcp, 3128);
    harness.data(
        Client,
        b"CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\nProxy-Authorization: Basic dTpw\r\n\r\n",
    );
    harness.data(Server, b"HTTP/1.1 200 Connection established\r\n\r\n");
    harness.data(Client, b"GET /inner HTTP/1.1\r\nHost: a.example\r\n\r\n");
    assert_eq!(harness.texts(&URI), ["a.example:80", "a.example/inner"]);
    assert_eq!(harness.texts(&USER), ["u"]);
}

#[test]
fn a_lost_part_of_a_body_costs_only_its_hashes() {
    let mut harness = Harness::new(Transport::Tcp, 80);
    harness.data(Server, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n<html>");
    harness.gap(Server, 4);
    harness.data(Server, b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\ntest");
    assert_eq!(harness.ints(&STATUS_CODE), [200, 500]);
    assert_eq!(harness.texts(&MD5), ["098f6bcd4621d373cade4e832627b4f6"]);
    assert_eq!(harness.texts(&BODY_MAGIC), ["text/html"]);
}

#[test]
fn a_request_that_is_none_ends_that_direction_only() {
    let mut harness = Harness::new(Transport::Tcp, 80);
    harness.data(Client, b"GET /Hello Arkime HTTP/1.0\r\n\r\n");
    harness.data(Server, b"HTTP/1.1 204 No\r\n\r\n");
    assert_eq!(harness.texts(&URI), ["/Hello"]);
    assert!(harness.texts(&METHOD).is_empty());
    assert_eq!(harness.ints(&STATUS_CODE), [204]);
}

#[test]
fn hostile_bytes_never_panic() {
    for seed in 0..64u8 {
        let mut harness = Harness::new(Transport::Tcp, 80);
        harness.data(Client, b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n");
        harness.data(Server, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n");
        let noise: Vec<u8> = (0..4096u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 ^ seed).collect();
        harness.data(Server, &noise);
        harness.data(Client, &noise);
        harness.finish();
    }
}
