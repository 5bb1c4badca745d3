//! A session: what is counted while its packets pass, and how its data reach the parsers.

pub mod community;
pub mod fields;
pub mod record;
pub mod table;
pub mod tcp;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use smallvec::SmallVec;

use crate::layers::{Address, Class, Mac, Packet, ip_addr};
use crate::limits::{MAX_PARSERS, TCP_SPLIT};
use crate::pipeline::{is_dhcp, is_group_management};
use crate::protocol::{Direction, Ends, Flow, Parser, Status, Transport};
use crate::secrets::Secrets;
use crate::values::Fields;
use table::Key;

/// One direction's counters.
#[derive(Clone, Debug, Default)]
pub struct Side {
    pub packets: u64,
    pub bytes: u64,
    pub data_bytes: u64,
    pub payload8: SmallVec<[u8; 8]>,
    pub ttl: SmallVec<[u8; 4]>,
    pub dscp: SmallVec<[u8; 4]>,
    pub macs: SmallVec<[Mac; 1]>,
    pub outer_macs: SmallVec<[Mac; 1]>,
    pub outer_ips: SmallVec<[Address; 1]>,
    /// Bytes handed to parsers.
    offset: u64,
    classified: bool,
}

impl Side {
    /// Leaves its data out of what is told.
    fn forget_data(&mut self) {
        self.data_bytes = 0;
        self.payload8.clear();
    }
}

/// An open session.
pub struct Session {
    pub key: Key,
    pub class: Class,
    pub has_ip: bool,
    pub source: Address,
    pub destination: Address,
    pub source_port: u16,
    pub destination_port: u16,
    pub protocol: u8,
    pub ethertype: u16,
    service: u16,
    pub vlans: SmallVec<[(u16, bool); 2]>,
    /// Type and code of the first message, for the community ID.
    pub icmp: (u8, u8),
    pub vni: SmallVec<[u32; 1]>,
    /// Times of the packets that came first and last; in a capture out of order the first may be the later one.
    pub first_ns: u64,
    pub last_ns: u64,
    /// The latest time of all, from which idleness counts.
    pub latest_ns: u64,
    /// When this segment began; a TCP session is split `TCP_SPLIT` later.
    segment_ns: u64,
    pub segment: u32,
    /// Position of the session's first packet, for its identity.
    pub first_position: u64,
    pub sides: [Side; 2],
    pub positions: Vec<u64>,
    pub lengths: Vec<u32>,
    pub tcp: Option<Box<tcp::State>>,
    pub protocols: Vec<&'static str>,
    /// Whether the first payload bytes are told.
    has_payload8: bool,
    tunnels: SmallVec<[&'static str; 2]>,
    pub fields: Fields,
    parsers: Vec<Box<dyn Parser>>,
    secrets: Arc<Secrets>,
    pub root: Option<String>,
}

/// Packets of each end, of each segment, whose stations, tags, tunnels, TTLs and classes are told; the peer looks at as many.
const SAMPLED: u64 = 11;

/// Whether the first packet seen of a connection goes from the server to the client.
fn is_answer(packet: &Packet<'_>) -> bool {
    packet.tcp.flags & 0x12 == 0x12 || (packet.tcp.flags & 0x02 == 0 && packet.payload.starts_with(b"HTTP/1."))
}

fn add<const N: usize, T: PartialEq + Copy>(set: &mut SmallVec<[T; N]>, value: T)
where
    [T; N]: smallvec::Array<Item = T>,
{
    const MAX: usize = 64;
    if !set.contains(&value) && set.len() < MAX {
        set.push(value);
    }
}

impl Session {
    /// A session opened by `packet`; what answers was sent by the destination.
    pub fn new(key: Key, packet: &Packet<'_>, secrets: Arc<Secrets>) -> Session {
        let reversed = packet.class == Class::Tcp && is_answer(packet);
        let mut ends = [(packet.source, packet.source_port), (packet.destination, packet.destination_port)];
        if reversed {
            ends.swap(0, 1);
        }
        Session {
            key,
            class: packet.class,
            has_ip: packet.has_ip,
            source: ends[0].0,
            destination: ends[1].0,
            source_port: ends[0].1,
            destination_port: ends[1].1,
            protocol: packet.protocol,
            ethertype: packet.ethertype,
            service: packet.service,
            vlans: SmallVec::new(),
            icmp: (packet.payload.first().copied().unwrap_or(0), packet.payload.get(1).copied().unwrap_or(0)),
            vni: SmallVec::new(),
            first_ns: packet.time_ns,
            last_ns: packet.time_ns,
            latest_ns: packet.time_ns,
            segment_ns: packet.time_ns,
            segment: 1,
            first_position: packet.parts[0].position,
            sides: Default::default(),
            positions: Vec::new(),
            lengths: Vec::new(),
            tcp: (packet.class == Class::Tcp).then(Box::default),
            protocols: Vec::new(),
            has_payload8: match packet.class {
                Class::Tcp => true,
                Class::Udp => !is_dhcp([packet.source_port, packet.destination_port]),
                _ => false,
            },
            tunnels: packet.tunnels.clone(),
            fields: Fields::default(),
            parsers: Vec::new(),
            secrets,
            root: None,
        }
    }

    fn direction(&self, packet: &Packet<'_>) -> Direction {
        let one_way = match self.class {
            Class::Ip => is_group_management(self.protocol),
            Class::Ethernet | Class::UnknownEthernet | Class::CorruptEthernet => true,
            _ => !self.has_ip,
        };
        if one_way || (packet.source == self.source && packet.source_port == self.source_port) {
            Direction::Client
        } else {
            Direction::Server
        }
    }

    /// Counts a packet and lets the parsers see its data.
    pub fn packet(&mut self, packet: &Packet<'_>) {
        let direction = self.direction(packet);
        self.last_ns = packet.time_ns;
        self.latest_ns = self.latest_ns.max(packet.time_ns);
        self.count(packet, direction);
        for name in packet.tunnels.iter().copied().chain(base_protocol(packet)) {
            if !self.protocols.contains(&name) {
                self.protocols.push(name);
            }
        }
        if let Some(anomaly) = packet.anomaly {
            self.fields.text(&crate::protocol::ANOMALY, anomaly);
        }
        if self.tcp.is_some() {
            self.tcp_packet(packet, direction);
        } else {
            if matches!(packet.class, Class::Udp | Class::Sctp | Class::Icmp | Class::Esp) {
                self.sides[direction as usize].data_bytes += u64::from(packet.payload_length);
            }
            self.feed(direction, packet.payload);
        }
    }

    fn count(&mut self, packet: &Packet<'_>, direction: Direction) {
        for part in &packet.parts {
            self.positions.push(part.position);
            self.lengths.push(part.captured + 16);
        }
        let (here, there) = (direction as usize, direction.opposite() as usize);
        let side = &mut self.sides[here];
        side.packets += packet.parts.len() as u64;
        side.bytes += packet.wire_length();
        if side.packets > SAMPLED {
            return;
        }
        if packet.has_ip {
            add(&mut side.ttl, packet.ttl);
            if packet.dscp != 0 {
                add(&mut side.dscp, packet.dscp);
            }
        }
        if let Some((destination, source)) = packet.macs {
            add(&mut self.sides[here].macs, source);
            add(&mut self.sides[there].macs, destination);
        }
        // Tunnels' ends are told as they stand in the packets, whichever way those went; their stations the other way
        // round, as the peer tells them, since searches carry over.
        if let Some((destination, source)) = packet.outer_macs {
            add(&mut self.sides[0].outer_macs, destination);
            add(&mut self.sides[1].outer_macs, source);
        }
        if let Some(outer) = packet.outer {
            add(&mut self.sides[0].outer_ips, outer.source);
            add(&mut self.sides[1].outer_ips, outer.destination);
        }
        for &vlan in &packet.vlans {
            add(&mut self.vlans, vlan);
        }
        for &vni in &packet.vni {
            add(&mut self.vni, vni);
        }
    }

    fn tcp_packet(&mut self, packet: &Packet<'_>, direction: Direction) {
        let Some(mut tcp) = self.tcp.take() else { return };
        tcp.observe(packet, direction);
        tcp.payload(packet, direction, &mut |chunk| self.tcp_chunk(direction, chunk));
        self.tcp = Some(tcp);
    }

    fn tcp_chunk(&mut self, direction: Direction, chunk: tcp::Chunk<'_>) {
        match chunk {
            tcp::Chunk::Data(data) => {
                self.sides[direction as usize].data_bytes += data.len() as u64;
                self.feed(direction, data);
            }
            tcp::Chunk::Gap(bytes) => {
                self.with_flow(direction, |parsers, flow| {
                    parsers.retain_mut(|parser| parser.gap(flow, direction, bytes) == Status::More);
                });
                self.sides[direction as usize].offset += bytes;
            }
        }
    }

    /// Hands data to the parsers, after classifying them when they are the direction's first.
    fn feed(&mut self, direction: Direction, data: &[u8]) {
        let side = &mut self.sides[direction as usize];
        if data.is_empty() {
            return;
        }
        // A stream may come in small pieces; of datagrams the first one tells what they are.
        let more = side.payload8.is_empty() || self.class == Class::Tcp;
        if self.has_payload8 && more && side.payload8.len() < 8 && side.offset < 8 {
            let wanted = 8 - side.payload8.len();
            side.payload8.extend_from_slice(&data[..data.len().min(wanted)]);
        }
        let first = !std::mem::replace(&mut side.classified, true);
        self.with_flow(direction, |parsers, flow| {
            parsers.retain_mut(|parser| parser.data(flow, direction, data) == Status::More);
            if first {
                flow.classify(direction, data);
            }
        });
        self.sides[direction as usize].offset += data.len() as u64;
    }

    fn with_flow(&mut self, direction: Direction, work: impl FnOnce(&mut Vec<Box<dyn Parser>>, &mut Flow<'_>)) {
        let mut flow = Flow {
            ends: self.ends(),
            offset: self.sides[direction as usize].offset,
            fields: &mut self.fields,
            secrets: &self.secrets,
            protocols: &mut self.protocols,
            added: Vec::new(),
            depth: 0,
        };
        // Parsers do not panic; should one do so all the same, its session goes on without parsers and says so.
        let parsers = &mut self.parsers;
        let whole = catch_unwind(AssertUnwindSafe(|| work(parsers, &mut flow))).is_ok();
        parsers.append(&mut flow.added);
        parsers.truncate(MAX_PARSERS);
        if !whole {
            parsers.clear();
            self.fields.text(&crate::protocol::ANOMALY, "decoder-fault");
        }
    }

    fn ends(&self) -> Ends {
        Ends {
            transport: match self.class {
                Class::Tcp => Transport::Tcp,
                Class::Udp => Transport::Udp,
                Class::Sctp => Transport::Sctp,
                Class::Icmp | Class::Ip | Class::Esp | Class::CorruptIp => Transport::Ip(self.protocol),
                _ => Transport::Ethernet(self.service),
            },
            source: self.has_ip.then(|| ip_addr(self.source)),
            destination: self.has_ip.then(|| ip_addr(self.destination)),
            source_port: self.source_port,
            destination_port: self.destination_port,
            now_ns: self.latest_ns,
            first_ns: self.first_ns,
        }
    }

    /// Whether only one packet of a connection was seen, and not its beginning: neither end vouches for what it says, so
    /// that its data are read but not counted.
    pub fn is_lone(&self) -> bool {
        let packets = self.sides[0].packets + self.sides[1].packets;
        self.segment == 1
            && packets == 1
            && self.tcp.as_ref().is_some_and(|tcp| tcp.counts.syn + tcp.counts.syn_ack == 0)
    }

    /// Whether the session is over and only waits for stragglers.
    pub fn closed(&self) -> bool {
        self.tcp.as_ref().is_some_and(|tcp| tcp.closed())
    }

    /// Whether the time has come to write a segment of a long session.
    pub fn old(&self) -> bool {
        self.tcp.is_some() && self.latest_ns.saturating_sub(self.segment_ns) >= TCP_SPLIT * 1_000_000_000
    }

    /// Names what no signature knew.
    fn name_unknown(&mut self) {
        let unknown = match self.class {
            Class::Ip => "unknown-ip",
            Class::Ethernet if self.ethertype < 1536 => "corrupt-ether",
            Class::Ethernet => "unknown-ether",
            _ => return,
        };
        if self.protocols.iter().all(|name| self.tunnels.contains(name)) {
            self.protocols.push(unknown);
        }
    }

    /// Bytes held out of order.
    pub fn held_bytes(&self) -> usize {
        self.tcp.as_ref().map_or(0, |tcp| tcp.held_bytes())
    }

    /// Hands on what is held out of order, without what is missing before it.
    pub fn give_up_holes(&mut self) {
        let Some(mut tcp) = self.tcp.take() else { return };
        for direction in [Direction::Client, Direction::Server] {
            tcp.flush(direction, &mut |chunk| self.tcp_chunk(direction, chunk));
        }
        self.tcp = Some(tcp);
    }

    /// Ends the session: what is held is handed on, the parsers write what they hold.
    pub fn finish(&mut self) {
        self.give_up_holes();
        if self.tcp.as_ref().is_some_and(|tcp| tcp.gap) {
            self.fields.text(&crate::protocol::ANOMALY, "tcp-gap");
        }
        self.with_flow(Direction::Client, |parsers, flow| {
            parsers.iter_mut().for_each(|parser| parser.finish(flow));
            parsers.clear();
        });
        self.name_unknown();
    }

    /// Starts the next segment of the same session: counters begin anew, what names the session stays.
    pub fn next_segment(&mut self) {
        self.segment += 1;
        self.segment_ns = self.latest_ns;
        self.positions.clear();
        self.lengths.clear();
        for side in &mut self.sides {
            (side.packets, side.bytes, side.data_bytes) = (0, 0, 0);
            side.ttl.clear();
            side.dscp.clear();
        }
        if let Some(tcp) = &mut self.tcp {
            tcp.next_segment();
        }
        self.fields.keep(&[&crate::protocol::TAGS, &crate::protocol::USER]);
    }
}

/// The protocol every packet of a class names.
fn base_protocol(packet: &Packet<'_>) -> Option<&'static str> {
    match packet.class {
        Class::Tcp => Some("tcp"),
        Class::Udp => Some("udp"),
        Class::Sctp => Some("sctp"),
        Class::Icmp => Some("icmp"),
        Class::Esp => Some("esp"),
        Class::CorruptIp => Some("corrupt-ip"),
        Class::UnknownEthernet => Some("unknown-ether"),
        Class::CorruptEthernet => Some("corrupt-ether"),
        // Fragments that never became a datagram.
        Class::Ip if packet.protocol == 6 => Some("tcp"),
        Class::Ip if packet.protocol == 17 => Some("udp"),
        Class::Ip | Class::Ethernet => None,
    }
}
