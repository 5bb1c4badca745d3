//! Whatever the bytes are, decoding ends, says what is wrong, and does not panic.

mod common;

use common::{ACK, CLIENT, Connection, PSH, Pcap, SERVER, ethernet, ipv4, udp};

/// A capture with a little of many protocols.
fn sample() -> Vec<u8> {
    let mut pcap = Pcap::new(1);
    let exchanges: [(u16, &[u8], &[u8]); 6] = [
        (80, b"POST /x?a=b HTTP/1.1\r\nHost: h\r\nCookie: k=v\r\nContent-Length: 3\r\n\r\nabc", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
        (25, b"EHLO me\r\nMAIL FROM:<a@b.c>\r\nDATA\r\nSubject: =?utf-8?Q?x?=\r\n\r\nbody\r\n.\r\n", b"220 hi ESMTP\r\n250 ok\r\n"),
        (22, b"SSH-2.0-client\r\n", b"SSH-2.0-server\r\n"),
        (443, b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x00\x00\x02\x13\x01\x01\x00\x00\x00", b"\x15\x03\x01\x00\x02\x02\x28"),
        (53, b"\x00\x1d\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x00\x00\x01\x00\x01", b""),
        (4444, b"\x00\x01\x02\x03 nothing known", b"\xff\xfe"),
    ];
    for (port, request, answer) in exchanges {
        let mut connection = Connection::new(port);
        connection.open(&mut pcap);
        for (client, data) in [(true, request), (false, answer)] {
            let frame = connection.send(client, PSH | ACK, data);
            pcap.frame(50, &frame);
        }
    }
    for (port, data) in [
        (53, &b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x01a\x03top\x00\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x01\x02\x03\x04"[..]),
        (67, b"\x01\x01\x06\x00\x00\x00\x3d\x1d\x00\x00"),
        (161, b"\x30\x1a\x02\x01\x00\x04\x06public\xa0\x0d\x02\x01\x01\x02\x01\x00\x02\x01\x00\x30\x02\x30\x00"),
    ] {
        pcap.frame(60, &ethernet(0x0800, &ipv4(CLIENT, SERVER, 17, 0, &udp(68, port, data))));
    }
    pcap.frame(61, &ethernet(0x0806, &[0; 28]));
    pcap.frame(62, &ethernet(0x0800, &ipv4(CLIENT, SERVER, 47, 0, &[0x30, 0, 0x65, 0x58, 0, 0, 0, 1, 0, 0, 0, 2])));
    pcap.bytes
}

/// xorshift: the same changes in every run.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn a_capture_cut_anywhere_is_decoded_to_the_cut() {
    let bytes = sample();
    for cut in 24..bytes.len() {
        let (documents, summary) = common::decode(&bytes[..cut]);
        assert!(documents.len() as u64 <= summary.packets);
    }
}

#[test]
fn flipped_bytes_do_no_harm() {
    let original = sample();
    let mut state = 0x9e37_79b9_7f4a_7c15;
    for round in 0..3000 {
        let mut bytes = original.clone();
        for _ in 0..1 + round % 8 {
            let at = 24 + (next(&mut state) as usize) % (bytes.len() - 24);
            bytes[at] = next(&mut state) as u8;
        }
        let (_, summary) = common::decode(&bytes);
        assert!(!summary.anomalies.contains_key("decoder-fault"), "round {round}");
    }
}

#[test]
fn every_frame_may_end_at_any_byte() {
    let payload = ipv4(CLIENT, SERVER, 6, 0, &common::tcp((1, 2), 3, 4, ACK, b"data"));
    let known = hayrick_decode::layers::LINK_LAYERS.iter().map(|(_, linktype)| u32::from(*linktype));
    for linktype in known.chain([65_000]) {
        for kind in [0x0800, 0x0806, 0x8100, 0x8847, 0x8864, 0x88be, 0x894f, 0x8909, 0x6558, 5] {
            let frame = ethernet(kind, &payload);
            for cut in 0..frame.len() {
                let (documents, summary) = Pcap::new(linktype).frame(0, &frame[..cut]).decode();
                assert_eq!((documents.len(), summary.packets), (1, 1), "never silence: {linktype} {kind:x} {cut}");
            }
        }
    }
}

#[test]
fn half_open_flows_are_bounded() {
    let mut pcap = Pcap::new(1);
    for n in 0..110_000u32 {
        let [_, a, b, c] = n.to_be_bytes();
        let syn = common::tcp((40_000, 80), n, 0, common::SYN, b"");
        pcap.frame(0, &ethernet(0x0800, &ipv4([10, a, b, c], SERVER, 6, 0, &syn)));
    }
    let (documents, summary) = pcap.decode();
    assert_eq!(documents.len(), 110_000, "all are told");
    assert_eq!(summary.anomalies["too-many-open-sessions"], 10_000);
}

#[test]
fn data_out_of_order_are_bounded_over_all_sessions() {
    let mut pcap = Pcap::new(1);
    let connections: Vec<Connection> =
        (0..400).map(|n| Connection { ports: (10_000 + n, 4444), next: [1_000, 9_000] }).collect();
    for connection in &connections {
        pcap.frame(0, &connection.at(true, 0, common::SYN, b""));
        for piece in 0..4 {
            pcap.frame(1, &connection.at(true, 11 + piece * 50_000, PSH | ACK, &[b'x'; 50_000]));
        }
    }
    // 80 MB wait for these ten bytes each: more than may be held, so some holes were given up before they came.
    connections.iter().for_each(|connection| {
        pcap.frame(2, &connection.at(true, 1, PSH | ACK, b"0123456789"));
    });
    let (documents, summary) = pcap.decode();
    let gaps = summary.anomalies["tcp-gap"];
    assert_eq!(documents.len(), 400);
    assert!((50..200).contains(&gaps), "{gaps} of 400 sessions");
}
