//! Every kind of capture file gives the same sessions, and a damaged one gives what comes before the damage.

mod common;

use std::io::Write;

use hayrick_decode::capture::{Capture, Item, OwnedPacket, packets_of};

use common::{CLIENT, Pcap, SERVER, decode, ethernet, ipv4, udp};

fn datagram(port: u16) -> Vec<u8> {
    ethernet(0x0800, &ipv4(CLIENT, SERVER, 17, 0, &udp(port, 9, b"hello")))
}

/// A classic capture of one frame in any byte order and clock.
fn classic(magic: u32, big: bool, fraction: u32) -> Vec<u8> {
    let frame = datagram(5000);
    let put = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    let mut bytes = Vec::new();
    let version = if big { 0x0002_0004 } else { 0x0004_0002 };
    for number in [magic, version, 0, 0, 262_144, 1, 1_700_000_000, fraction, frame.len() as u32, frame.len() as u32] {
        bytes.extend(put(number));
    }
    bytes.extend(frame);
    bytes
}

#[test]
fn byte_order_and_clock_make_no_difference() {
    for (magic, fraction) in [(0xa1b2_c3d4, 123_456), (0xa1b2_3c4d, 123_456_789)] {
        for big in [false, true] {
            let (documents, summary) = decode(&classic(magic, big, fraction));
            assert_eq!(documents[0]["firstPacket"], 1_700_000_000_123_i64, "{magic:x} {big}");
            assert_eq!(documents[0]["packetPos"][0], 24);
            assert!(summary.anomalies.is_empty());
        }
    }
}

/// A pcapng block of either byte order.
fn block(big: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let put = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    let padded = body.len().next_multiple_of(4);
    let length = put(padded as u32 + 12);
    let mut bytes = [put(kind), length].concat();
    bytes.extend(body);
    bytes.resize(8 + padded, 0);
    bytes.extend(length);
    bytes
}

fn pcapng(big: bool, resolution: u8, units: u64, frame: &[u8]) -> Vec<u8> {
    let n32 = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    let n16 = |n: u16| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    let section = [&n32(0x1a2b_3c4d)[..], &n16(1), &n16(0), &[0xff; 8]].concat();
    let interface = [&n16(1)[..], &n16(0), &n32(0), &n16(9), &n16(1), &[resolution, 0, 0, 0], &n32(0)].concat();
    let length = frame.len() as u32;
    let head: Vec<u8> = [0, (units >> 32) as u32, units as u32, length, length].iter().flat_map(|n| n32(*n)).collect();
    let packet = [&head[..], frame].concat();
    [block(big, 0x0a0d_0d0a, &section), block(big, 1, &interface), block(big, 6, &packet)].concat()
}

#[test]
fn pcapng_clocks_are_read_as_their_interface_says() {
    let frame = datagram(5000);
    for big in [false, true] {
        for (resolution, rate) in [(6, 1_000_000u64), (9, 1_000_000_000), (3, 1000), (0x8a, 1024)] {
            let units = 1_700_000_000 * rate + rate / 2;
            let (documents, _) = decode(&pcapng(big, resolution, units, &frame));
            assert_eq!(documents[0]["firstPacket"], 1_700_000_000_500_i64, "{big} {resolution:x}");
        }
    }
}

#[test]
fn a_second_section_may_have_another_byte_order() {
    let units = 1_700_000_000_000_000;
    let both = [pcapng(false, 6, units, &datagram(1)), pcapng(true, 6, units, &datagram(2))].concat();
    let (documents, summary) = decode(&both);
    assert_eq!((documents.len(), summary.packets), (2, 2));
}

/// Every packet of a pcapng with its place, and whether it told that these can be sought.
fn places(bytes: &[u8]) -> (Vec<(u64, Vec<u8>)>, bool) {
    let mut capture = Capture::new(Box::new(std::io::Cursor::new(bytes.to_vec()))).expect("a capture");
    let mut found = Vec::new();
    while let Item::Packet(raw) = capture.next_item().expect("read") {
        found.push((raw.position, raw.data.to_vec()));
    }
    (found, capture.seekable())
}

#[test]
fn a_packet_of_a_pcapng_is_sought_where_nothing_but_its_beginning_tells_how_to_read_it() {
    for big in [false, true] {
        let one = pcapng(big, 9, 1_700_000_000_000_000_000, &datagram(1));
        let packet = &one[one.len() - (32 + datagram(1).len().next_multiple_of(4))..];
        let (statistics, names) = (block(big, 5, &[0; 12]), block(big, 4, &[7; 40]));
        let head = &one[..one.len() - packet.len()];
        let whole = [head, &names, packet, &statistics, packet, packet].concat();
        let (found, seekable) = places(&whole);
        assert_eq!((found.len(), seekable), (3, true));
        for order in [[0, 1, 2], [2, 0, 1]] {
            let positions = order.map(|n: usize| found[n].0);
            let sought = packets_of(std::io::Cursor::new(whole.clone()), &positions, true).expect("sought");
            let scanned = packets_of(std::io::Cursor::new(whole.clone()), &positions, false).expect("scanned");
            let key = |p: &OwnedPacket| (p.time_ns, p.linktype, p.wire_length, p.data.clone());
            assert_eq!(sought.iter().map(key).collect::<Vec<_>>(), scanned.iter().map(key).collect::<Vec<_>>());
            assert_eq!(sought[0].time_ns, 1_700_000_000_000_000_000);
        }
        for wrong in [0, 4, found[1].0 - 4, found[1].0 + 1, found[2].0 + 4, whole.len() as u64, u64::MAX] {
            assert!(packets_of(std::io::Cursor::new(whole.clone()), &[wrong], true).is_err(), "no packet at {wrong}");
        }
        let interface = &head[28..];
        for (what, bytes) in [("section", [&whole[..], &one].concat()), ("interface", [&whole, interface].concat())] {
            assert!(!places(&bytes).1, "a later {what}");
        }
        assert!(places(&[head, interface, packet].concat()).1);
    }
}

#[test]
fn a_damaged_pcapng_is_sought_without_harm() {
    let whole = [pcapng(false, 6, 1, &datagram(1)), block(false, 5, &[0; 12])].concat();
    let (found, _) = places(&whole);
    for at in 0..whole.len() {
        for value in [0, 0x7f, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            let sought = packets_of(std::io::Cursor::new(bytes), &[found[0].0], true);
            assert!(sought.map_or(true, |p| p[0].data.len() <= whole.len()), "{value:x} at {at}");
        }
        let cut = std::io::Cursor::new(whole[..at].to_vec());
        let ends = found[0].0 as usize + 32 + datagram(1).len().next_multiple_of(4);
        assert_eq!(packets_of(cut, &[found[0].0], true).is_ok(), at >= ends, "cut at {at}");
    }
}

#[test]
fn a_cut_file_gives_what_comes_before_the_cut() {
    let mut pcap = Pcap::new(1);
    for port in 0..3 {
        pcap.frame(u64::from(port), &datagram(5000 + port));
    }
    let whole = pcap.bytes.len();
    for cut in 24..whole {
        let (documents, summary) = decode(&pcap.bytes[..cut]);
        let frames = (cut - 24) / ((whole - 24) / 3);
        assert_eq!(documents.len(), frames, "cut at {cut}");
        let at_boundary = (cut - 24) % ((whole - 24) / 3) == 0;
        assert_eq!(summary.anomalies.contains_key("truncated-file"), !at_boundary, "cut at {cut}");
    }
}

#[test]
fn what_is_no_capture_is_refused_with_a_reason() {
    for bytes in [&b""[..], b"abc", b"#!/bin/sh and more text than a header", &[0xd4, 0xc3, 0xb2, 0xa1, 2]] {
        let error = hayrick_decode::capture::Capture::new(Box::new(std::io::Cursor::new(bytes.to_vec())));
        let message = error.err().expect("refused").to_string();
        assert!(message.starts_with("not a capture"), "{message}");
    }
}

#[test]
fn compressed_files_are_read_as_they_are() {
    let folder = std::env::temp_dir().join(format!("hayrick-formats-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut pcap = Pcap::new(1);
    pcap.frame(0, &datagram(5000));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&pcap.bytes).expect("gzip");
    let files = [
        ("plain", pcap.bytes.clone()),
        ("gz", gzip.finish().expect("gzip")),
        ("zst", zstd::encode_all(&pcap.bytes[..], 1).expect("zstd")),
    ];
    for (name, bytes) in files {
        let path = folder.join(name);
        std::fs::write(&path, bytes).expect("written");
        let packets = hayrick_decode::capture::packets(&path, &[24], false).expect("the packet");
        assert_eq!(packets[0].data, datagram(5000), "{name}");
        for place in [0, 25, u64::MAX] {
            assert!(hayrick_decode::capture::packets(&path, &[place], true).is_err(), "{name}: no packet at {place}");
        }
    }
    std::fs::remove_dir_all(folder).expect("removed");
}
