//! Packets become the sessions they belong to: link layers, fragments, reassembly, time.

mod common;

use common::{ACK, CLIENT, Connection, FIN, PSH, Pcap, RST, SERVER, SYN, ethernet, ipv4, udp};
use serde_json::{Value, json};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n01234567890123456789";
/// md5 of the body above.
const MD5: &str = "be497c2168e374f414a351c49379c01a";

fn http(deliver: impl Fn(&Connection, &mut Pcap)) -> Value {
    let mut pcap = Pcap::new(1);
    let mut connection = Connection::new(80);
    connection.open(&mut pcap);
    let request = connection.send(true, PSH | ACK, b"GET /a HTTP/1.1\r\nHost: h.example\r\n\r\n");
    pcap.frame(50, &request);
    deliver(&connection, &mut pcap);
    let (mut documents, _) = pcap.decode();
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

fn piece(connection: &Connection, from: usize, to: usize) -> Vec<u8> {
    connection.at(false, from as i64, PSH | ACK, &ANSWER[from..to])
}

#[test]
fn out_of_order_and_repeated_segments_give_the_same_body() {
    let orders: [&[(usize, usize)]; 4] = [
        &[(0, 59)],
        &[(0, 10), (40, 59), (10, 40)],
        &[(30, 59), (0, 30), (0, 59)],
        &[(0, 20), (10, 45), (5, 15), (40, 59)],
    ];
    for order in orders {
        let document = http(|connection, pcap| {
            for (ms, (from, to)) in order.iter().enumerate() {
                pcap.frame(60 + ms as u64, &piece(connection, *from, *to));
            }
        });
        assert_eq!(document["http"]["md5"][0], MD5, "{order:?}");
        assert_eq!(document["server"]["bytes"], 59, "each byte once: {order:?}");
        assert!(document.get("anomaly").is_none(), "{order:?}");
    }
}

#[test]
fn a_lost_segment_is_named_and_what_came_before_it_kept() {
    let document = http(|connection, pcap| {
        pcap.frame(60, &piece(connection, 0, 20));
        pcap.frame(61, &piece(connection, 40, 59));
    });
    assert_eq!(document["anomaly"][0], "tcp-gap");
    assert_eq!(document["http"]["host"][0], "h.example");
    assert_eq!(document["network"]["packets"], 6);
}

fn one_udp(linktype: u32, frame: &[u8]) -> Value {
    let (mut documents, _) = Pcap::new(linktype).frame(0, frame).decode();
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

#[test]
fn every_link_layer_leads_to_the_same_ends() {
    let packet = ipv4(CLIENT, SERVER, 17, 0, &udp(5000, 9, b"hello"));
    let sll = [&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0][..], &packet].concat();
    let sll2 = [&[8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0][..], &packet].concat();
    let tagged = ethernet(0x88a8, &[&[0, 5, 0x81, 0, 0, 7, 8, 0][..], &packet].concat());
    let frames = [
        (1, ethernet(0x0800, &packet)),
        (1, tagged),
        (101, packet.clone()),
        (228, packet.clone()),
        (113, sll),
        (276, sll2),
        (0, [&[2, 0, 0, 0][..], &packet].concat()),
        (108, [&[0, 0, 0, 2][..], &packet].concat()),
    ];
    for (linktype, frame) in &frames {
        let document = one_udp(*linktype, frame);
        assert_eq!(document["source"]["ip"], "192.0.2.1", "link type {linktype}");
        assert_eq!(document["destination"]["port"], 9, "link type {linktype}");
        assert_eq!(document["client"]["bytes"], 5, "link type {linktype}");
    }
    let document = one_udp(1, &frames[1].1);
    assert_eq!(document["network"]["vlan"]["id"], serde_json::json!([5, 7]));
    assert_eq!(document["dot1ad"]["id"], serde_json::json!([5]));
}

#[test]
fn ipv6_extension_headers_are_passed() {
    let datagram = udp(5000, 9, b"hello");
    let mut packet = vec![0x60, 0, 0, 0, 0, 8 + datagram.len() as u8, 0, 64];
    packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    packet.extend([17, 0, 1, 4, 0, 0, 0, 0]);
    packet.extend(datagram);
    let document = one_udp(1, &ethernet(0x86dd, &packet));
    assert_eq!(document["source"]["ip"], "2001:db8::1");
    assert_eq!(document["ipProtocol"], 17);
    assert_eq!(document["client"]["bytes"], 5);
}

#[test]
fn fragments_in_any_order_are_one_datagram_with_all_its_records() {
    let datagram = udp(5000, 9, &[b'x'; 40]);
    let (first, second) = datagram.split_at(24);
    let one = ethernet(0x0800, &ipv4(CLIENT, SERVER, 17, 0x2000, first));
    let two = ethernet(0x0800, &ipv4(CLIENT, SERVER, 17, 3, second));
    for order in [[&one, &two], [&two, &one]] {
        let (documents, summary) = Pcap::new(1).frame(0, order[0]).frame(1, order[1]).decode();
        assert_eq!(documents.len(), 1);
        assert_eq!(documents[0]["client"]["bytes"], 40);
        assert_eq!(documents[0]["packetPos"].as_array().map(Vec::len), Some(2));
        assert!(summary.anomalies.is_empty());
    }
}

#[test]
fn fragments_that_stay_alone_are_told_all_the_same() {
    let one = ethernet(0x0800, &ipv4(CLIENT, SERVER, 17, 0x2000, &udp(5000, 9, &[b'x'; 40])[..24]));
    let (documents, summary) = Pcap::new(1).frame(0, &one).decode();
    assert_eq!(summary.anomalies["ip-fragments-incomplete"], 1);
    assert_eq!(documents[0]["source"]["ip"], "192.0.2.1");
    assert_eq!(documents[0]["packetPos"], serde_json::json!([24]));
}

#[test]
fn a_closed_connection_and_its_successor_are_two_sessions() {
    let mut pcap = Pcap::new(1);
    for start in [0, 1000] {
        let mut connection = Connection::new(80);
        connection.open(&mut pcap);
        for (ms, (client, flags)) in [(true, FIN | ACK), (false, FIN | ACK), (true, ACK)].into_iter().enumerate() {
            let frame = connection.send(client, flags, b"");
            pcap.frame(start + 100 + ms as u64, &frame);
        }
    }
    let (documents, _) = pcap.decode();
    assert_eq!(documents.len(), 2);
    assert_ne!(documents[0]["id"], documents[1]["id"]);
    assert_eq!(documents[0]["tcpflags"]["fin"], 2);
}

#[test]
fn a_long_session_is_split_into_segments_of_one_root() {
    let mut pcap = Pcap::new(1);
    let mut connection = Connection::new(80);
    connection.open(&mut pcap);
    for minute in 1..30 {
        let frame = connection.send(true, PSH | ACK, b"x");
        pcap.frame(minute * 60_000, &frame);
    }
    let (documents, _) = pcap.decode();
    assert!(documents.len() > 1);
    let packets: i64 = documents.iter().filter_map(|d| d["network"]["packets"].as_i64()).sum();
    assert_eq!(packets, 32, "each packet is in one segment");
    for (number, document) in documents.iter().enumerate() {
        assert_eq!(document["rootId"], documents[0]["id"]);
        assert_eq!(document["segmentCnt"], number as i64 + 1);
    }
}

#[test]
fn a_syn_ack_that_comes_first_was_sent_by_the_destination() {
    let mut connection = Connection::new(80);
    connection.send(true, SYN, b"");
    let answer = connection.send(false, SYN | ACK, b"");
    let reset = connection.send(true, RST, b"");
    let (documents, _) = Pcap::new(1).frame(0, &answer).frame(1, &reset).decode();
    assert_eq!(documents[0]["source"]["ip"], "192.0.2.1");
    assert_eq!(documents[0]["destination"]["packets"], 1);
}

#[test]
fn idle_udp_becomes_another_session() {
    let frame = ethernet(0x0800, &ipv4(CLIENT, SERVER, 17, 0, &udp(5000, 9, b"hello")));
    let other = ethernet(0x0800, &ipv4(CLIENT, SERVER, 17, 0, &udp(6000, 9, b"hello")));
    let (documents, _) = Pcap::new(1).frame(0, &frame).frame(90_000, &other).frame(90_001, &frame).decode();
    assert_eq!(documents.len(), 3);
}

#[test]
fn what_a_tunnel_carries_is_the_session_and_its_ends_are_kept() {
    let inner = ethernet(0x0800, &ipv4([10, 0, 0, 1], [10, 0, 0, 2], 17, 0, &udp(5000, 9, b"hello")));
    let gre = [&[0, 0, 0x65, 0x58][..], &inner].concat();
    let document = one_udp(1, &ethernet(0x0800, &ipv4(CLIENT, SERVER, 47, 0, &gre)));
    assert_eq!(document["source"]["ip"], "10.0.0.1");
    assert_eq!(document["srcOuterIp"], serde_json::json!(["192.0.2.1"]));
    assert_eq!(document["dstOuterMac"], serde_json::json!(["02:00:00:00:00:01"]));
    assert_eq!(document["protocol"], serde_json::json!(["gre", "udp"]));
}

#[test]
fn a_session_that_says_too_much_keeps_its_identity_and_tells_that_values_were_left_out() {
    let mut pcap = Pcap::new(1);
    let mut connection = Connection::new(80);
    connection.open(&mut pcap);
    for number in 0..300 {
        let request = format!("GET /{number}{} HTTP/1.1\r\n\r\n", "x".repeat(8000));
        let frame = connection.send(true, PSH | ACK, request.as_bytes());
        pcap.frame(50 + number, &frame);
    }
    let (documents, summary) = pcap.decode();
    assert_eq!(summary.anomalies["values-left-out"], 1);
    assert!(documents[0]["id"].is_string());
    assert_eq!(documents[0]["protocol"], serde_json::json!(["tcp", "http"]));
}

#[test]
fn a_capture_out_of_order_tells_the_times_of_the_packets_that_came_first_and_last() {
    let mut pcap = Pcap::new(1);
    let frame = ethernet(0x0800, &ipv4(CLIENT, SERVER, 17, 0, &udp(40_000, 9_999, b"hello")));
    pcap.frame(500, &frame).frame(900, &frame).frame(464, &frame);
    let document = &pcap.decode().0[0];
    let start = 1_700_000_000_000_u64;
    assert_eq!((&document["firstPacket"], &document["lastPacket"]), (&json!(start + 500), &json!(start + 464)));
    assert_eq!(document["length"], 36);
    assert_eq!(document["packetRange"], json!({"gte": start + 464, "lte": start + 500}));
}

#[test]
fn stations_are_told_of_the_first_packets_only() {
    let mut pcap = Pcap::new(1);
    for at in 0..20_u8 {
        let mut frame = ethernet(0x0800, &ipv4(CLIENT, SERVER, 17, 0, &udp(40_000, 9_999, b"hello")));
        frame[11] = if at < 11 { 1 } else { 2 };
        pcap.frame(u64::from(at), &frame);
    }
    let document = &pcap.decode().0[0];
    assert_eq!(document["source"]["mac"], json!(["02:00:00:00:00:01"]));
    assert_eq!(document["source"]["packets"], 20);
}

#[test]
fn an_answer_that_comes_first_was_sent_by_the_server() {
    let mut pcap = Pcap::new(1);
    let answer = Connection::new(80).send(false, PSH | ACK, ANSWER);
    pcap.frame(0, &answer);
    let document = &pcap.decode().0[0];
    assert_eq!(document["destination"]["port"], 80);
    assert_eq!((&document["source"]["packets"], &document["destination"]["packets"]), (&json!(0), &json!(1)));
    assert_eq!(document["http"]["statuscode"][0], 200);
}

#[test]
fn the_data_of_a_lone_packet_are_read_but_not_counted() {
    let mut connection = Connection::new(80);
    let request = connection.send(true, PSH | ACK, b"GET /a HTTP/1.1\r\nHost: h.example\r\n\r\n");
    let alone = Pcap::new(1).frame(0, &request).decode().0.remove(0);
    assert_eq!(alone["http"]["host"][0], "h.example");
    assert_eq!((&alone["client"]["bytes"], alone.get("srcPayload8")), (&json!(0), None));
    let acknowledged = connection.send(false, ACK, b"");
    let both = Pcap::new(1).frame(0, &request).frame(1, &acknowledged).decode().0.remove(0);
    assert_eq!((&both["client"]["bytes"], both["srcPayload8"].as_str()), (&json!(36), Some("474554202f612048")));
}

#[test]
fn icmp_is_counted_to_the_end_of_the_frame() {
    let mut frame = ethernet(0x0800, &ipv4(CLIENT, SERVER, 1, 0, b"\x0a\0\0\0\0\0\0\0"));
    frame.resize(60, 0);
    assert_eq!(Pcap::new(1).frame(0, &frame).decode().0[0]["client"]["bytes"], 26);
}
