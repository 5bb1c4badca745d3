//! A session's counters written as fields, so that documents and tables have one source.

use super::fields::*;
use super::{Session, Side, community};
use crate::layers::{Class, Mac, ip_addr};
use crate::pipeline::is_dhcp;
use crate::protocol::ANOMALY;
use crate::values::Fields;

/// What the caller knows of the capture, written into every session.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// Key of the chunk; with the packet's position it makes a session's identity.
    pub chunk: String,
    pub node: String,
    pub file: String,
    pub tags: Vec<String>,
    /// Time of indexing, ms; left out when zero.
    pub indexed_ms: i64,
}

impl Origin {
    /// Writes it into a session's fields.
    pub fn write(&self, fields: &mut Fields) {
        fields.text(&CHUNK, &self.chunk);
        fields.text(&NODE, &self.node);
        fields.text(&FILE, &self.file);
        for tag in &self.tags {
            fields.text(&crate::protocol::TAGS, tag);
        }
        if self.indexed_ms != 0 {
            fields.int(&TIMESTAMP, self.indexed_ms);
        }
    }
}

/// One finished session (or segment of one).
#[derive(Debug)]
pub struct Record {
    pub id: String,
    pub fields: Fields,
    pub positions: Vec<u64>,
    pub lengths: Vec<u32>,
    /// Place of the whole session's first packet: with the segment's number, its identity in the chunk.
    pub first_position: u64,
    /// Id of the first segment, for a session of several.
    pub root: Option<String>,
}

impl Record {
    /// Turns a session's state into a record; the session may go on as another segment.
    pub fn new(session: &mut Session, origin: &Origin, more: bool) -> Record {
        let first_ms = (session.first_ns / 1_000_000) as i64;
        let id = identity(&origin.chunk, session.first_position, session.segment, first_ms);
        let mut fields = if more { session.fields.clone() } else { std::mem::take(&mut session.fields) };
        fields.renew_budget();
        if fields.overflow {
            fields.text(&ANOMALY, "values-left-out");
        }
        if more || session.segment > 1 {
            let root = session.root.get_or_insert_with(|| id.clone());
            fields.text(&ROOT_ID, root);
        }
        fields.text(&ID, &id);
        origin.write(&mut fields);
        if session.is_lone() {
            session.sides.iter_mut().for_each(Side::forget_data);
        }
        write_ends(&mut fields, session);
        write_counts(&mut fields, session);
        write_side(&mut fields, &session.sides[0], &SOURCE);
        write_side(&mut fields, &session.sides[1], &DESTINATION);
        if session.class == Class::Tcp {
            write_tcp(&mut fields, session);
        }
        fields.sort();
        Record {
            id,
            fields,
            positions: std::mem::take(&mut session.positions),
            lengths: std::mem::take(&mut session.lengths),
            first_position: session.first_position,
            root: session.root.clone(),
        }
    }
}

/// `yymmdd-` and 22 characters from the chunk, the first packet's place in it and the segment.
pub fn identity(chunk: &str, first_position: u64, segment: u32, first_ms: i64) -> String {
    use base64::Engine;
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    hash.update(chunk.as_bytes());
    hash.update([0]);
    hash.update(first_position.to_be_bytes());
    hash.update(segment.to_be_bytes());
    let digest = hash.finalize();
    let (year, month, day) = date(first_ms.div_euclid(86_400_000));
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&digest[..16]);
    format!("{:02}{month:02}{day:02}-{text}", year.rem_euclid(100))
}

/// The civil date of a day since 1970 (Howard Hinnant's algorithm).
fn date(day: i64) -> (i64, u32, u32) {
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let m = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * m + 2) / 5 + 1) as u32;
    let month = if m < 10 { m + 3 } else { m - 9 } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn write_ends(fields: &mut Fields, session: &Session) {
    fields.int(&IP_PROTOCOL, i64::from(session.protocol));
    if session.ethertype != 0 {
        fields.int(&ETHERTYPE, i64::from(session.ethertype));
    }
    if session.has_ip {
        let (source, destination) = (ip_addr(session.source), ip_addr(session.destination));
        fields.ip(&SOURCE_IP, source);
        fields.ip(&DESTINATION_IP, destination);
        fields.int(&SOURCE_PORT, i64::from(session.source_port));
        fields.int(&DESTINATION_PORT, i64::from(session.destination_port));
        if let Some(ports) = community_ports(session) {
            fields.text(&COMMUNITY_ID, &community::id(source, destination, session.protocol, ports));
        }
    }
    for name in &session.protocols {
        fields.text(&PROTOCOL, name);
    }
    for &(id, dot1ad) in &session.vlans {
        fields.int(&VLAN, i64::from(id));
        fields.int(if dot1ad { &DOT1AD } else { &DOT1Q }, i64::from(id));
    }
    for &vni in &session.vni {
        fields.int(&VNI, i64::from(vni));
    }
}

/// The ports a community ID is made of, for the classes that have one.
fn community_ports(session: &Session) -> Option<(u16, u16)> {
    match session.class {
        Class::Udp if is_dhcp([session.source_port, session.destination_port]) => None,
        Class::Tcp | Class::Udp | Class::Sctp => Some((session.source_port, session.destination_port)),
        Class::Icmp => Some(community::icmp_ports(session.protocol, session.icmp.0, session.icmp.1)),
        Class::Esp => Some((0, 0)),
        _ => None,
    }
}

fn write_counts(fields: &mut Fields, session: &Session) {
    let [client, server] = &session.sides;
    let (first, last) = ((session.first_ns / 1_000_000) as i64, (session.last_ns / 1_000_000) as i64);
    fields.int(&FIRST_PACKET, first);
    fields.int(&LAST_PACKET, last);
    fields.int(&LENGTH, (last - first).abs());
    fields.int(&SEGMENTS, i64::from(session.segment));
    fields.int(&PACKETS, (client.packets + server.packets) as i64);
    fields.int(&BYTES, (client.bytes + server.bytes) as i64);
    fields.int(&DATA_BYTES, (client.data_bytes + server.data_bytes) as i64);
}

/// The fields of one end.
struct End {
    packets: &'static crate::field::Field,
    bytes: &'static crate::field::Field,
    data_bytes: &'static crate::field::Field,
    payload8: &'static crate::field::Field,
    ttl: &'static crate::field::Field,
    dscp: &'static crate::field::Field,
    mac: &'static crate::field::Field,
    outer_mac: &'static crate::field::Field,
    outer_ip: &'static crate::field::Field,
}

static SOURCE: End = End {
    packets: &SOURCE_PACKETS,
    bytes: &SOURCE_BYTES,
    data_bytes: &CLIENT_BYTES,
    payload8: &SOURCE_PAYLOAD8,
    ttl: &SOURCE_TTL,
    dscp: &SOURCE_DSCP,
    mac: &SOURCE_MAC,
    outer_mac: &SOURCE_OUTER_MAC,
    outer_ip: &SOURCE_OUTER_IP,
};

static DESTINATION: End = End {
    packets: &DESTINATION_PACKETS,
    bytes: &DESTINATION_BYTES,
    data_bytes: &SERVER_BYTES,
    payload8: &DESTINATION_PAYLOAD8,
    ttl: &DESTINATION_TTL,
    dscp: &DESTINATION_DSCP,
    mac: &DESTINATION_MAC,
    outer_mac: &DESTINATION_OUTER_MAC,
    outer_ip: &DESTINATION_OUTER_IP,
};

fn write_side(fields: &mut Fields, side: &Side, end: &End) {
    fields.int(end.packets, side.packets as i64);
    fields.int(end.bytes, side.bytes as i64);
    fields.int(end.data_bytes, side.data_bytes as i64);
    fields.text(end.payload8, &hex(&side.payload8));
    side.ttl.iter().for_each(|&v| fields.int(end.ttl, i64::from(v)));
    side.dscp.iter().for_each(|&v| fields.int(end.dscp, i64::from(v)));
    side.macs.iter().for_each(|m| fields.text(end.mac, &mac(m)));
    side.outer_macs.iter().for_each(|m| fields.text(end.outer_mac, &mac(m)));
    side.outer_ips.iter().for_each(|&a| fields.ip(end.outer_ip, ip_addr(a)));
}

fn write_tcp(fields: &mut Fields, session: &Session) {
    let Some(tcp) = &session.tcp else { return };
    let c = &tcp.counts;
    for (field, count) in [
        (&FLAG_SYN, c.syn),
        (&FLAG_SYN_ACK, c.syn_ack),
        (&FLAG_ACK, c.ack),
        (&FLAG_PSH, c.psh),
        (&FLAG_FIN, c.fin),
        (&FLAG_RST, c.rst),
        (&FLAG_URG, c.urg),
        (&FLAG_ECE, c.ece),
        (&FLAG_CWR, c.cwr),
        (&FLAG_AE, c.ae),
        (&SOURCE_ZERO, c.zero_window[0]),
        (&DESTINATION_ZERO, c.zero_window[1]),
    ] {
        fields.int(field, i64::from(count));
    }
    if session.segment > 1 {
        return;
    }
    if let Some(rtt) = tcp.initial_rtt() {
        fields.int(&INITIAL_RTT, rtt);
    }
    if let Some(isn) = tcp.source_isn {
        fields.int(&SEQUENCE_SOURCE, i64::from(isn));
        fields.int(&SOURCE_ISN_COUNT, i64::from(tcp.source_isn_count));
    }
    if let Some(isn) = tcp.destination_isn {
        fields.int(&SEQUENCE_DESTINATION, if tcp.syn_ack_first { i64::from(isn) } else { 0 });
    }
    if tcp.source_isn.is_some() || tcp.destination_isn.is_some() {
        fields.flag(&SYN_VALIDATED, tcp.syn_validated);
        fields.flag(&SYN_ACK_VALIDATED, tcp.syn_ack_validated);
    }
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    bytes.iter().for_each(|byte| push_hex(*byte, &mut text));
    text
}

fn push_hex(byte: u8, text: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    text.push(char::from(DIGITS[usize::from(byte >> 4)]));
    text.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// `aa:bb:cc:dd:ee:ff`.
pub fn mac(address: &Mac) -> String {
    let mut text = String::with_capacity(17);
    for (i, byte) in address.iter().enumerate() {
        if i > 0 {
            text.push(':');
        }
        push_hex(*byte, &mut text);
    }
    text
}
