//! What a tunnel carries is told with the ends of that tunnel, also when it is no IP; headers that cannot be are not followed.

mod common;

use common::{CLIENT, Pcap, SERVER, ethernet, ipv4, udp};
use serde_json::{Value, json};

const INNER: [u8; 4] = [10, 0, 0, 1];
const OTHER: [u8; 4] = [10, 0, 0, 2];

fn one(frame: &[u8]) -> Value {
    let (mut documents, _) = Pcap::new(1).frame(0, frame).decode();
    assert_eq!(documents.len(), 1, "{documents:?}");
    documents.remove(0)
}

/// A frame in VXLAN between two hosts.
fn vxlan(from: [u8; 4], to: [u8; 4], network: u32, inner: &[u8]) -> Vec<u8> {
    let mut payload = vec![8, 0, 0, 0];
    payload.extend((network << 8).to_be_bytes());
    payload.extend(inner);
    ethernet(0x0800, &ipv4(from, to, 17, 0, &udp(50_000, 4789, &payload)))
}

fn query() -> Vec<u8> {
    ethernet(0x0800, &ipv4(INNER, OTHER, 17, 0, &udp(40_000, 53, b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01")))
}

fn with_macs(mut frame: Vec<u8>, last: u8) -> Vec<u8> {
    (frame[5], frame[11]) = (last, last + 1);
    frame
}

#[test]
fn the_innermost_of_nested_tunnels_is_told() {
    let middle = with_macs(vxlan(INNER, OTHER, 7, &query()), 0x20);
    let document = one(&with_macs(vxlan(CLIENT, SERVER, 9, &middle), 0x40));
    assert_eq!(document["srcOuterIp"], json!(["10.0.0.1"]));
    assert_eq!(document["dstOuterIp"], json!(["10.0.0.2"]));
    assert_eq!(document["srcOuterMac"], json!(["02:00:00:00:00:20"]));
    assert_eq!(document["vni"], json!([9, 7]));
    assert_eq!(document["protocol"], json!(["vxlan", "udp", "dns"]));
}

#[test]
fn a_network_without_number_is_not_told() {
    assert!(one(&vxlan(CLIENT, SERVER, 0, &query())).get("vni").is_none());
}

#[test]
fn what_is_no_ip_in_a_tunnel_lies_between_the_tunnels_ends() {
    let arp = ethernet(0x0806, b"\0\x01\x08\0\x06\x04\0\x01\x02\0\0\0\0\x01\x0a\0\0\x01\0\0\0\0\0\0\x0a\0\0\x02");
    let document = one(&vxlan(CLIENT, SERVER, 7, &arp));
    assert_eq!(document["source"]["ip"], "192.0.2.1");
    assert_eq!(document["destination"]["ip"], "198.51.100.2");
    assert_eq!((&document["ipProtocol"], &document["ethertype"]), (&json!(17), &json!(0x0800)));
    assert_eq!(document["protocol"], json!(["vxlan", "arp"]));
    assert_eq!(document["arp"]["ip"], json!(["10.0.0.2"]));
    assert!(document.get("srcOuterIp").is_none());
}

#[test]
fn a_damaged_frame_in_a_tunnel_lies_between_the_tunnels_ends() {
    let damaged = ethernet(0x0400, &[0; 20]);
    let document = one(&vxlan(CLIENT, SERVER, 7, &damaged));
    assert_eq!(document["protocol"], json!(["vxlan", "corrupt-ip"]));
    assert_eq!(document["source"]["ip"], "192.0.2.1");
}

#[test]
fn an_arp_conversation_in_a_tunnel_is_one_session() {
    let arp = ethernet(0x0806, b"\0\x01\x08\0\x06\x04\0\x01\x02\0\0\0\0\x01\x0a\0\0\x01\0\0\0\0\0\0\x0a\0\0\x02");
    let mut pcap = Pcap::new(1);
    pcap.frame(0, &vxlan(CLIENT, SERVER, 7, &arp)).frame(1, &vxlan(SERVER, CLIENT, 7, &arp));
    let (documents, _) = pcap.decode();
    assert_eq!(documents.len(), 1);
    assert_eq!(documents[0]["source"]["packets"], 2);
}

#[test]
fn a_datagram_shorter_than_its_header_is_damaged() {
    let mut datagram = udp(40_000, 9_999, b"payload");
    datagram[4..6].copy_from_slice(&[0, 7]);
    let document = one(&ethernet(0x0800, &ipv4(CLIENT, SERVER, 17, 0, &datagram)));
    assert_eq!(document["protocol"], json!(["corrupt-ip"]));
    assert_eq!(document["anomaly"], json!(["udp-bad-header"]));
    assert_eq!(document["source"]["port"], 0);
}

#[test]
fn an_authentication_header_is_followed_when_it_has_an_index() {
    let mut header = vec![17, 4, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1];
    header.extend([0; 12]);
    header.extend(udp(40_000, 53, b"hello"));
    let frame = |header: &[u8]| ethernet(0x0800, &ipv4(CLIENT, SERVER, 51, 0, header));
    assert_eq!(one(&frame(&header))["protocol"], json!(["udp"]));
    header[7] = 0;
    assert_eq!(one(&frame(&header))["protocol"], json!(["unknown-ip"]));
}

#[test]
fn endless_extension_headers_hide_nothing() {
    let mut packet = vec![0x60, 0, 0, 0, 8, 8, 60, 64];
    packet.extend([0xfd; 32]);
    packet.extend([17, 255]);
    packet.extend([0; 2046]);
    packet.extend(udp(1, 2, b""));
    let document = one(&ethernet(0x86dd, &packet));
    assert_eq!(document["protocol"], json!(["corrupt-ip"]));
    assert_eq!(document["ipProtocol"], 17);
}

#[test]
fn vxlan_gpe_follows_its_next_protocol_also_without_the_flag() {
    let mut payload = vec![8, 0, 0, 1, 0, 0, 7, 0];
    payload.extend(&query()[14..]);
    let document = one(&ethernet(0x0800, &ipv4(CLIENT, SERVER, 17, 0, &udp(50_000, 4790, &payload))));
    assert_eq!(document["protocol"], json!(["vxlan-gpe", "udp", "dns"]));
}

#[test]
fn cisco_metadata_has_one_option_at_least() {
    for head in [&b"\x01\x01\0\x01\0\x64"[..], b"\0\0\0\0\0\0"] {
        let mut rest = head.to_vec();
        rest.extend(&query()[12..]);
        assert_eq!(one(&ethernet(0x8909, &rest))["protocol"], json!(["udp", "dns"]));
    }
}
