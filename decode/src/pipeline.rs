//! The decoder: packets in, finished sessions out, memory bounded by `limits`.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use crate::capture::{Capture, Item, RawPacket};
use crate::layers::{Address, Class, Fragments, Mac, Packet, dissect};
use crate::limits::{
    ICMP_IDLE, MAX_HELD_TOTAL, MAX_OPEN_SESSIONS, MAX_SEGMENT_PACKETS, OTHER_IDLE, TCP_CLOSING, TCP_IDLE, UDP_IDLE,
};
use crate::secrets::{Secrets, Wrong};
use crate::session::Session;
use crate::session::fields::PROTOCOL;
use crate::session::record::{Origin, Record};
use crate::session::table::{Key, LISTS, Table};
use crate::values::Values;
use crate::{catalogue, protocol};

/// What a capture held, told when it ends.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub packets: u64,
    pub bytes: u64,
    pub sessions: u64,
    /// Times of the earliest and the latest packet, ms since 1970.
    pub first_ms: Option<i64>,
    pub last_ms: Option<i64>,
    /// Sessions a protocol was found in.
    pub protocols: BTreeMap<String, u64>,
    /// Occurrences of each anomaly, of sessions and of the file.
    pub anomalies: BTreeMap<String, u64>,
    /// Those of the file alone.
    pub file_anomalies: BTreeMap<String, u64>,
    pub linktypes: Vec<u16>,
    /// Whether what precedes a capture's first packet is all that its packets refer to.
    pub seekable: bool,
}

impl Summary {
    /// Counts a finished session.
    pub fn add(&mut self, record: &Record) {
        self.sessions += 1;
        tally(&mut self.protocols, record.fields.get(&PROTOCOL));
        tally(&mut self.anomalies, record.fields.get(&protocol::ANOMALY));
    }

    /// Counts something that is wrong with the file.
    pub fn of_file(&mut self, name: &str, count: u64) {
        for names in [&mut self.anomalies, &mut self.file_anomalies] {
            *names.entry(name.into()).or_default() += count;
        }
    }
}

fn tally(counts: &mut BTreeMap<String, u64>, values: Option<&Values>) {
    let Some(Values::Texts(names)) = values else { return };
    for name in &names.items {
        match counts.get_mut(&**name) {
            Some(count) => *count += 1,
            None => *counts.entry(name.to_string()).or_default() += 1,
        }
    }
}

/// Lists of the table, by idle time.
#[derive(Clone, Copy)]
enum Idle {
    Tcp,
    Closing,
    Udp,
    Icmp,
    Other,
}

const IDLE_SECONDS: [u64; LISTS] = [TCP_IDLE, TCP_CLOSING, UDP_IDLE, ICMP_IDLE, OTHER_IDLE];

fn idle_list(session: &Session) -> u8 {
    let idle = match session.class {
        Class::Tcp if session.closed() => Idle::Closing,
        Class::Tcp | Class::Sctp => Idle::Tcp,
        Class::Udp => Idle::Udp,
        Class::Icmp => Idle::Icmp,
        _ => Idle::Other,
    };
    idle as u8
}

/// Sessions being counted.
pub struct Pipeline {
    table: Table,
    origin: Origin,
    /// What opens encrypted sessions.
    pub secrets: Arc<Secrets>,
    /// Bytes held out of order by all sessions.
    held: usize,
    /// Finished sessions, for the caller to take.
    pub done: Vec<Record>,
    pub summary: Summary,
}

impl Pipeline {
    pub fn new(origin: Origin) -> Pipeline {
        catalogue::get();
        Pipeline {
            table: Table::default(),
            origin,
            secrets: Arc::default(),
            held: 0,
            done: Vec::new(),
            summary: Summary::default(),
        }
    }

    /// Takes a dissected packet.
    pub fn packet(&mut self, packet: &Packet<'_>) {
        let key = key(packet);
        let at = match self.find(&key, packet) {
            Some(at) => at,
            None => {
                self.make_room();
                let session = Box::new(Session::new(key, packet, Arc::clone(&self.secrets)));
                let list = idle_list(&session);
                self.table.insert(session, list)
            }
        };
        let Some(session) = self.table.get(at) else { return };
        let others = self.held - session.held_bytes();
        session.packet(packet);
        if others + session.held_bytes() > MAX_HELD_TOTAL {
            session.give_up_holes();
        }
        self.held = others + session.held_bytes();
        let full = session.positions.len() >= MAX_SEGMENT_PACKETS || session.old();
        let list = idle_list(session);
        if full {
            let record = Record::new(session, &self.origin, true);
            session.next_segment();
            self.push(record);
        }
        self.table.touch(at, list);
        // Only now: a packet that comes late to the only session of a quiet capture still belongs to it.
        self.clock(packet.time_ns);
    }

    /// The open session of `key`, unless the packet opens another connection of the same ends.
    fn find(&mut self, key: &Key, packet: &Packet<'_>) -> Option<u32> {
        let at = self.table.find(key)?;
        let other = self.table.get(at)?.tcp.as_ref().is_some_and(|tcp| tcp.is_other_connection(&packet.tcp));
        if other {
            self.close(at);
            return None;
        }
        Some(at)
    }

    /// Ends sessions that were idle too long at this time.
    fn clock(&mut self, now_ns: u64) {
        for list in 0..LISTS as u8 {
            let limit = IDLE_SECONDS[list as usize] * 1_000_000_000;
            while let Some((at, session)) = self.table.oldest(list) {
                if now_ns.saturating_sub(session.latest_ns) <= limit {
                    break;
                }
                self.close(at);
            }
        }
    }

    fn make_room(&mut self) {
        if self.table.open() < MAX_OPEN_SESSIONS {
            return;
        }
        let oldest = (0..LISTS as u8).filter_map(|list| self.table.oldest(list)).min_by_key(|(_, s)| s.latest_ns);
        if let Some((at, _)) = oldest {
            self.summary.of_file("too-many-open-sessions", 1);
            self.close(at);
        }
    }

    fn close(&mut self, at: u32) {
        let Some(mut session) = self.table.remove(at) else { return };
        self.held -= session.held_bytes();
        session.finish();
        if session.positions.is_empty() {
            return;
        }
        let record = Record::new(&mut session, &self.origin, false);
        self.push(record);
    }

    fn push(&mut self, record: Record) {
        self.summary.add(&record);
        self.done.push(record);
    }

    /// Ends all sessions, the longest idle first.
    pub fn finish(&mut self) {
        for list in 0..LISTS as u8 {
            while let Some((at, _)) = self.table.oldest(list) {
                self.close(at);
            }
        }
    }
}

/// What tells the packet's session apart.
fn key(packet: &Packet<'_>) -> Key {
    let number = if packet.has_ip { u32::from(packet.protocol) } else { u32::from(packet.service) };
    let mut ends = ends(packet);
    if ends[0] > ends[1] {
        ends.swap(0, 1);
    }
    // Customers of one provider may use the same addresses; the directions of one session may have other inner tags.
    let provider = packet.vlans.iter().filter(|(_, dot1ad)| *dot1ad).fold(0, |all, (id, _)| all << 16 | u32::from(*id));
    Key { low: ends[0], high: ends[1], kind: (packet.class as u32) << 16 | number, provider }
}

/// Group management (IGMP, PIM): its messages belong together, whoever sent them, as the peer counts them.
pub fn is_group_management(protocol: u8) -> bool {
    matches!(protocol, 2 | 103)
}

fn ends(packet: &Packet<'_>) -> [(Address, u16); 2] {
    if packet.has_ip {
        if packet.class == Class::Ip && is_group_management(packet.protocol) {
            return [(0, 0); 2];
        }
        return dhcp_client(packet)
            .unwrap_or([(packet.source, packet.source_port), (packet.destination, packet.destination_port)]);
    }
    match packet.macs {
        // Unknown and damaged frames are told apart by their stations; the others are one conversation of a kind.
        Some((destination, source)) if !crate::protocol::registry::get().knows_ethernet(packet.service) => {
            [(mac_number(destination), 0), (mac_number(source), 0)]
        }
        _ => [(0, 0); 2],
    }
}

fn mac_number(mac: Mac) -> Address {
    mac.iter().fold(0, |all, byte| all << 8 | Address::from(*byte))
}

/// Whether a DHCP message is meant: client and server ports.
pub fn is_dhcp(ports: [u16; 2]) -> bool {
    ports.iter().all(|port| matches!(port, 67 | 68))
}

/// A DHCP client changes its address as it gets one: its messages are one session by its hardware address.
fn dhcp_client(packet: &Packet<'_>) -> Option<[(Address, u16); 2]> {
    if packet.class != Class::Udp || !is_dhcp([packet.source_port, packet.destination_port]) {
        return None;
    }
    let hardware: Mac = packet.payload.get(28..34)?.try_into().ok()?;
    Some([(mac_number(hardware), 67), (mac_number(hardware), 68)])
}

/// Reads a capture to its end in steps.
pub struct Decoder {
    capture: Capture,
    fragments: Fragments,
    pub pipeline: Pipeline,
    ended: bool,
}

impl Decoder {
    pub fn new(source: Box<dyn io::Read + Send>, origin: Origin) -> io::Result<Decoder> {
        let capture = Capture::new(source)?;
        Ok(Decoder { capture, fragments: Fragments::default(), pipeline: Pipeline::new(origin), ended: false })
    }

    /// `pcap` or `pcapng`.
    pub fn format(&self) -> &'static str {
        self.capture.format()
    }

    /// Decodes until `wanted` sessions are finished or the file ends; gives the finished ones, none at the end.
    pub fn next_batch(&mut self, wanted: usize) -> Vec<Record> {
        while !self.ended && self.pipeline.done.len() < wanted {
            self.step();
        }
        let rest = self.pipeline.done.len().min(wanted);
        let tail = self.pipeline.done.split_off(rest);
        std::mem::replace(&mut self.pipeline.done, tail)
    }

    fn step(&mut self) {
        let why = match self.capture.next_item() {
            Ok(Item::Packet(raw)) => {
                count(&mut self.pipeline.summary, &raw);
                let pipeline = &mut self.pipeline;
                return dissect(&raw, &mut self.fragments, &mut |packet| pipeline.packet(packet));
            }
            Ok(Item::Secrets(text)) => return note_secrets(&mut self.pipeline, text),
            Ok(Item::End(why)) => why,
            Err(_) => Some("unreadable-source"),
        };
        self.ended = true;
        self.pipeline.summary.seekable = self.capture.seekable();
        self.fragments.finish();
        self.fragments.take_abandoned().iter().for_each(|packet| self.pipeline.packet(packet));
        self.pipeline.finish();
        if let Some(why) = why {
            self.pipeline.summary.of_file(why, 1);
        }
    }
}

fn note_secrets(pipeline: &mut Pipeline, text: Option<&[u8]>) {
    if let Err(wrong) = text.map_or(Err(Wrong::TooMany), |text| pipeline.secrets.add(text)) {
        pipeline.summary.of_file(wrong.name(), 1);
    }
}

fn count(summary: &mut Summary, raw: &RawPacket<'_>) {
    summary.packets += 1;
    summary.bytes += raw.data.len() as u64;
    let ms = (raw.time_ns / 1_000_000) as i64;
    summary.first_ms = Some(summary.first_ms.map_or(ms, |first| first.min(ms)));
    summary.last_ms = Some(summary.last_ms.map_or(ms, |last| last.max(ms)));
    if !summary.linktypes.contains(&raw.linktype) {
        summary.linktypes.push(raw.linktype);
    }
}
