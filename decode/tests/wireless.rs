//! 802.11 and the other links without Ethernet's header lead to the same ends, and frames nobody can read are told.

mod common;

use common::{CLIENT, Pcap, SERVER, ipv4, udp};
use serde_json::Value;

const DATA: u8 = 0x08;
const QUALITY: u8 = 0x88;

fn datagram() -> Vec<u8> {
    ipv4(CLIENT, SERVER, 17, 0, &udp(5000, 53, b"hello"))
}

fn snap(payload: &[u8]) -> Vec<u8> {
    [&[0xaa, 0xaa, 0x03, 0, 0, 0, 0x08, 0x00], payload].concat()
}

/// A frame whose addresses end in 1 to 4.
fn wlan(kind: u8, flags: u8, more: &[u8], body: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind, flags, 0, 0];
    for last in 1..=3 {
        frame.extend([2, 0, 0, 0, 0, last]);
    }
    frame.extend([0, 0]);
    if flags & 3 == 3 {
        frame.extend([2, 0, 0, 0, 0, 4]);
    }
    [&frame[..], more, body].concat()
}

fn one(linktype: u32, frame: &[u8]) -> Value {
    let (mut documents, _) = Pcap::new(linktype).frame(0, frame).decode();
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

#[test]
fn stations_are_told_whichever_way_a_frame_went() {
    for (flags, destination, source) in [(0, 1, 2), (1, 3, 2), (2, 1, 3), (3, 3, 4)] {
        let document = one(105, &wlan(DATA, flags, &[], &snap(&datagram())));
        assert_eq!(document["source"]["ip"], "192.0.2.1", "{flags}");
        assert_eq!(document["ethertype"], 0x0800);
        assert_eq!(document["source"]["mac"][0], format!("02:00:00:00:00:{source:02x}"), "{flags}");
        assert_eq!(document["destination"]["mac"][0], format!("02:00:00:00:00:{destination:02x}"), "{flags}");
    }
}

#[test]
fn what_stands_before_the_data_is_passed() {
    let inside = snap(&datagram());
    let aggregate = [&[2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0, inside.len() as u8][..], &inside].concat();
    let quality = wlan(QUALITY, 1, &[0, 0], &inside);
    let padded = wlan(QUALITY, 1, &[0, 0, 0, 0], &inside);
    // Present: a clock and the flags (here: the head is padded), in two words.
    let radiotap =
        [&[0, 0, 32, 0, 3, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0][..], &[7; 8], &[0x20, 0, 0, 0, 0, 0, 0, 0]].concat();
    for (linktype, frame) in [
        (105, quality.clone()),
        (105, wlan(QUALITY, 0x81, &[0; 6], &inside)),
        (105, wlan(QUALITY, 1, &[0x80, 0], &aggregate)),
        (127, [&[0, 0, 8, 0, 0, 0, 0, 0][..], &quality].concat()),
        (127, [&radiotap[..], &padded].concat()),
        (119, [&[0x44, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0][..], &quality].concat()),
        (163, [&[0x80, 0x21, 0x10, 1, 0, 0, 0, 12, 0, 0, 0, 0][..], &quality].concat()),
    ] {
        assert_eq!(one(linktype, &frame)["destination"]["port"], 53, "{linktype} {frame:02x?}");
    }
}

#[test]
fn frames_that_cannot_be_read_are_told_by_their_stations() {
    for frame in [wlan(DATA, 0x41, &[], &snap(&datagram())), wlan(0x80, 0, &[], &[0; 40]), wlan(0x48, 1, &[], &[])] {
        let document = one(105, &frame);
        assert_eq!(document["protocol"][0], "unknown-ether");
        assert_eq!(document["source"]["mac"][0], "02:00:00:00:00:02");
    }
}

#[test]
fn wide_area_links_lead_to_the_same_ends() {
    let inside = datagram();
    let ethernet = common::ethernet(0x0800, &inside);
    for (linktype, head, body) in [
        (104, &[0x0f, 0, 8, 0][..], &inside),
        (50, &[0x8f, 0, 8, 0], &inside),
        (51, &[0x11, 0, 0, 7, 0, 50, 0, 0x21], &inside),
        (107, &[0x18, 0x41, 0x03, 0xcc], &inside),
        (107, &[0x18, 0x41, 0x08, 0x00], &inside),
        (107, &[0x18, 0x40, 0x40, 0x01, 0x03, 0x00, 0x80, 0, 0, 0, 0x08, 0x00], &inside),
        (107, &[0x18, 0x41, 0x03, 0x00, 0x80, 0, 0x80, 0xc2, 0, 7], &ethernet),
        (109, &[2, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0], &inside),
        (117, &[5, 2, 0, 0, 0, 0, 0, 0], &inside),
        (258, &[12, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0], &ethernet),
    ] {
        let document = one(linktype, &[head, body].concat());
        assert_eq!(document["source"]["ip"], "192.0.2.1", "{linktype} {head:02x?}");
        assert_eq!(document["destination"]["port"], 53);
    }
}
